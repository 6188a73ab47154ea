"""Bars: a number a row, on a scale that begins at 0."""

from collections.abc import Sequence
from dataclasses import dataclass

from nmt.pages.charts import look
from nmt.pages.html import Html, element
from nmt.pages.text import shortened, text_width

_ROW, _BAR = 22, 14  # pixels
_LENGTH = 170  # pixels of the longest bar
_LONGEST = 24  # characters of a name


@dataclass(frozen=True)
class Bar:
    """A named ``value`` ≥ 0, as written beside its bar: ``shown``; ``told`` to a pointer that rests on it."""

    name: str
    value: float
    shown: str
    told: str


def bar_chart(bars: Sequence[Bar], high: float, description: str) -> Html:
    """The ``bars`` one below the other; the longest possible stands for ``high``. Its size is fixed: put it into ``figure``."""
    names = [shortened(bar.name, _LONGEST) for bar in bars]
    left = max(map(text_width, names), default=0) + 8
    right = max((text_width(bar.shown) for bar in bars), default=0) + 10
    rows = []
    for number, (bar, name) in enumerate(zip(bars, names, strict=True)):
        y = number * _ROW + (_ROW - _BAR) / 2
        length = _LENGTH * min(bar.value, high) / high
        rows.append(
            element(
                "g",
                look(0),
                element("title", None, bar.told),
                element("text", {"x": left - 6, "y": y + 11, "text-anchor": "end"}, name),
                element("rect", {"class": "empty", "x": left, "y": y, "width": _LENGTH, "height": _BAR}),
                element("rect", {"x": left, "y": y, "width": length, "height": _BAR}),
                element("text", {"x": left + _LENGTH + 6, "y": y + 11}, bar.shown),
            )
        )
    size = {"width": left + _LENGTH + right, "height": len(bars) * _ROW + 2}
    return element("svg", {**size, "role": "img", "aria-label": description}, *rows)
