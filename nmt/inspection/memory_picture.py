"""Curves of memory as a PNG picture. Needs matplotlib; see ``canvas``."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from nmt.inspection import words as told
from nmt.inspection.canvas import COLOURS, LEAST_WIDTH, LINE, Block, Canvas, drawable, paint, paragraph, stacked, words
from nmt.inspection.memory_page import DISTANCE, NORM, SMALLEST, Measured


def memory_picture(measured: Sequence[Measured]) -> bytes:
    """A PNG file with what ``memory_page`` shows."""

    def draw(canvas: Canvas, left: float, top: float) -> None:
        _memory(canvas.axes(left + 70, top, LEAST_WIDTH - 90, 420), measured)

    return paint(
        stacked(
            words(["How far back the encoder remembers"], size=20, bold=True),
            paragraph([told.MEMORY, told.MEMORY_BAND], LEAST_WIDTH),
            Block(LEAST_WIDTH, 480, draw),
        )
    )


def _memory(axes: Axes, measured: Sequence[Measured]) -> None:
    for number, one in enumerate(measured):
        curve, colour = one.curve, COLOURS[number % len(COLOURS)]
        distances = range(len(curve.norm))
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        # the space: a label that begins with an underscore would be left out
        axes.plot(distances, curve.norm.tolist(), style, color=colour, label=f" {drawable(one.name)}")
        lower, upper = (bound.clamp(min=SMALLEST).tolist() for bound in (curve.lower, curve.upper))
        axes.fill_between(distances, lower, upper, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel=DISTANCE, ylabel=NORM, yscale="log")
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.grid(color=LINE, linewidth=0.6)
    axes.legend(frameon=False)
