"""``nmt translate``: one line in, one line out."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

from nmt.cli.compose import to_settings
from nmt.cli.lines import beside, output, windows
from nmt.cli.load import compose_for, told_apart, translator_of
from nmt.cli.progress import progress
from nmt.config.translate import TranslateConfig
from nmt.errors import UsageError
from nmt.model_directory import load_ensemble
from nmt.translator import Translation

_DESCRIPTION = """\
Translate text, one line in, one line out. Without --input it reads stdin; on a terminal it asks for lines
(:help lists what else it understands there). Several models translate as one, by the mean of their probabilities; they
must share their tokenizers.
Lines end at line feeds only; a blank line gives a blank line. A translation that runs to the length limit in a loop is
cut after the first round; how many were is told at the end.
Of a file 1,024 lines are in memory at a time, of a pipe those, and as many as 4,096 that were read ahead.
"""
_EPILOG = """\
settings:
  search=beam|greedy|sampling|mbr   how to search; without it, as the model's search.json says
  search.beam_size=5  search.length_penalty=1.0  search.n_best=1   change only that
  search.length_penalty_form=gnmt|plain  search.coverage_penalty=0.0   of search=beam
  search.temperature=1.0  search.top_k=0  search.top_p=1.0  search.seed=0   of search=sampling
  search.candidates=32  search.candidates_by=sampling|beam   of search=mbr, minimum Bayes risk: of so many translations
                             the one that is most like all; also temperature, top_k, top_p and seed of the samples
  search.max_length_ratio=2.0  search.max_length_offset=10   at most ratio * source pieces + offset
  search.min_length_ratio=0.0  search.min_length_offset=0    at least so many
  search.no_repeat_ngram=0   no so many pieces in a row come twice (0: they may)
  'search.forbidden_pieces=[▁very,<unk>]'   pieces of the vocabulary that never come; "," in quotes: [","]
  batch_size=64   sentences at a time
  device=auto|cpu|cuda  num_threads=1
  backend=auto|torch|onnx  quantised=true  shortlist=true   of an exported model (see nmt export --help)

The file of --output appears when all lines are done; until then, and if it comes to nothing, they are in FILE.part.
"""


def run(arguments: Sequence[str]) -> int:
    """Translate stdin, a file, or what is typed on a terminal; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    on_terminal = chosen.input is None and os.isatty(0)
    if on_terminal and chosen.prefixes is not None:
        raise UsageError("--prefixes must be given together with --input or a pipe, but the input is a terminal")
    paths, overrides = told_apart(chosen.arguments, "model directory")
    model, *others = load_ensemble(paths)
    settings = to_settings(compose_for(model, "translate", TranslateConfig, overrides), TranslateConfig)
    if settings.shortlist and chosen.prefixes is not None:  # a batch's shortlist may lack what a prefix says
        raise UsageError("--prefixes must be given with `shortlist=false`, but it is true instead")
    translator = translator_of(model, settings, *others)
    to_line = _FORMATS[chosen.format]
    repeating = 0

    def answer(lines: list[str], prefixes: list[str] | None = None) -> bytes:
        nonlocal repeating
        translations = translator.translate(lines, prefixes=prefixes, batch_size=settings.batch_size)
        repeating += sum(translation.repeating for translation in translations)
        return "".join(f"{to_line(translation)}\n" for translation in translations).encode()

    with output(chosen.output) as file:
        if on_terminal:
            from nmt.cli.commands import Conversation
            from nmt.cli.prompt import converse

            name = f"{', '.join(paths)} ({model.config.describe()})"
            converse(Conversation(translator, name, translator.search), to_line, None if chosen.output is None else file)
            return 0
        with progress(chosen.input, hidden=chosen.output is None and os.isatty(1)) as done:
            for window, prefixes in beside(windows(chosen.input), chosen.prefixes):
                file.write(answer(window, prefixes))
                file.flush()
                done(window)
    if repeating:
        told = f"{repeating} {'translations' if repeating > 1 else 'translation'} ran to the length limit in a loop"
        print(f"nmt: {told}, cut after the first round", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt translate",
        usage="nmt translate MODEL [MODEL ...] [--input FILE] [--output FILE] [--prefixes FILE]\n"
        "                     [--format text|jsonl] [SETTING=VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", metavar="MODEL", nargs="+", help="a model directory, such as runs/toy/model, or several")
    parser.add_argument("--input", metavar="FILE", help="text to translate, a sentence a line (.gz too)")
    parser.add_argument("--output", metavar="FILE", help="where the translations go instead of stdout")
    parser.add_argument(
        "--prefixes",
        metavar="FILE",
        help="what the translations must begin with, a line for each line of the input (blank: nothing); the last word may go on",
    )
    parser.add_argument(
        "--format", choices=_FORMATS, default="text", help="jsonl: an object a line, with scores and all n-best hypotheses"
    )
    return parser


def _json(translation: Translation) -> str:
    hypotheses = [
        {
            "text": hypothesis.text,
            "score": hypothesis.score,
            "log_prob": hypothesis.log_prob,
            "finished": hypothesis.finished,
            "repeating": hypothesis.repeating,
            "pieces": hypothesis.pieces,
        }
        for hypothesis in translation.hypotheses
    ]
    record = {"source": translation.source, "translation": translation.text, "hypotheses": hypotheses}
    return json.dumps(record, ensure_ascii=False)


_FORMATS: dict[str, Callable[[Translation], str]] = {"text": str, "jsonl": _json}
