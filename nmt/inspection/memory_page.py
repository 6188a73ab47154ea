"""Curves of memory as one self-contained HTML page, and as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nmt.inspection import words
from nmt.inspection.memory import MemoryCurve
from nmt.pages.charts import Series, line_chart
from nmt.pages.document import figure, page, section, table
from nmt.pages.html import element

DISTANCE, NORM = "distance T − t in pieces", "norm of ∂h_T/∂s_t"
SMALLEST = torch.finfo(torch.float32).tiny  # a logarithmic scale has no 0
_TOLD = (1, 2, 5, 10, 20, 30, 40)  # distances of the table


@dataclass(frozen=True)
class Measured:
    """The curve of a model that is called ``name``, over so many ``sentences``."""

    name: str
    curve: MemoryCurve
    sentences: int

    def to_json(self) -> dict[str, object]:
        """Lists by distance, from 0 on."""
        curve = self.curve
        return {
            "model": self.name,
            "sentences": self.sentences,
            "norm": curve.norm.tolist(),
            "lower_quartile": curve.lower.tolist(),
            "upper_quartile": curve.upper.tolist(),
            "sentences_by_distance": curve.sentences.tolist(),
        }


def memory_page(measured: Sequence[Measured]) -> str:
    """The whole document."""
    sentences = max(one.sentences for one in measured)
    longest = max(len(one.curve.norm) for one in measured)
    told = [distance for distance in _TOLD if distance < longest]
    rows = [[one.name, *(_norm(one.curve, distance) for distance in told)] for one in measured]
    caption = f"{words.MEMORY_BAND} {sentences:,} sentences; of the longest distances fewer, as only longer sentences have them."
    return page(
        "How far back the encoder remembers",
        element("p", None, words.MEMORY),
        figure(caption, line_chart([_series(one) for one in measured], DISTANCE, NORM, logarithmic=True)),
        section("The numbers", table(["distance", *map(str, told)], rows)),
    )


def _series(measured: Measured) -> Series:
    curve = measured.curve
    bands = zip(curve.lower.clamp(min=SMALLEST).tolist(), curve.upper.clamp(min=SMALLEST).tolist(), strict=True)
    return Series(measured.name, [(float(distance), norm) for distance, norm in enumerate(curve.norm.tolist())], list(bands))


def _norm(curve: MemoryCurve, distance: int) -> str:
    return f"{float(curve.norm[distance]):.2g}" if distance < len(curve.norm) else "–"
