"""A picture made of blocks, drawn by matplotlib: an optional dependency, so import this module only to make a picture.

Everything is measured in pixels from the left and from the top, as on the page.
"""

from __future__ import annotations

import io
import logging
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font

from nmt.pages.text import text_width

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of fonts and caches on stderr

PIXELS_PER_INCH = 96
LEAST_WIDTH = 900  # of a picture, and the most of a line of text
COLOURS = ("#0072b2", "#c27f1b", "#0da557", "#9e2774", "#6b4e00")  # as on the page
INK, SOFT, LINE = "#1c2127", "#59626d", "#c4cad1"
_SHARPNESS = 1.5  # pixels of the picture for one of ours
_MARGIN = 24
_GAP = 24
# What is asked for signs that DejaVu Sans, which comes with matplotlib, does not have; whichever of them are installed.
_FAMILIES = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "IPAexGothic", "IPAGothic", "TakaoGothic"),
    *("Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", "Source Han Sans"),
    *("Noto Sans CJK KR", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Ethiopic"),
    *("Noto Emoji", "Symbola", "Arial Unicode MS", "Noto Sans Symbols2"),
)


@dataclass(frozen=True)
class Block:
    """Something to draw, so wide and so high, once it is known where its left upper corner is."""

    width: float
    height: float
    draw: Callable[[Canvas, float, float], None]


class Canvas:
    """A white sheet."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A frame to plot in."""
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height), label=f"{left} {top}"
        )

    def text(self, left: float, top: float, text: str, **look: object) -> None:
        """A line of text whose upper edge is at ``top``."""
        self.figure.text(left / self.width, 1 - top / self.height, drawable(text), va="top", **look)  # type: ignore[arg-type]

    def png(self) -> bytes:
        """The picture as a file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=PIXELS_PER_INCH * _SHARPNESS)
        return file.getvalue()


def paint(block: Block) -> bytes:
    """The block on a sheet of its own, as a PNG file."""
    settings: Any = {"font.family": _families(), "font.size": 9, "text.parse_math": False, "axes.linewidth": 0.8}
    with matplotlib.rc_context(settings):
        canvas = Canvas(block.width + 2 * _MARGIN, block.height + 2 * _MARGIN)
        block.draw(canvas, _MARGIN, _MARGIN)
        return canvas.png()


def stacked(*blocks: Block, gap: float = _GAP) -> Block:
    """Blocks one below the other."""

    def draw(canvas: Canvas, left: float, top: float) -> None:
        for block in blocks:
            block.draw(canvas, left, top)
            top += block.height + gap

    height = sum(block.height for block in blocks) + gap * (len(blocks) - 1)
    return Block(max(block.width for block in blocks), height, draw)


def flowing(blocks: Sequence[Block], most: float) -> Block:
    """Blocks beside each other, in as many rows as it takes for none to be wider than ``most``."""
    rows: list[list[Block]] = []
    for block in blocks:
        if rows and sum(other.width + _GAP for other in rows[-1]) + block.width <= most:
            rows[-1].append(block)
        else:
            rows.append([block])
    return stacked(*map(_beside, rows))


def _beside(blocks: Sequence[Block]) -> Block:
    def draw(canvas: Canvas, left: float, top: float) -> None:
        for block in blocks:
            block.draw(canvas, left, top)
            left += block.width + _GAP

    return Block(sum(block.width + _GAP for block in blocks) - _GAP, max(block.height for block in blocks), draw)


def words(lines: Sequence[str], *, size: float = 12, bold: bool = False) -> Block:
    """Lines of text, ``size`` pixels high."""
    spacing = size * 1.5

    def draw(canvas: Canvas, left: float, top: float) -> None:
        for number, line in enumerate(lines):
            weight = "bold" if bold else "normal"
            canvas.text(left, top + number * spacing, line, fontsize=size * 72 / PIXELS_PER_INCH, weight=weight)

    return Block(max(map(len, lines), default=0) * size * 0.6, len(lines) * spacing, draw)


def paragraph(lines: Sequence[str], most: float) -> Block:
    """Lines of text, broken where they would be wider than ``most``."""
    broken = []
    for line in lines:
        characters = int(min(most, LEAST_WIDTH) * len(line) / max(text_width(line), 1))
        broken += textwrap.wrap(line, max(characters, 10)) or [""]
    return words(broken)


def drawable(text: str) -> str:
    """``text`` with signs that no installed font has, such as most emoji (matplotlib draws no colours), as U+1F408."""
    return "".join(sign if _has_glyph(sign) else f"U+{ord(sign):04X}" for sign in text)


@lru_cache(maxsize=1)
def _families() -> list[str]:
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(family for family in _FAMILIES if family in installed)]


@lru_cache(maxsize=4096)
def _has_glyph(sign: str) -> bool:
    fonts = (get_font(fontManager.findfont(FontProperties(family=family))) for family in _families())
    return sign.isspace() or any(font.get_char_index(ord(sign)) for font in fonts)
