"""``nmt inspect --memory``: how far back the encoders of several models remember."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from itertools import islice

from nmt.cli.lines import output, windows
from nmt.cli.load import settings_to_look_inside, translator_of
from nmt.errors import UsageError, UserError
from nmt.inspection.memory import lowest_layer, memory_curve
from nmt.inspection.memory_page import Measured
from nmt.model_directory import load_model_directory

_SAMPLE = 200  # sentences
Render = Callable[..., bytes | str]


def run_memory(paths: Sequence[str], overrides: Sequence[str], source: str | None, target: str | None, render: Render) -> None:
    """Measure the models at ``paths`` on the file ``source`` (stdin if None); write what ``render`` makes of it."""
    from nmt.comparison.runs import find_runs  # it knows training, which a sentence's inspection need not load

    runs = find_runs(paths)
    translators = []
    for one in runs:
        model = load_model_directory(one.model)
        try:
            lowest_layer(model.model)
        except UserError as error:
            raise UserError(f"`{one.name}`: {error}") from error
        translators.append(translator_of(model, settings_to_look_inside(model, overrides)))
    sentences = _sentences(source)
    with output(target) as file:
        measured = []
        for one, translator in zip(runs, translators, strict=True):
            print(f"{one.name}: measuring on {len(sentences)} sentences on {translator.device}", file=sys.stderr)
            curve = memory_curve(translator.model.network, translator.tokenizers.source.encode(sentences))
            measured.append(Measured(one.name, curve, len(sentences)))
        file.write(as_bytes(render(measured)))
    if target is not None:
        print(json.dumps({"curves": [one.to_json() for one in measured]}, ensure_ascii=False))


def _sentences(source: str | None) -> list[str]:
    """The first sentences of the file, or of stdin."""
    if source is None and os.isatty(0):
        raise UsageError("sentences must be given, by --source FILE or on stdin, but are not")
    lines = (line for window in windows(source) for line in window if line.strip())
    sentences = list(islice(lines, _SAMPLE))
    if not sentences:
        raise UserError(f"{'stdin' if source is None else f'`{source}`'} must have sentences to measure memory on, but has none")
    return sentences


def as_bytes(made: bytes | str) -> bytes:
    """A picture, or a page, as a file holds it."""
    return made.encode() if isinstance(made, str) else made
