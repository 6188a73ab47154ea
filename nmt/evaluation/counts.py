"""What a metric counts in each sentence, and what follows from it: scores, intervals, paired tests of two systems.

Bootstrap: Koehn 2004, 'Statistical significance tests for machine translation evaluation'. Approximate randomisation:
Riezler & Maxwell 2005, 'On some pitfalls in automatic evaluation and significance testing for MT'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from sacrebleu.metrics.base import Metric

from nmt.errors import UserError

RESAMPLES, TRIALS = 1000, 10_000  # of the bootstrap, of approximate randomisation
SEED = 12345  # all three are sacreBLEU's own, so that its command line gives the same intervals and p-values
# NumPy draws 32 booleans from 32 bits and throws the rest of a call away: in such blocks it draws what it would at once.
_TRIALS_AT_A_TIME = 32


@dataclass(frozen=True)
class Score:
    """A corpus score in percent, the signature that reproduces it, its 95 % interval (low, high)."""

    score: float
    signature: str
    interval: tuple[float, float] | None = None

    def to_json(self) -> dict[str, object]:
        interval = [round(bound, 4) for bound in self.interval] if self.interval else None
        return {"score": round(self.score, 4), "signature": self.signature, "interval": interval}


@dataclass(frozen=True)
class Bootstrap:
    """A system's score and those of ``resampled`` [resamples] test sets: enough to hold it against another system."""

    summary: Score
    resampled: "numpy.ndarray"

    def p_value(self, baseline: "Bootstrap") -> float:
        """How probable so large a difference is if chance alone made it.

        The paired bootstrap (Koehn 2004) as sacreBLEU counts: the share of the resamples in which the difference of
        the two systems, its mean taken off, exceeds the real one; both sides of the fraction plus one. Once the difference
        has one sign in nearly all resamples, that looks in one direction only: about half of what it is in either. Both systems
        must have been resampled alike: the same sentences in the same order, the same seed. Other than sacreBLEU,
        which says 1/1001, two systems that no resample tells apart have 1.
        """
        differences = numpy.abs(self.resampled - baseline.resampled)
        if not differences.any():
            return 1.0
        exceeding = differences - differences.mean() > abs(self.summary.score - baseline.summary.score)
        return (int(exceeding.sum()) + 1) / (len(differences) + 1)


@dataclass(frozen=True)
class Counts:
    """What ``metric`` counts in each translation of a system, as a ``table`` [sentences, counts].

    That is all it takes to score any selection of the sentences, without looking at the text again.
    """

    metric: Metric
    table: "numpy.ndarray"

    def score(self, times: "numpy.ndarray | None" = None) -> float:
        """The score in percent of all sentences; if given, of each as many ``times`` [sentences] as it says there."""
        return self._score_of(self.table.sum(axis=0) if times is None else times @ self.table)

    def sentence_scores(self) -> list[float]:
        """The score in percent of each sentence by itself. Says little of BLEU, which counts no four words in short ones."""
        return [self._score_of(row) for row in self.table]

    def summary(self) -> Score:
        """The score, without an interval."""
        return Score(self.score(), str(self.metric.get_signature()))

    def bootstrap(self, resamples: int = RESAMPLES, seed: int = SEED) -> Bootstrap:
        """The score with a 95 % interval from ``resamples`` of the sentences, which follow from ``seed`` and their number.

        They are sacreBLEU's draws and ranks.
        """
        generator = numpy.random.default_rng(seed)
        sentences = len(self.table)
        resampled = numpy.empty(resamples)
        for number in range(resamples):
            resampled[number] = self.score(numpy.bincount(generator.choice(sentences, size=sentences), minlength=sentences))
        ranked, outside = numpy.sort(resampled), resamples // 40
        self.metric.n_bootstrap, self.metric.seed = resamples, str(seed)  # both belong to the signature
        interval = (float(ranked[outside]), float(ranked[resamples - outside - 1]))
        return Bootstrap(Score(self.score(), str(self.metric.get_signature()), interval), resampled)

    def randomisation_p_value(self, baseline: "Counts", trials: int = TRIALS, seed: int = SEED) -> float:
        """How probable so large a difference is, in either direction, if chance alone decided which system said what.

        Approximate randomisation (Riezler & Maxwell 2005) as sacreBLEU draws and counts: in each of the ``trials`` the
        systems swap their translations of about half of the sentences; the share of trials whose difference exceeds the
        real one; both sides of the fraction plus one. Riezler & Maxwell count equal differences too, which matters where
        few sentences differ. Other than sacreBLEU, which says 1/10,001, two systems have 1 if all trials have the real
        difference: those that are alike, or differ in one sentence.
        """
        generator = numpy.random.default_rng(seed)
        both = self.table.sum(axis=0) + baseline.table.sum(axis=0)
        differences: list[float] = []
        for first in range(0, trials, _TRIALS_AT_A_TIME):
            size = (min(_TRIALS_AT_A_TIME, trials - first), len(self.table))
            swapped = generator.integers(2, size=size, dtype=bool)
            ours = ~swapped @ self.table + swapped @ baseline.table  # → [trials at a time, counts]
            differences += [abs(self._score_of(one) - self._score_of(both - one)) for one in ours]
        real = abs(self.score() - baseline.score())
        if all(difference == real for difference in differences):
            return 1.0
        return (sum(difference > real for difference in differences) + 1) / (trials + 1)

    def _score_of(self, totals: "numpy.ndarray") -> float:
        return float(self.metric._compute_score_from_stats(totals.tolist()).score)


