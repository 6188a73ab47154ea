"""Tracks: lines and heat maps one below the other over the same named columns, such as the pieces of a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy

from nmt.pages.charts import dashes, look
from nmt.pages.heat_map import column_texts, picture
from nmt.pages.html import Html, element, together
from nmt.pages.text import shortened, text_width

COLUMN = 24  # pixels
_LEFT, _RIGHT = 30, 10  # margins
_LABEL = 26  # pixels above a track, for its label
_LONGEST = 24  # characters of a name of a column
_DOTS = 80  # columns that have a dot on each line; of more, which would make a page large, only the lines are drawn


class Track(Protocol):
    """Something to draw over the columns."""

    @property
    def label(self) -> str:
        """What stands above it."""

    @property
    def height(self) -> float:
        """In pixels."""

    def draw(self, top: float) -> Html:
        """Its drawing, from ``top`` pixels on."""


@dataclass(frozen=True)
class Lines:
    """Lines through ``series`` (name, values [columns]) from ``low`` to ``high``; ``charts.legend`` may tell their names."""

    label: str
    series: Sequence[tuple[str, "numpy.ndarray"]]
    low: float = 0.0
    high: float = 1.0
    height: float = 96

    def draw(self, top: float) -> Html:
        return together(self._scale(top), *(self._line(number, top) for number in range(len(self.series))))

    def _y(self, value: float, top: float) -> float:
        return top + self.height * (self.high - value) / (self.high - self.low)

    def _scale(self, top: float) -> Html:
        columns = len(self.series[0][1]) if self.series else 0
        parts = []
        for value in (self.low, (self.low + self.high) / 2, self.high):
            y = self._y(value, top)
            parts.append(element("line", {"class": "grid", "x1": _LEFT, "x2": _LEFT + columns * COLUMN, "y1": y, "y2": y}))
            parts.append(element("text", {"class": "soft", "x": _LEFT - 4, "y": y + 4, "text-anchor": "end"}, f"{value:g}"))
        return together(*parts)

    def _line(self, number: int, top: float) -> Html:
        name, values = self.series[number]
        places = [(_LEFT + (column + 0.5) * COLUMN, self._y(float(value), top)) for column, value in enumerate(values)]
        dots = [
            element("circle", {"cx": x, "cy": y, "r": 2.5}, element("title", None, f"{name}: {float(value):.3f}"))
            for (x, y), value in zip(places, values, strict=True)
            if len(values) <= _DOTS
        ]
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
        return element("g", look(number), element("path", {"d": path, "stroke-dasharray": dashes(number)}), *dots)


@dataclass(frozen=True)
class Heat:
    """``values`` [rows, columns] as colours from ``low`` to ``high``; all rows together are ``height`` pixels high."""

    label: str
    values: "numpy.ndarray"
    low: float = 0.0
    high: float = 1.0
    height: float = 96

    def draw(self, top: float) -> Html:
        box = {"x": _LEFT, "y": top, "width": self.values.shape[1] * COLUMN, "height": self.height}
        return picture(self.values, self.low, self.high, box)


def tracks(column_names: Sequence[str], parts: Sequence[Track], description: str) -> Html:
    """The ``parts`` from top to bottom, the names of the columns below. Its size is fixed: put it into ``figure``."""
    drawn, y = [], 0.0
    for part in parts:
        drawn += [element("text", {"class": "soft", "x": _LEFT, "y": y + 19}, part.label), part.draw(y + _LABEL)]
        y += _LABEL + part.height
    names = [shortened(name, _LONGEST) for name in column_names]
    room = max(map(text_width, names), default=0)
    widest = max((_LEFT + text_width(part.label) for part in parts), default=0)
    size = {"width": max(widest, _LEFT + len(names) * COLUMN) + _RIGHT, "height": y + room + 14}
    places = [_LEFT + (column + 0.5) * COLUMN for column in range(len(names))]
    return element(
        "svg", {**size, "role": "img", "aria-label": description}, *drawn, *column_texts(names, places, y + 8, below=True)
    )
