"""A system in detail, alone or beside a baseline, as JSON and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nmt.evaluation.counts import RESAMPLES, SEED, TRIALS, Score
from nmt.evaluation.lengths import LengthBin
from nmt.evaluation.scores import NAMES, Scores
from nmt.evaluation.tables import aligned, bounds
from nmt.evaluation.words import FrequencyClass


@dataclass(frozen=True)
class PValues:
    """How probable so large a difference is if chance alone made it, by the paired bootstrap and by approximate randomisation."""

    bootstrap: float
    randomisation: float


@dataclass(frozen=True)
class Baseline:
    """Another system on the same test set; ``p_values`` are those of BLEU, chrF and TER, by their names in JSON."""

    name: str
    scores: Scores
    p_values: Mapping[str, PValues]


@dataclass(frozen=True)
class ByLength:
    """BLEU of the sentences in each bin, [systems][bins]: the system's, and the baseline's if there is one.

    ``side`` is the text that was measured, source or reference; ``unit`` what its length counts, words or characters.
    """

    side: str
    unit: str
    bins: Sequence[LengthBin]
    bleu: Sequence[Sequence[float]]

    def to_json(self) -> dict[str, object]:
        columns = zip(self.bins, *self.bleu, strict=True)
        return {
            "unit": self.unit,
            "bins": [
                {"length": [one.low, one.high], "sentences": one.sentences, **_figures("bleu", scores)}
                for one, *scores in columns
            ],
        }


@dataclass(frozen=True)
class ByFrequency:
    """Classes of words, [systems][classes], the same of each system: those that some word of the references is in.

    ``counted_in`` is where a word's frequency comes from: the training text or the references.
    """

    counted_in: str
    classes: Sequence[Sequence[FrequencyClass]]

    def to_json(self) -> dict[str, object]:
        return {
            "counted_in": self.counted_in,
            "classes": [
                {
                    "frequency": [ours.low, ours.high],
                    "words": ours.in_references,
                    **_figures("f1", [ours.f1, *(one.f1 for one in others)]),
                }
                for ours, *others in zip(*self.classes, strict=True)
            ],
        }


@dataclass(frozen=True)
class Report:
    """What is to be said of the system ``name``."""

    name: str
    scores: Scores
    baseline: Baseline | None
    by_length: Sequence[ByLength]
    by_frequency: ByFrequency

    def to_json(self) -> dict[str, object]:
        """The JSON of the scores, and ``"baseline"`` (null if there is none), ``"bleu_by_length"``, ``"word_f1"``."""
        return {
            **self.scores.to_json(),
            "baseline": self._baseline_json(),
            "bleu_by_length": {one.side: one.to_json() for one in self.by_length},
            "word_f1": self.by_frequency.to_json(),
        }

    def table(self) -> str:
        """The same for people: aligned, without a final newline."""
        parts = [self.scores.table()]
        parts += [self._against(self.baseline)] if self.baseline else []
        parts += [aligned(*self._by_length(one)) for one in self.by_length]
        parts += [aligned(*self._by_frequency())]
        return "\n\n".join(parts)

    def _names(self) -> list[str]:
        return [self.name, *([self.baseline.name] if self.baseline else [])]

    def _baseline_json(self) -> dict[str, object] | None:
        if self.baseline is None:
            return None
        found: dict[str, object] = {"name": self.baseline.name}
        for (key, ours), (_, theirs) in zip(self.scores.by_key(), self.baseline.scores.by_key(), strict=True):
            p_values = {test: round(p, 6) for test, p in asdict(self.baseline.p_values[key]).items()}
            found[key] = {**theirs.to_json(), "difference": round(ours.score - theirs.score, 4), "p_values": p_values}
        return {**found, "resamples": RESAMPLES, "trials": TRIALS, "seed": SEED}

    def _against(self, baseline: Baseline) -> str:
        header = [f"against {baseline.name}", "score", "95 % interval", "difference", "p, bootstrap", "p, randomisation"]
        pairs = zip(self.scores.by_key(), baseline.scores.by_key(), strict=True)
        rows = [_row(NAMES[key], ours, theirs, baseline.p_values[key]) for (key, ours), (_, theirs) in pairs]
        note = (
            f"p: how probable so large a difference is by chance; paired bootstrap of {RESAMPLES:,} resamples,"
            f" approximate randomisation of {TRIALS:,} trials"
        )
        return f"{aligned(header, rows)}\n{note}"

    def _by_length(self, one: ByLength) -> tuple[list[str], list[list[str]]]:
        header = [f"BLEU by {one.unit} of the {one.side} (sentences)", *(f"{it.label} ({it.sentences:,})" for it in one.bins)]
        return header, _named_rows(self._names(), one.bleu)

    def _by_frequency(self) -> tuple[list[str], list[list[str]]]:
        classes = self.by_frequency.classes
        header = [
            f"F1 of words by frequency in the {self.by_frequency.counted_in} (words)",
            *(f"{one.label} ({one.in_references:,})" for one in classes[0]),
        ]
        return header, _named_rows(self._names(), [[one.f1 for one in system] for system in classes])


def _row(name: str, ours: Score, theirs: Score, p_values: PValues) -> list[str]:
    difference = f"{ours.score - theirs.score:+.2f}"
    return [name, f"{theirs.score:.2f}", bounds(theirs), difference, f"{p_values.bootstrap:.4f}", f"{p_values.randomisation:.4f}"]


def _named_rows(names: Sequence[str], figures: Sequence[Sequence[float]]) -> list[list[str]]:
    return [[name, *(f"{figure:.2f}" for figure in row)] for name, row in zip(names, figures, strict=True)]


def _figures(name: str, systems: Sequence[float]) -> dict[str, float | None]:
    """A figure of the system and of the baseline, null if there is none."""
    ours, theirs = round(systems[0], 4), round(systems[1], 4) if len(systems) > 1 else None
    return {name: ours, f"baseline_{name}": theirs}
