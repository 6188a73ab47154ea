"""``nmt evaluate``: translate a test set and score the translations."""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from nmt.cli.comet import comet_files
from nmt.cli.compose import search_values
from nmt.cli.load import translator_of
from nmt.cli.references import HELP, add_arguments, chosen_files, read_test_set, settings_for
from nmt.evaluation import score
from nmt.model_directory import load_model_directory

_DESCRIPTION = """\
Translate a test set and score the translations by sacreBLEU: BLEU, chrF and TER, each with its signature and a 95 %
interval. A table goes to stderr and one JSON object to stdout.
"""


def run(arguments: Sequence[str]) -> int:
    """Score a model on a test set; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    files = chosen_files(chosen.source, chosen.reference, chosen.settings)
    model = load_model_directory(chosen.model)
    settings = settings_for(model, chosen.settings, files)
    translator = translator_of(model, settings)
    sources, references = read_test_set(settings, files, model.languages[1])

    start = time.monotonic()
    with comet_files(chosen.output) as written:
        print(f"translating {len(sources)} sentences on {translator.device}", file=sys.stderr)
        hypotheses = [str(translation) for translation in translator.translate(sources, batch_size=settings.batch_size)]
        written.write(sources, hypotheses, references)
    print(f"translated in {time.monotonic() - start:.1f} seconds", file=sys.stderr)
    scores = score(
        hypotheses,
        references,
        tokenize=settings.tokenize,
        target_language=model.languages[1],
        lowercase=settings.lowercase,
    )
    print(scores.table(), file=sys.stderr)
    record = {**scores.to_json(), "model": chosen.model, "search": search_values(settings.search)}
    print(json.dumps(record, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt evaluate", description=_DESCRIPTION, epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="a model directory, such as runs/toy/model")
    add_arguments(parser)
    parser.add_argument("--output", metavar="DIR", help="a folder for source, translations and references, as COMET reads them")
    parser.add_argument("settings", metavar="SETTING=VALUE", nargs="*", default=[], help="see below")
    return parser
