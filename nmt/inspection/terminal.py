"""What a terminal shows of a translation: attention and gates, each value as a sign of some blackness or height."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from nmt.inspection import words
from nmt.inspection.layout import Panel, decoder_panels, encoder_panels, meanings, shown_piece
from nmt.pages.text import letters, terminal_width
from nmt.translation import ForcedTarget

if TYPE_CHECKING:  # translating at a prompt needs no PyTorch
    from nmt.inspection.result import Inspection

_SHADES = " ░▒▓█"
_HEIGHTS = "▁▂▃▄▅▆▇█"
_CELL = 2  # columns of a cell: what a wide sign above it takes
_LONGEST = 12  # letters of a piece that are shown
_GATE = max(map(len, words.SHORT.values()))

Row = tuple[str, numpy.ndarray]


def attention_text(inspection: Inspection, width: int) -> str:
    """Who looked where, in lines of at most ``width`` columns."""
    if inspection.attention is None:
        return _wrapped(words.NO_ATTENTION, width)
    weights = inspection.attention.numpy()
    high = float(weights.max())
    rows = list(zip(map(_label, inspection.target_pieces), weights / high, strict=True))
    said = _wrapped(words.TERMINAL_ATTENTION.format(high=high), width)
    return "\n".join([said, "", *_grid(rows, inspection.source_pieces, _SHADES, width)])


def gates_text(inspection: Inspection, width: int) -> str:
    """How far the gates opened at each piece, means over the units of a layer, in lines of at most ``width`` columns."""
    reading, writing = encoder_panels(inspection), decoder_panels(inspection)
    if not reading and not writing:
        return _wrapped(words.NO_GATES, width)
    lines = [_wrapped(words.TERMINAL_GATES, width), *(_wrapped(f"{one}.", width) for one in meanings(reading + writing))]
    for title, panels, pieces in (
        ("Encoder:", reading, inspection.source_pieces),
        ("Decoder:", writing, inspection.target_pieces),
    ):
        if panels:
            lines += ["", title, *_grid([row for panel in panels for row in _gate_rows(panel)], pieces, _HEIGHTS, width)]
    return "\n".join(lines)


def forced_text(target: ForcedTarget, width: int) -> str:
    """The pieces of a target that was given, each with its log-probability, in lines of at most ``width`` columns."""
    lines = [""]
    for piece, log_prob in zip(target.pieces, target.log_probs, strict=True):
        part = f"  {_label(piece)} {log_prob:.2f}"
        if lines[-1] and terminal_width(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _gate_rows(panel: Panel) -> list[Row]:
    means = {name: values.mean(dim=1).numpy() for name, values in panel.gates.items()}
    return [(f"{panel.mark} {words.SHORT[name]:<{_GATE}} {mean.mean():.2f}", mean) for name, mean in means.items()]


def _grid(rows: Sequence[Row], columns: Sequence[str], ramp: str, width: int) -> list[str]:
    """A line a row: its label and, under the names of the columns, its values in [0, 1] as signs of the ``ramp``.

    Columns that do not fit beside each other follow below, with the same labels.
    """
    left = max(terminal_width(label) for label, _ in rows)
    fit = max(1, (width - left - 1) // _CELL)
    lines = []
    for start in range(0, len(columns), fit):
        lines += [f"{' ' * left} {line}".rstrip() for line in _upright(columns[start : start + fit])]
        for label, values in rows:
            levels = (values[start : start + fit] * (len(ramp) - 1)).round().astype(int)
            drawn = "".join(ramp[level] * _CELL for level in levels)
            lines.append(f"{' ' * (left - terminal_width(label))}{label} {drawn}".rstrip())
    return lines


def _upright(names: Sequence[str]) -> list[str]:
    """The names as columns of their letters, to be read downwards; they end on the last line."""
    upright = [letters(_label(name)) for name in names]
    height = max(map(len, upright))
    padded = [[" "] * (height - len(name)) + name for name in upright]
    return ["".join(letter + " " * (_CELL - terminal_width(letter)) for letter in line) for line in zip(*padded, strict=True)]


def _printable(text: str) -> str:
    """``text`` as a terminal can show it without harm: signs that steer it are replaced."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _label(piece: str) -> str:
    """A piece as it is shown, cut if it is long."""
    signs = letters(_printable(shown_piece(piece)))
    if not terminal_width(signs[0]):
        signs[0] = f"◌{signs[0]}"  # an accent without a letter
    return "".join(signs if len(signs) <= _LONGEST else [*signs[: _LONGEST - 1], "…"])


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, width)
