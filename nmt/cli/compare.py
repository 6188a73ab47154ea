"""``nmt compare``: several runs on one test set, with paired tests against the first."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.compose import search_values
from nmt.cli.lines import output
from nmt.cli.load import told_apart, translator_of
from nmt.cli.references import HELP, add_arguments, chosen_files
from nmt.cli.test_set import read_test_set, settings_for
from nmt.comparison.measure import compare
from nmt.comparison.page import comparison_page
from nmt.comparison.results import Conditions, ParallelText, System
from nmt.comparison.runs import Run, find_runs
from nmt.config.evaluate import EvaluateConfig
from nmt.errors import UserError
from nmt.model_directory import LoadedModel, load_model_directory
from nmt.translator import Translator

_DESCRIPTION = """\
Translate a test set with each of several runs and compare them: size, training, BLEU and chrF with 95 % intervals and
paired bootstrap p-values against the first run, speed, BLEU by the length of the source, and the sentences that differ
most. A table goes to stderr, one JSON object to stdout, and a page with plots to --output.
"""


def run(arguments: Sequence[str]) -> int:
    """Compare runs on a test set; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    paths, overrides = told_apart(chosen.arguments, "run")
    files = chosen_files(chosen.source, chosen.reference, overrides)
    runs = find_runs(paths)
    models = [load_model_directory(one.model) for one in runs]
    languages = _languages(runs, models)
    settings = [settings_for(model, overrides, files) for model in models]
    translators = [translator_of(*pair) for pair in zip(models, settings, strict=True)]
    common = settings[0]
    sources, references = read_test_set(common, files, languages)

    with output(chosen.output) as file:
        systems = [_translated(*parts, sources) for parts in zip(runs, translators, settings, strict=True)]
        comparison = compare(
            systems,
            ParallelText(_name(files, overrides), languages, sources, references),
            Conditions(str(translators[0].device), common.num_threads, common.batch_size),
            tokenize=common.tokenize,
            lowercase=common.lowercase,
        )
        if chosen.output is not None:
            file.write(comparison_page(comparison).encode())
    print(comparison.table(), file=sys.stderr)
    print(json.dumps(comparison.to_json(), ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt compare",
        usage="nmt compare RUN [RUN ...] --source FILE --reference FILE [--output FILE] [SETTING=VALUE ...]\n"
        "       nmt compare RUN [RUN ...] data=NAME split=NAME [--output FILE] [SETTING=VALUE ...]",
        description=_DESCRIPTION,
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "arguments",
        metavar="RUN",
        nargs="+",
        help="a run directory, such as runs/toy, or a model directory; each translates with its own search settings unless"
        " SETTING=VALUE (see below) says otherwise",
    )
    add_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="a self-contained HTML page, with plots")
    return parser


def _languages(runs: Sequence[Run], models: Sequence[LoadedModel]) -> tuple[str, str]:
    """(source, target), of all models alike."""
    first = models[0].languages
    for one, model in zip(runs, models, strict=True):
        if model.languages != first:
            raise UserError(
                f"all runs must translate {' to '.join(first)}, as `{runs[0].name}` does,"
                f" but `{one.name}` translates {' to '.join(model.languages)} instead"
            )
    return first


def _translated(run: Run, translator: Translator, settings: EvaluateConfig, sources: list[str]) -> System:
    """The test set as ``run`` translates it, timed."""
    print(f"{run.name} translates {len(sources)} sentences on {translator.device}", file=sys.stderr)
    translator.translate(sources[: settings.batch_size], batch_size=settings.batch_size)  # to warm up
    start = time.perf_counter()
    translations = [str(translation) for translation in translator.translate(sources, batch_size=settings.batch_size)]
    seconds = time.perf_counter() - start
    return System(run, translator.model.network.parameter_count, search_values(settings.search), translations, seconds)


def _name(files: tuple[Path, Path] | None, overrides: Sequence[str]) -> str:
    """The test set as the user named it."""
    if files is not None:
        return " and ".join(map(str, files))
    return " ".join(override for override in overrides if override.startswith(("data=", "data.", "split=")))
