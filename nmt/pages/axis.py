"""An axis: where a number stands in the drawing, and which round numbers are written beside it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Maps the numbers from ``low`` to ``high`` onto the pixels from ``start`` to ``end``; ``ticks`` are (number, its name)."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def pixel(self, number: float) -> float:
        """Where ``number`` stands."""
        return self.start + (number - self.low) / (self.high - self.low) * (self.end - self.start)


def number_axis(numbers: Iterable[float], start: float, end: float) -> Axis:
    """An axis that holds all ``numbers`` and has a handful of round ticks; from 0 to 1 if there are none."""
    known = list(numbers) or [0.0, 1.0]
    low, high = min(known), max(known)
    if low == high:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    step = round_step(high - low)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    decimals = max(0, -math.floor(math.log10(step)))
    count = round((high - low) / step)
    ticks = [low + index * step for index in range(count + 1)]
    return Axis(low, high, start, end, [(tick, f"{tick + 0.0:,.{decimals}f}") for tick in ticks])


def name_axis(names: Sequence[str], start: float, end: float) -> Axis:
    """An axis on which the number i, from 0, is called ``names[i]``."""
    return Axis(-0.5, max(len(names), 1) - 0.5, start, end, list(enumerate(names)))


def round_step(width: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that ``width`` holds at most six times."""
    power = 10.0 ** math.floor(math.log10(width / 6))
    return next(factor * power for factor in (1, 2, 5, 10) if width <= 6 * factor * power * (1 + 1e-9))
