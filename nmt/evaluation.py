"""BLEU, chrF and TER by sacreBLEU, each with its signature and a 95 % bootstrap interval; paired tests of two systems.

Why a score means little without its signature: Post 2018, 'A call for clarity in reporting BLEU scores'.
The bootstrap: Koehn 2004, 'Statistical significance tests for machine translation evaluation'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt.errors import UserError

RESAMPLES = 1000
SEED = 12345  # sacreBLEU's own, so that its command line gives the same intervals

# ISO 639-1 and 639-3 codes. Any other language takes 13a, the tokeniser of mteval-v13a.pl.
_TOKENIZERS = {
    **dict.fromkeys(("zh", "zho", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
}
_EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}
# TER counts words. Without spaces a sentence would be one word, so tercom splits it at ideographs instead.
_UNSPACED = ("zh", "ja-mecab")


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
class Scores:
    """BLEU and chrF (higher is better) and TER (lower is better) of one set of translations."""

    bleu: Score
    chrf: Score
    ter: Score
    sentences: int

    def to_json(self) -> dict[str, object]:
        """``{"bleu": {"score", "signature", "interval": [low, high] | null}, "chrf", "ter", "sentences"}``"""
        metrics = {"bleu": self.bleu, "chrf": self.chrf, "ter": self.ter}
        return {**{name: metric.to_json() for name, metric in metrics.items()}, "sentences": self.sentences}

    def table(self) -> str:
        """The same for people: one aligned line a metric, without a final newline."""
        lines = [f"metric   score   {'95 % interval':<18}signature   ({self.sentences} sentences)"]
        for name, metric in (("BLEU", self.bleu), ("chrF2", self.chrf), ("TER", self.ter)):
            bounds = "{:.2f} to {:.2f}".format(*metric.interval) if metric.interval else "-"
            lines.append(f"{name:<6}{metric.score:>8.2f}   {bounds:<18}{metric.signature}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Bootstrap:
    """A system's score and those of ``resampled`` [resamples] test sets: enough to hold it against another system."""

    summary: Score
    resampled: "numpy.ndarray"

    def p_value(self, baseline: "Bootstrap") -> float:
        """How probable so large a difference is, in either direction, if chance alone made it.

        The paired bootstrap (Koehn 2004) as sacreBLEU counts: the share of the resamples in which the difference of
        the two systems, its mean taken off, exceeds the real one; both sides of the fraction plus one. Both systems
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
        totals = self.table.sum(axis=0) if times is None else times @ self.table
        return float(self.metric._compute_score_from_stats(totals.tolist()).score)

    def sentence_scores(self) -> list[float]:
        """The score in percent of each sentence by itself. Says little of BLEU, which counts no four words in short ones."""
        return [float(self.metric._compute_score_from_stats(row).score) for row in self.table.tolist()]

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


def tokenizer_for(language: str) -> str:
    """sacreBLEU's tokeniser for a target language such as ``de``, ``ja``, ``zh-CN`` or ``zho_Hans``."""
    return _TOKENIZERS.get(language.replace("_", "-").split("-")[0].lower(), BLEU.TOKENIZER_DEFAULT)


def is_unspaced(language: str) -> bool:
    """Whether words of the language stand together, so that spaces do not count them; known of Chinese and Japanese."""
    return tokenizer_for(language) in _UNSPACED


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
    intervals: bool = True,
    seed: int = SEED,
) -> Scores:
    """Score detokenised translations against one reference each, line by line.

    ``tokenize`` is a sacreBLEU tokeniser, or None for that of ``target_language``; ``none`` is for text that
    is tokenised already. ``lowercase`` ignores case in BLEU and chrF; TER always does, as is sacreBLEU's
    default. TER of Chinese and Japanese counts ideographs. All of it shows in the signatures. An interval
    runs between the percentiles 2.5 and 97.5 of 1,000 resamples of the sentences, drawn as sacreBLEU draws
    them.

    1,000 sentences of a dozen words take about a second on a CPU core, intervals included. Beware of TER on
    long lines: a pair of 200 words each takes seconds.

    Raises ``UserError`` for unequal counts, no sentences, or a tokeniser that is unknown or not installed.
    """
    tokenize = tokenize or tokenizer_for(target_language)
    unspaced = tokenize != "none" and not {tokenize, tokenizer_for(target_language)}.isdisjoint(_UNSPACED)
    resamples = RESAMPLES if intervals else 0
    return Scores(
        bleu=_score(_bleu(tokenize, lowercase), hypotheses, references, resamples, seed),
        chrf=_score(CHRF(lowercase=lowercase), hypotheses, references, resamples, seed),
        ter=_score(TER(normalized=unspaced, asian_support=unspaced), hypotheses, references, resamples, seed),
        sentences=len(hypotheses),
    )


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
) -> Score:
    """BLEU alone, without an interval: what every validation asks for. Arguments and errors: ``score``."""
    return _score(_bleu(tokenize or tokenizer_for(target_language), lowercase), hypotheses, references, 0, SEED)


def count(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
) -> tuple[Counts, Counts]:
    """What BLEU and what chrF count, for those who compare systems. Arguments and errors: ``score``."""
    metrics = (_bleu(tokenize or tokenizer_for(target_language), lowercase), CHRF(lowercase=lowercase))
    counted = [_count(metric, hypotheses, references) for metric in metrics]
    return counted[0], counted[1]


def _bleu(tokenize: str, lowercase: bool) -> BLEU:
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(f"`tokenize` must be one of {', '.join(BLEU.TOKENIZERS)}, but is `{tokenize}` instead")
    try:
        # `force` only silences the warning that the text looks tokenised, which is what `none` says.
        return BLEU(tokenize=tokenize, lowercase=lowercase, force=tokenize == "none")
    except (RuntimeError, ImportError) as error:
        extra = _EXTRAS.get(tokenize, tokenize)
        raise UserError(f"`tokenize={tokenize}` needs a package: install `nmt[{extra}]`, or set `tokenize=char`") from error
    except OSError as error:  # flores200 and its kin are downloaded at the first use
        raise UserError(f"`tokenize={tokenize}` could not fetch its model: {error}") from error


def _score(metric: Metric, hypotheses: Sequence[str], references: Sequence[str], resamples: int, seed: int) -> Score:
    counts = _count(metric, hypotheses, references)
    if not resamples:
        return Score(counts.score(), str(metric.get_signature()))
    return counts.bootstrap(resamples, seed).summary


def _count(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
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
