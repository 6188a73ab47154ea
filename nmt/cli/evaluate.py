"""``nmt evaluate``: score a model, or a file of translations, on a test set."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from nmt.cli.comet import comet_files
from nmt.cli.compose import compose, to_settings
from nmt.cli.overrides import settings_of
from nmt.cli.references import HELP, add_arguments, read_beside
from nmt.config.scoring import ScoringConfig
from nmt.data.parallel import read_lines
from nmt.errors import UsageError
from nmt.evaluation.measure import SystemOutput, evaluate
from nmt.evaluation.report import Report

_DESCRIPTION = """\
Translate a test set, or read its translations from a file, and score them by sacreBLEU: BLEU, chrF and TER, each with
its signature and a 95 % interval; BLEU by length, F1 of words by frequency; and p-values against a baseline. A table
goes to stderr and one JSON object to stdout.
"""
_EPILOG = """
with --hypotheses there is no MODEL; --reference is needed, --source is not, and the settings are tokenize and lowercase.

the folder of --output is what COMET reads; it is there when all is done, or not at all:
  comet-score -s DIR/source.txt -t DIR/hypotheses.txt -r DIR/reference.txt
"""


def run(arguments: Sequence[str]) -> int:
    """Score a model or a file on a test set; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    if chosen.hypotheses is not None:
        report, about = _evaluate_file(chosen)
    elif chosen.arguments:
        from nmt.cli.evaluate_model import evaluate_model  # scoring a file does not wait for PyTorch

        report, about = evaluate_model(chosen)
    else:
        raise UsageError("what to evaluate must be given, by MODEL or by --hypotheses FILE, but is not")
    print(report.table(), file=sys.stderr)
    print(json.dumps({**report.to_json(), **about}, ensure_ascii=False))
    return 0


def _evaluate_file(chosen: argparse.Namespace) -> tuple[Report, Mapping[str, object]]:
    """The report on a file of translations, and what else there is to say about it."""
    settings = _scoring(chosen.arguments)
    if chosen.reference is None:
        raise UsageError("--hypotheses must be given together with --reference FILE, which is not there")
    if chosen.output is not None and chosen.source is None:
        raise UsageError("--output must be given together with --source FILE, which COMET reads too, but which is not there")
    if chosen.baseline is not None and Path(chosen.baseline).is_dir():
        raise UsageError(f"with --hypotheses the baseline must be a file of translations, but `{chosen.baseline}` is a folder")
    references = list(read_lines(chosen.reference))
    hypotheses = read_beside(chosen.hypotheses, len(references))
    sources = None if chosen.source is None else read_beside(chosen.source, len(references))
    baseline = None if chosen.baseline is None else read_beside(chosen.baseline, len(references))
    with comet_files(chosen.output) as written:
        written.write(sources or [], hypotheses, references)
        report = evaluate(
            SystemOutput(chosen.hypotheses, hypotheses),
            references,
            baseline=None if baseline is None else SystemOutput(chosen.baseline, baseline),
            sources=sources,
            tokenize=settings.tokenize,
            lowercase=settings.lowercase,
        )
    return report, {"hypotheses": chosen.hypotheses}


def _scoring(arguments: Sequence[str]) -> ScoringConfig:
    known = settings_of(ScoringConfig)
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if not equals:
            raise UsageError(f"either MODEL or --hypotheses must be given, but both are there (`{argument}`)")
        if name not in known:
            raise UsageError(f"with --hypotheses the settings must be of {', '.join(known)}, but `{argument}` is there")
    return to_settings(compose("scoring", ScoringConfig, arguments), ScoringConfig)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt evaluate",
        usage="nmt evaluate MODEL [MODEL ...] --source FILE --reference FILE [--baseline FILE|MODEL] [--output DIR]\n"
        "                    [SETTING=VALUE ...]\n"
        "       nmt evaluate MODEL [MODEL ...] data=NAME split=NAME [--baseline FILE|MODEL] [--output DIR] [SETTING=VALUE ...]\n"
        "       nmt evaluate --hypotheses FILE --reference FILE [--source FILE] [--baseline FILE] [--output DIR]\n"
        "                    [SETTING=VALUE ...]",
        description=_DESCRIPTION,
        epilog=HELP + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", metavar="MODEL", nargs="*", help="a model directory, such as runs/toy/model, or several")
    parser.add_argument("--hypotheses", metavar="FILE", help="translations to score instead of a model's, a sentence a line")
    add_arguments(parser)
    parser.add_argument(
        "--baseline",
        metavar="FILE|MODEL",
        help="translations to test against, or a model directory: paired bootstrap and approximate randomisation",
    )
    parser.add_argument("--output", metavar="DIR", help="a folder for source, translations and references, as COMET reads them")
    return parser
