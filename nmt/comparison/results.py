"""What comes out of a comparison, as JSON and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nmt.comparison.differences import Differences
from nmt.comparison.runs import Run
from nmt.evaluation import RESAMPLES, Score
from nmt.evaluation.lengths import LengthBin
from nmt.evaluation.tables import NOTHING, aligned, bounds
from nmt.training.reporting import duration

_IN_TABLE = 2  # of the largest gains, and of the largest losses


@dataclass(frozen=True)
class ParallelText:
    """The test set that all runs translate: ``name`` for the record, languages (source, target), and the sentences."""

    name: str
    languages: tuple[str, str]
    sources: Sequence[str]
    references: Sequence[str]


@dataclass(frozen=True)
class System:
    """A run and what it made of the test set, in how many ``seconds``, by which ``search``."""

    run: Run
    parameters: int
    search: Mapping[str, object]
    translations: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Conditions:
    """How the time of translating was taken; ``num_threads`` None: as many as what computes took by itself."""

    device: str
    num_threads: int | None
    batch_size: int


@dataclass(frozen=True)
class Result:
    """What came out for one run. ``p_values`` (BLEU's, chrF's) are those against the first run, which has none."""

    system: System
    bleu: Score
    chrf: Score
    p_values: tuple[float, float] | None
    sentences_per_second: float
    bleu_by_length: Sequence[float]

    def to_json(self) -> dict[str, object]:
        bleu, chrf = (round(p, 4) for p in self.p_values) if self.p_values else (None, None)
        return {
            "name": self.system.run.name,
            "model": str(self.system.run.model),
            "parameters": self.system.parameters,
            "training": self.system.run.training.to_json(),
            "bleu": {**self.bleu.to_json(), "p_value": bleu},
            "chrf": {**self.chrf.to_json(), "p_value": chrf},
            "sentences_per_second": round(self.sentences_per_second, 2),
            "search": dict(self.system.search),
        }


@dataclass(frozen=True)
class Comparison:
    """All results, that of the first run first; ``length_unit`` is what the bins count: words or characters."""

    test_set: ParallelText
    conditions: Conditions
    results: Sequence[Result]
    bins: Sequence[LengthBin]
    length_unit: str
    differences: Sequence[Differences]

    def to_json(self) -> dict[str, object]:
        """Everything but the test set itself, of which only the sentences that differ most are there."""
        names = [result.system.run.name for result in self.results]
        by_length = zip(*(result.bleu_by_length for result in self.results), strict=True)
        return {
            "sentences": len(self.test_set.sources),
            "test_set": self.test_set.name,
            "languages": list(self.test_set.languages),
            "runs": [result.to_json() for result in self.results],
            "length_unit": self.length_unit,
            "bleu_by_length": [
                {
                    "length": [one.low, one.high],
                    "sentences": one.sentences,
                    "bleu": {name: round(score, 4) for name, score in zip(names, scores, strict=True)},
                }
                for one, scores in zip(self.bins, by_length, strict=True)
            ],
            "differences": [differences.to_json() for differences in self.differences],
            "measured": asdict(self.conditions),
        }

    def summary(self) -> tuple[list[str], list[list[str]]]:
        """Names of columns, and a row a run."""
        header = ["run", "parameters", "steps", "best", "tokens/s", "time"]
        header += ["BLEU", "95 % interval", "p", "chrF2", "95 % interval", "p", "sentences/s"]
        return header, [_row(result) for result in self.results]

    def by_length(self) -> tuple[list[str], list[list[str]]]:
        """Names of columns, and a row a run: BLEU by the length of the source."""
        header = [f"BLEU by {self.length_unit}", *(f"{one.label} ({one.sentences:,})" for one in self.bins)]
        return header, [[one.system.run.name, *(f"{score:.2f}" for score in one.bleu_by_length)] for one in self.results]

    def notes(self) -> list[str]:
        """How everything was measured, a sentence or two each."""
        first, conditions = self.results[0], self.conditions
        count = conditions.num_threads
        threads = "threads as they came" if count is None else f"{count} thread{'s' * (count != 1)}"
        return [
            f"BLEU {first.bleu.signature}",
            f"chrF2 {first.chrf.signature}",
            f"p: paired bootstrap against {first.system.run.name}, {RESAMPLES:,} resamples; how probable so large a"
            " difference is by chance.",
            "tokens/s: target tokens in training, the median of what the run reported. time: that of training, validations"
            " included. steps, best: the last step, and that of the best validation.",
            f"sentences/s: the whole test set, {len(self.test_set.sources):,} sentences, once, after a batch to warm up;"
            f" {conditions.device}, {threads}, batch_size {conditions.batch_size}. Means little if the machine had other work.",
            *(f"search of {one.system.run.name}: {_told(one.system.search)}" for one in self.results),
        ]

    def table(self) -> str:
        """The same for people: aligned, without a final newline."""
        parts = [aligned(*self.summary()), aligned(*self.by_length())]
        parts += [_examples(self.results[0].system.run.name, one, len(self.test_set.sources)) for one in self.differences]
        return "\n\n".join([*parts, "\n".join(self.notes())])


def _row(result: Result) -> list[str]:
    training, p_values = result.system.run.training, result.p_values
    return [
        result.system.run.name,
        f"{result.system.parameters:,}",
        NOTHING if training.steps is None else f"{training.steps:,}",
        NOTHING if training.best_step is None else f"{training.best_step:,}",
        NOTHING if training.tokens_per_second is None else f"{training.tokens_per_second:,.0f}",
        NOTHING if training.seconds is None else duration(training.seconds),
        *_scored(result.bleu, p_values[0] if p_values else None),
        *_scored(result.chrf, p_values[1] if p_values else None),
        f"{result.sentences_per_second:,.1f}",
    ]


def _scored(score: Score, p_value: float | None) -> list[str]:
    return [f"{score.score:.2f}", bounds(score), NOTHING if p_value is None else f"{p_value:.3f}"]


def _told(search: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in search.items())


def _examples(baseline: str, differences: Differences, sentences: int) -> str:
    differing = f"{differences.differing:,} of {sentences:,} translations differ"
    examples = (*differences.gains[:_IN_TABLE], *differences.losses[:_IN_TABLE])
    lines = [f"{differences.run} against {baseline}: {differing}{'; the most, by chrF2:' if examples else ''}"]
    for one in examples:
        lines.append(f"{one.gain:+.1f}   line {one.line:,}")
        lines += [f"  source: {one.source}", f"  reference: {one.reference}"]
        lines += [f"  {baseline}: {one.baseline}", f"  {differences.run}: {one.translation}"]
    return "\n".join(lines)
