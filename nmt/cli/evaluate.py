"""``nmt evaluate``: translate a test set and score the translations."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from nmt.cli.compose import strategy_name, to_settings
from nmt.cli.lines import output
from nmt.cli.load import compose_for, translator_of
from nmt.config.evaluate import EvaluateConfig
from nmt.data.corpus import load_pairs
from nmt.data.parallel import read_parallel
from nmt.errors import UsageError
from nmt.evaluation import score
from nmt.model_directory import LoadedModel, load_model_directory

_DESCRIPTION = """\
Translate a test set and score the translations by sacreBLEU: BLEU, chrF and TER, each with its signature and a 95 %
interval. A table goes to stderr and one JSON object to stdout.
"""
_EPILOG = """\
the test set is one of
  --source FILE --reference FILE
  data=toy|parallel|multi30k_en_de|…  data.path=DIR  split=test|validation|train

settings:
  tokenize=13a   sacreBLEU's tokeniser; without it, that of the target language
  lowercase=true   ignore case in BLEU and chrF
  search, batch_size, device, num_threads: see nmt translate --help
"""


def run(arguments: Sequence[str]) -> int:
    """Score a model on a test set; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    files = _files(chosen)
    model = load_model_directory(chosen.model)
    settings = _settings(model, chosen.settings, files)
    translator = translator_of(model, settings)
    sources, references = _test_set(settings, files)
    scoring = partial(score, tokenize=settings.tokenize, target_language=model.languages[1], lowercase=settings.lowercase)
    scoring(references[:1], references[:1], intervals=False)  # a tokeniser that is missing shows now, not after the work

    print(f"translating {len(sources)} sentences on {translator.device}", file=sys.stderr)
    start = time.monotonic()
    with output(chosen.output) as file:
        hypotheses = [str(translation) for translation in translator.translate(sources, batch_size=settings.batch_size)]
        if chosen.output is not None:
            file.write("".join(f"{hypothesis}\n" for hypothesis in hypotheses).encode())
    print(f"translated in {time.monotonic() - start:.1f} seconds", file=sys.stderr)
    scores = scoring(hypotheses, references)
    print(scores.table(), file=sys.stderr)
    search = {"strategy": strategy_name(settings.search), **asdict(settings.search)}
    print(json.dumps({**scores.to_json(), "model": chosen.model, "search": search}, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt evaluate", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="a model directory, such as runs/toy/model")
    parser.add_argument("--source", metavar="FILE", help="the test set in the source language, a sentence a line (.gz too)")
    parser.add_argument("--reference", metavar="FILE", help="its translation, line by line")
    parser.add_argument("--output", metavar="FILE", help="keep the model's translations there")
    parser.add_argument("settings", metavar="SETTING=VALUE", nargs="*", default=[], help="see below")
    return parser


def _files(chosen: argparse.Namespace) -> tuple[Path, Path] | None:
    """The two files that are the test set, or None if it is `data`."""
    given = [setting for setting in chosen.settings if setting.startswith(("data=", "data.", "split="))]
    if chosen.source and chosen.reference:
        if given:
            raise UsageError(f"the test set must be either --source and --reference or `data`, but is both ({given[0]})")
        return Path(chosen.source), Path(chosen.reference)
    if chosen.source or chosen.reference:
        raise UsageError("--source and --reference must be given together, but only one is there")
    if not given:
        raise UsageError("the test set must be given, by --source FILE and --reference FILE or by `data=…`, but is not")
    return None


def _settings(model: LoadedModel, overrides: Sequence[str], files: tuple[Path, Path] | None) -> EvaluateConfig:
    config = compose_for(model, "evaluate", EvaluateConfig, overrides)
    if files is not None:
        config.data = None
    return to_settings(config, EvaluateConfig)


def _test_set(settings: EvaluateConfig, files: tuple[Path, Path] | None) -> tuple[list[str], list[str]]:
    """Sources and references, line by line; blank ones stay."""
    if files is not None:
        pairs = list(read_parallel(*files))
        return [source for source, _ in pairs], [reference for _, reference in pairs]
    data = settings.data
    assert data is not None
    names = {"train": data.train, "validation": data.validation, "test": data.test}
    found = load_pairs(data, names.get(settings.split, settings.split), keep_blank=True)
    return found.sources(), found.targets()
