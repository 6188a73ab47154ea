"""Score models on a test set in several conventions, with the mean and the deviation of seeds, as the results table has them.

    python scripts/score_conventions.py MODEL [MODEL …] --source test.en --reference test.de [--convention NAME …] [--together]
        [--baseline MODEL …]

Conventions, all of them sacreBLEU's BLEU, chrF2 and TER; the first three unless others are named:

    cased        13a, on text as it is: the project's own
    lowercased   13a, without case
    published    none, on text that Moses has normalised, tokenised and lowercased, both sides: that of most papers on multi30k
                 (sacremoses makes of its raw text what its authors publish, but for one line in a thousand)
    tokenised    none, as it is: for models of text that Moses, say, has treated already
    char, ja-mecab   by characters and by words of Japanese, as it is

Each MODEL searches by its own search.json. With --together there is a row for all as one, by the mean of their probabilities and
the search of the first. With --baseline the seeds of one recipe are held against those of another: by how much they differ,
and the p-value of a paired bootstrap that draws seeds as well as sentences. A table goes to stderr, and a JSON object a
row to stdout, the last one of the difference. Needs sacremoses for `published`, and nmt[ja] for `ja-mecab`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from nmt.cli import report
from nmt.data.parallel import read_parallel
from nmt.errors import UserError
from nmt.evaluation import Counts, Scores, count_all, of_seeds, score
from nmt.evaluation.scores import NAMES
from nmt.model_directory import load_ensemble
from nmt.translator import Translator

CONVENTIONS: Mapping[str, Mapping[str, Any]] = {
    "cased": {"tokenize": "13a"},
    "lowercased": {"tokenize": "13a", "lowercase": True},
    "published": {"tokenize": "none"},
    "tokenised": {"tokenize": "none"},
    "char": {"tokenize": "char"},
    "ja-mecab": {"tokenize": "ja-mecab"},
}


@dataclass(frozen=True)
class Row:
    """Of a model, or of several as one: what was counted and how it scores, by convention; the seconds that translating took."""

    name: str
    seconds: float
    counted: Mapping[str, Sequence[Counts]]
    scores: Mapping[str, Scores]

    def to_json(self) -> dict[str, object]:
        scores = {convention: scores.to_json() for convention, scores in self.scores.items()}
        return {"model": self.name, "seconds": round(self.seconds, 1), **scores}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODEL", nargs="+", help="a model directory")
    parser.add_argument("--source", metavar="FILE", required=True, help="what to translate, a sentence a line")
    parser.add_argument("--reference", metavar="FILE", required=True, help="its translation, line by line")
    parser.add_argument("--convention", action="append", choices=CONVENTIONS, help="a way to score; may come several times")
    parser.add_argument("--together", action="store_true", help="a row for all models as one")
    parser.add_argument("--baseline", metavar="MODEL", nargs="+", default=[], help="seeds of another recipe")
    chosen = parser.parse_args()
    conventions = chosen.convention or list(CONVENTIONS)[:3]
    try:
        pairs = list(read_parallel(Path(chosen.source), Path(chosen.reference)))
        sources, references = [source for source, _ in pairs], [reference for _, reference in pairs]
        for name in conventions:  # what is missing must not show after an hour of translating
            score(references[:1], references[:1], **CONVENTIONS[name])
        rows = []
        together = [chosen.models] if chosen.together and len(chosen.models) > 1 else []
        baselines = [[model] for model in chosen.baseline]
        for models in [*([model] for model in chosen.models), *together, *baselines]:
            rows.append(measure(models, sources, references, conventions))
            print(json.dumps(rows[-1].to_json(), ensure_ascii=False), flush=True)
    except UserError as error:
        sys.exit(report(error))
    singles, of_baseline = rows[: len(chosen.models)], rows[len(rows) - len(baselines) :]
    print(*table(rows[: len(rows) - len(baselines)], conventions, singles=len(singles)), sep="\n", file=sys.stderr)
    if of_baseline:
        print(*table(of_baseline, conventions, singles=len(of_baseline)), sep="\n", file=sys.stderr)
        difference = against(singles, of_baseline)
        print(json.dumps({"models": chosen.models, "baseline": chosen.baseline, **difference}, ensure_ascii=False))
        print(*in_words(difference), sep="\n", file=sys.stderr)


def measure(models: Sequence[str], sources: list[str], references: list[str], conventions: Sequence[str]) -> Row:
    """Translate with the ``models`` as one, and score."""
    loaded = load_ensemble(models)
    language = loaded[0].languages[1]
    treatments = {name: as_published(language) if name == "published" else str for name in conventions}
    translator = Translator.of(loaded, backend="torch")
    start = time.monotonic()
    translations = [str(translation) for translation in translator.translate(sources)]
    seconds = time.monotonic() - start
    counted, scores = {}, {}
    for name, treat in treatments.items():
        treated = [[treat(line) for line in side] for side in (translations, references)]
        counted[name] = count_all(*treated, **CONVENTIONS[name], target_language=language)
        bleu, chrf, ter = (counts.bootstrap().summary for counts in counted[name])
        scores[name] = Scores(bleu, chrf, ter, len(references))
    return Row(" + ".join(models), seconds, counted, scores)


def against(rows: Sequence[Row], baseline: Sequence[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """By convention and metric: by how much the seeds of one recipe and those of another differ, and the p-value."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in rows[0].counted:
        found[name] = {}
        for metric, key in enumerate(NAMES):
            ours, theirs = ([row.counted[name][metric] for row in side] for side in (rows, baseline))
            difference, p_value = of_seeds(ours, theirs)
            found[name][key] = {"difference": round(difference, 4), "p_value": round(p_value, 6)}
    return found


def in_words(difference: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    """A line a convention."""
    for name, metrics in difference.items():
        parts = (f"{NAMES[key]} {one['difference']:+.2f} (p {one['p_value']:.3f})" for key, one in metrics.items())
        yield f"{name}, against the baseline: {', '.join(parts)}"


def as_published(language: str) -> Callable[[str], str]:
    """What Moses makes of a line of the language: punctuation normalised, tokenised, with its escapes, and in lower case."""
    try:
        from sacremoses import MosesPunctNormalizer, MosesTokenizer
    except ImportError as error:
        raise UserError("`--convention published` needs the package sacremoses: `pip install sacremoses`") from error
    normalise, tokenise = MosesPunctNormalizer(language).normalize, MosesTokenizer(language).tokenize
    return lambda line: tokenise(normalise(line), return_str=True).lower()


def table(rows: Sequence[Row], conventions: Sequence[str], singles: int) -> Iterator[str]:
    """Lines for people: BLEU by convention, chrF2 and TER by the first; after the ``singles`` their mean."""
    yield "  ".join([*(f"{name:>12}" for name in (*conventions, "chrF2", "TER")), "model"])
    figures = []
    for row in rows:
        first = row.scores[conventions[0]]
        figures.append([*(row.scores[name].bleu.score for name in conventions), first.chrf.score, first.ter.score])
        yield "  ".join([*(f"{figure:12.2f}" for figure in figures[-1]), row.name])
        if len(figures) == singles > 1:
            columns = zip(*figures, strict=True)
            yield "  ".join([*(f"{mean(column):6.2f} ±{stdev(column):4.2f}" for column in columns), f"mean of {singles}"])
    for name in conventions:
        yield f"{name}: {rows[0].scores[name].bleu.signature}"


if __name__ == "__main__":
    main()
