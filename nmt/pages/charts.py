"""Charts as inline SVG: lines over numbers or names, and dots with intervals.

A pointer that rests on a dot is told its numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nmt.pages.axis import Axis, name_axis, number_axis, power_axis
from nmt.pages.html import Attributes, Html, element, together
from nmt.pages.text import shortened

# For light and for dark paper. Any two are at least 19 apart in CIELAB to normal sight and as Machado et al. 2009 ('A
# physiologically-based model for simulation of color vision deficiency') simulate the three kinds of colour blindness,
# and have a contrast of 3:1 with the paper. The dashes go on where the colours end.
_LIGHT = ("#0072b2", "#c27f1b", "#0da557", "#9e2774", "#6b4e00")
_DARK = ("#56b4e9", "#f06a38", "#4df0a0", "#dd919e", "#ffdd46")
_DASHES = ("none", "7 4", "2 3")


def _palette(colours: Sequence[str]) -> str:
    return " ".join(f".series-{index} {{ --series: {colour} }}" for index, colour in enumerate(colours))


PALETTE_STYLE = f"""{_palette(_LIGHT)}
@media (prefers-color-scheme: dark) {{ {_palette(_DARK)} }}
.series path, .series line {{ fill: none; stroke: var(--series); stroke-width: 2 }}
.series rect {{ fill: var(--series) }} .series .empty {{ fill: var(--panel) }}
.series .band {{ fill: var(--series); stroke: none; opacity: .15 }}
.series circle {{ fill: var(--series); stroke: transparent; stroke-width: 12 }}
"""  # the wide transparent stroke of a dot is where the pointer finds it

_WIDTH, _HEIGHT = 480, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 26, 10, 44  # margins
_ROW = 44  # pixels for a dot with its name
_LONGEST = 46  # characters of a name within a chart


@dataclass(frozen=True)
class Series:
    """A named line through ``points`` (x, y), which come in the order of x; ``band``, if there is one, has an interval of y
    for each of them.
    """

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Interval:
    """A named ``value`` that may as well be anything from ``low`` to ``high``."""

    name: str
    value: float
    low: float
    high: float


def line_chart(
    series: Sequence[Series], x_label: str, y_label: str, *, x_names: Sequence[str] = (), logarithmic: bool = False
) -> Html:
    """Lines in one frame, with a legend above it. With ``x_names`` the x of a point counts these names from 0; with
    ``logarithmic`` the y, which must be above 0, go up by powers of ten.
    """
    points = [point for one in series for point in one.points]
    heights = [y for _, y in points] + [bound for one in series for bounds in one.band for bound in bounds]
    left_to_right = (_LEFT, _WIDTH - _RIGHT)
    across = name_axis(x_names, *left_to_right) if x_names else number_axis([x for x, _ in points], *left_to_right)
    upwards = (power_axis if logarithmic else number_axis)(heights, _HEIGHT - _BOTTOM, _TOP)
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    y_title: Attributes = {"x": 14, "y": middle, "text-anchor": "middle", "transform": f"rotate(-90 14 {middle:g})"}
    drawing = _drawing(
        f"{y_label} by {x_label}",
        _HEIGHT,
        _horizontal_grid(upwards),
        _bottom_axis(across, _HEIGHT, x_label),
        element("text", y_title, y_label),
        *(_line(one, number, across, upwards, x_names) for number, one in enumerate(series)),
    )
    return together(legend([one.name for one in series]), drawing)


def interval_chart(intervals: Sequence[Interval], x_label: str) -> Html:
    """A dot a row, on the line from its ``low`` to its ``high``, its name above it."""
    height = _TOP + _ROW * len(intervals) + _BOTTOM
    bounds = [bound for one in intervals for bound in (one.low, one.value, one.high)]
    across = number_axis(bounds, _RIGHT, _WIDTH - _RIGHT)
    return _drawing(
        x_label,
        height,
        *(_upright(across.pixel(tick), height, "grid") for tick, _ in across.ticks),
        _bottom_axis(across, height, x_label),
        *(_dot(one, number, across) for number, one in enumerate(intervals)),
    )


def _drawing(description: str, height: float, *content: str) -> Html:
    attributes = {"class": "chart", "viewBox": f"0 0 {_WIDTH} {height:g}", "role": "img", "aria-label": description}
    return element("svg", attributes, *content)


def _line(series: Series, number: int, across: Axis, upwards: Axis, x_names: Sequence[str]) -> Html:
    places = [(across.pixel(x), upwards.pixel(y)) for x, y in series.points]
    written = ".3g" if upwards.logarithmic else ",.2f"
    dots = [
        element("circle", {"cx": place[0], "cy": place[1], "r": 3}, _tooltip(_told(series.name, x, format(y, written), x_names)))
        for place, (x, y) in zip(places, series.points, strict=True)
    ]
    line = element("path", {"d": _path(places), "stroke-dasharray": dashes(number)})
    return element("g", look(number), _band(series, across, upwards), line, *dots)


def _band(series: Series, across: Axis, upwards: Axis) -> Html:
    """The area between the lower and the upper bounds: along the lower ones and back along the upper ones."""
    if not series.band:
        return Html()
    x = [across.pixel(place) for place, _ in series.points]
    lower, upper = ([upwards.pixel(bound) for bound in bounds] for bounds in zip(*series.band, strict=True))
    around = [*zip(x, lower, strict=True), *reversed(list(zip(x, upper, strict=True)))]
    return element("path", {"class": "band", "d": f"{_path(around)}Z"})


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places) if places else ""


def _told(name: str, x: float, y: str, x_names: Sequence[str]) -> str:
    return f"{name}: {y} at {x_names[round(x)] if x_names else f'{x:,.1f}'}"


def _dot(interval: Interval, number: int, across: Axis) -> Html:
    y = _TOP + _ROW * number + 32
    low, value, high = (across.pixel(bound) for bound in (interval.low, interval.value, interval.high))
    told = f"{interval.name}: {interval.value:,.2f} ({interval.low:,.2f} to {interval.high:,.2f})"
    return element(
        "g",
        look(number),
        element("text", {"x": _RIGHT, "y": y - 14}, shortened(interval.name, _LONGEST)),
        element("line", {"x1": low, "x2": high, "y1": y, "y2": y}),
        element("circle", {"cx": value, "cy": y, "r": 5}, _tooltip(told)),
    )


def _horizontal_grid(upwards: Axis) -> Html:
    parts = []
    for tick, name in upwards.ticks:
        y = upwards.pixel(tick)
        parts.append(element("line", {"class": "grid", "x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y, "y2": y}))
        parts.append(element("text", {"class": "soft", "x": _LEFT - 6, "y": y + 4, "text-anchor": "end"}, name))
    return together(*parts)


def _bottom_axis(across: Axis, height: float, label: str) -> Html:
    y = height - _BOTTOM
    parts = [element("line", {"class": "axis", "x1": across.start, "x2": across.end, "y1": y, "y2": y})]
    for tick, name in across.ticks:
        x = across.pixel(tick)
        parts.append(element("line", {"class": "axis", "x1": x, "x2": x, "y1": y, "y2": y + 4}))
        parts.append(element("text", {"class": "soft", "x": x, "y": y + 17, "text-anchor": "middle"}, name))
    middle = (across.start + across.end) / 2
    return together(*parts, element("text", {"x": middle, "y": height - 8, "text-anchor": "middle"}, label))


def _upright(x: float, height: float, kind: str) -> Html:
    return element("line", {"class": kind, "x1": x, "x2": x, "y1": _TOP, "y2": height - _BOTTOM})


def legend(names: Sequence[str]) -> Html:
    """The names of series, each beside a stroke that looks as its line does."""
    items = []
    for number, name in enumerate(names):
        stroke = element("line", {"x1": 0, "x2": 28, "y1": 5, "y2": 5, "stroke-dasharray": dashes(number)})
        key = element("svg", {"width": 28, "height": 10, "aria-hidden": "true"}, element("g", look(number), stroke))
        items.append(element("li", None, key, name))
    return element("ul", {"class": "legend"}, *items)


def look(number: int) -> Attributes:
    """The colour of the series with this number: attributes of the ``g`` around its path, lines, circles or bars."""
    return {"class": f"series series-{number % len(_LIGHT)}"}


def dashes(number: int) -> str:
    """The ``stroke-dasharray`` of the series with this number."""
    return _DASHES[number // len(_LIGHT) % len(_DASHES)]


def _tooltip(text: str) -> Html:
    return element("title", None, text)
