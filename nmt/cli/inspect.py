"""``nmt inspect``: what a translator does inside, as a page or a picture."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.compose import describe_search
from nmt.cli.inspect_memory import Render, as_bytes, run_memory
from nmt.cli.lines import output, windows
from nmt.cli.load import settings_to_look_inside, translator_of
from nmt.errors import UsageError, UserError
from nmt.model_directory import CONFIG, load_model_directory

_DESCRIPTION = """\
Show how a model translates a sentence: its attention, its gates, the probability of each piece and the tree of its
search. Without TEXT the sentence is read from stdin. Or, with --memory, how far back the encoders of one or several
models remember: the norm of dh_T/ds_t of the lowest layer by the distance T - t, a curve a model.
"""
_EPILOG = """\
the page is one HTML file that needs neither network nor script; without --output it goes to stdout. A picture (.png)
is drawn by matplotlib, which `pip install 'nmt[plot]'` adds; it has no colour emoji, and writes U+1F408 instead.

with --memory, MODEL is a model directory or a run directory. The first 200 lines of text are the sample, from --source
or from stdin. With --output, the numbers go to stdout as JSON, lists by distance from 0 on:
  {"curves": [{"model": …, "sentences": …, "norm": […], "lower_quartile": […], "upper_quartile": […],
               "sentences_by_distance": […]}, …]}

settings (an argument that begins as NAME= is one; give a text that does so on stdin):
  search=beam|greedy|mbr|sampling  search.beam_size=8  …   see nmt translate --help; unless search.n_best says
                                                           otherwise, a beam search keeps as many as beam_size
  device=auto|cpu|cuda  num_threads=1
"""
# `E = mc²` is text, and `runs/seed=1` is a path.
_SETTING = re.compile(r"[+~]{0,2}[A-Za-z_][\w.]*=")
_SUFFIXES = {".html": "page", ".png": "picture"}


def run(arguments: Sequence[str]) -> int:
    """Show a translation, or what models remember; returns the exit code."""
    chosen = _parser().parse_intermixed_args(arguments)
    settings = [argument for argument in chosen.arguments if _SETTING.match(argument) and not os.path.isdir(argument)]
    rest = [argument for argument in chosen.arguments if argument not in settings]
    if not rest:
        raise UsageError("a model directory must be given, but there are only settings")
    form = _form(chosen.output)
    if chosen.memory:
        run_memory(rest, settings, chosen.source, chosen.output, _renderer(True, form))
        return 0
    if chosen.source is not None:
        raise UsageError("--source must be given with --memory only; a sentence to inspect is an argument or comes from stdin")
    text = _text(rest)
    render = _renderer(False, form)
    model = load_model_directory(rest[0])
    translator = translator_of(model, settings_to_look_inside(model, settings))
    with output(chosen.output) as file:
        about = [("model", f"{rest[0]} ({model.config.describe()})"), ("search", describe_search(translator.search))]
        file.write(as_bytes(render(translator.inspect(text), about)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nmt inspect",
        usage="nmt inspect MODEL [TEXT] [--output FILE] [SETTING=VALUE ...]\n"
        "       nmt inspect MODEL [MODEL ...] --memory [--source FILE] [--output FILE] [SETTING=VALUE ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", metavar="MODEL", nargs="+", help="a model directory, such as runs/toy/model")
    parser.add_argument("--output", metavar="FILE", help="the page or picture: FILE ends in .html or .png")
    parser.add_argument("--memory", action="store_true", help="plot how far back the encoders remember")
    parser.add_argument("--source", metavar="FILE", help="with --memory: sentences to measure it on, one a line (.gz too)")
    return parser


def _form(path: str | None) -> str:
    """page or picture."""
    if path is None:
        if os.isatty(1):
            raise UsageError("--output must name a .html or .png file where stdout is a terminal, but is not given")
        return "page"
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(f"`--output` must end in .html or .png, but is `{path}` instead")
    return _SUFFIXES[suffix]


def _renderer(memory: bool, form: str) -> Render:
    """What makes this page or picture."""
    try:
        match memory, form:
            case False, "page":
                from nmt.inspection.page import inspection_page

                return inspection_page
            case False, _:
                from nmt.inspection.picture import inspection_picture

                return inspection_picture
            case True, "page":
                from nmt.inspection.memory_page import memory_page

                return memory_page
            case _:
                from nmt.inspection.memory_picture import memory_picture

                return memory_picture
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise UserError("a .png picture needs matplotlib, which is not installed: pip install 'nmt[plot]'") from error


def _text(rest: Sequence[str]) -> str:
    """The sentence: what follows the model, or what stdin holds."""
    _, *texts = rest
    if len(texts) > 1 or any(os.path.isfile(os.path.join(text, CONFIG)) for text in texts):
        raise UsageError(
            "one model and one text (in quotes) must be given, but there is more; only --memory compares several models"
        )
    if texts:
        return texts[0]
    if os.isatty(0):
        raise UsageError("a text must be given, as an argument after the model or on stdin, but is not")
    lines = [line for window in windows(None) for line in window if line.strip()]
    if len(lines) != 1:
        raise UserError(f"the text to inspect must be one line of stdin, but there are {len(lines)} that are not blank")
    return lines[0]