def count_by(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
    """What ``metric`` counts in the ``hypotheses``. Raises ``UserError`` for unequal counts or no sentences."""
    if len(hypotheses) != len(references):
        raise UserError(
            f"every translation needs one reference, but there are {len(hypotheses)} translations"
            f" and {len(references)} references"
        )
    if not hypotheses:
        raise UserError("there is nothing to score: the test set has no sentences")
    # sacreBLEU's `corpus_score` tells only half the width of its interval, holds all resamples in memory at
    # once, and resamples in fp32: hence the statistics here, once, for the score and all that is made of them.
    statistics = metric._extract_corpus_statistics(hypotheses, [references])
    return Counts(metric, numpy.array(statistics, dtype=numpy.float64))


def of_seeds(ours: Sequence[Counts], theirs: Sequence[Counts]) -> tuple[float, float]:
    """By how much two recipes differ, and how probable so large a difference is, in either direction, if chance alone made it.

    A recipe has a model or several, of different seeds; its score is that of their translations as one text. A resample
    draws sentences, the same for all models, and of each recipe as many seeds as it has, so that no recipe wins by lucky ones
    (Clark et al. 2011, 'Better hypothesis testing for statistical machine translation: controlling for optimizer
    instability'). The probability is the share of ``RESAMPLES`` whose difference is further from their mean than the real one
    from 0; both sides of the fraction plus one. Of one seed each it knows of no chance of seeds; few, drawn from themselves,
    spread less than seeds do, three of them by a fifth, which makes it a little small.
    """
    sentences = len(ours[0].table)
    draws, draws_of_seeds = numpy.random.default_rng(SEED), numpy.random.default_rng([SEED, 1])
    differences = numpy.empty(RESAMPLES)
    for number in range(RESAMPLES):
        times = numpy.bincount(draws.choice(sentences, size=sentences), minlength=sentences)
        drawn = ([side[place] for place in draws_of_seeds.choice(len(side), size=len(side))] for side in (ours, theirs))
        one, other = (_together([times @ counts.table for counts in side], side[0]) for side in drawn)
        differences[number] = one - other
    one, other = (_together([counts.table.sum(axis=0) for counts in side], side[0]) for side in (ours, theirs))
    real = one - other
    exceeding = abs(differences - differences.mean()) >= abs(real)
    return real, (int(exceeding.sum()) + 1) / (RESAMPLES + 1)


def _together(totals: Sequence["numpy.ndarray"], counts: Counts) -> float:
    """The score of several texts as one, of what was counted in each."""
    return counts._score_of(numpy.sum(totals, axis=0))
