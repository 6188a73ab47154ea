"""The half of ``nmt evaluate`` that translates: a model, and perhaps another one as its baseline."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmt.cli.comet import comet_files
from nmt.cli.compose import search_values
from nmt.cli.load import told_apart, translator_of
from nmt.cli.references import chosen_files, read_beside
from nmt.cli.test_set import read_test_set, settings_for
from nmt.config.evaluate import EvaluateConfig
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.errors import UserError
from nmt.evaluation.measure import SystemOutput, evaluate
from nmt.evaluation.report import Report
from nmt.model_directory import load_ensemble
from nmt.translator import Translator


@dataclass(frozen=True)
class _Model:
    """A model directory, or several together, by the names that the user gave them, ready to translate."""

    name: str
    languages: tuple[str, str]
    settings: EvaluateConfig
    translator: Translator

    def translate(self, sources: list[str]) -> SystemOutput:
        """Its translations, which are also announced and timed."""
        print(f"{self.name} translates {len(sources)} sentences on {self.translator.device}", file=sys.stderr)
        start = time.monotonic()
        translations = self.translator.translate(sources, batch_size=self.settings.batch_size)
        print(f"translated in {time.monotonic() - start:.1f} seconds", file=sys.stderr)
        return SystemOutput(self.name, [str(translation) for translation in translations])


@dataclass(frozen=True)
class _Baseline:
    """What gives the baseline's translations of the sources, and what there is to say about it."""

    translate: Callable[[list[str]], SystemOutput | None]
    about: Mapping[str, object]


def evaluate_model(chosen: argparse.Namespace) -> tuple[Report, Mapping[str, object]]:
    """The report on the model that was ``chosen``, and what else there is to say about it."""
    paths, overrides = told_apart(chosen.arguments, "model directory")
    files = chosen_files(chosen.source, chosen.reference, overrides)
    model = _load(paths, overrides, files)
    settings = model.settings
    sources, references = read_test_set(settings, files, model.languages)
    baseline = _baseline(chosen.baseline, model, len(sources), overrides, files)

    with comet_files(chosen.output) as written:
        system, other = model.translate(sources), baseline.translate(sources)
        written.write(sources, system.translations, references)
        report = evaluate(
            system,
            references,
            baseline=other,
            sources=sources,
            training=_training_text(settings.data),
            languages=model.languages,
            tokenize=settings.tokenize,
            lowercase=settings.lowercase,
        )
    about = {"model": model.name, "computed_on": str(model.translator.device), "search": search_values(settings.search)}
    return report, {**about, **baseline.about}


def _load(paths: Sequence[str], overrides: Sequence[str], files: tuple[Path, Path] | None) -> _Model:
    first, *others = load_ensemble(paths)
    settings = settings_for(first, overrides, files)
    return _Model(" + ".join(paths), first.languages, settings, translator_of(first, settings, *others))


def _baseline(
    path: str | None, model: _Model, sentences: int, overrides: Sequence[str], files: tuple[Path, Path] | None
) -> _Baseline:
    """A folder is a model, which translates with its own search; a file holds translations; None is no baseline."""
    if path is None:
        return _Baseline(lambda sources: None, {})
    if not Path(path).is_dir():
        output = SystemOutput(path, read_beside(path, sentences))
        return _Baseline(lambda sources: output, {})
    other = _load([path], overrides, files)
    if other.languages != model.languages:
        raise UserError(
            f"the baseline must translate {' to '.join(model.languages)}, as `{model.name}` does,"
            f" but `{path}` translates {' to '.join(other.languages)} instead"
        )
    return _Baseline(other.translate, {"baseline_search": search_values(other.settings.search)})


def _training_text(data: DataConfig | None) -> Iterable[str] | None:
    """The training split's side in the target language, if ``data`` has it."""
    if data is None:
        return None
    try:
        pairs = load_pairs(data, data.train)
    except UserError as error:
        print(f"words are counted in the references, for want of a training text: {error}", file=sys.stderr)
        return None
    print(f"counting words in {len(pairs):,} sentences of the training text", file=sys.stderr)
    return pairs.stream("target")
