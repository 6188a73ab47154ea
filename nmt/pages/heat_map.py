"""A matrix as a picture: an inline PNG of one pixel a cell, drawn large, with the names of its rows and columns."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy

from nmt.pages.html import Attributes, Html, element, together

# Nine points of viridis (Smith and van der Walt 2015): even steps of the number are even steps to the eye, in grey too.
_VIRIDIS = (
    (68, 1, 84),
    (71, 45, 123),
    (59, 82, 139),
    (44, 114, 142),
    (33, 145, 140),
    (40, 174, 128),
    (94, 201, 98),
    (173, 220, 48),
    (253, 231, 37),
)
_COLOURS = 256
_CELL = 20  # pixels of a cell whose row or column is named
_CHARACTER = 8  # pixels that a character of a name takes at most
_LONGEST = 24  # characters of a name that are shown


def heat_map(
    values: "numpy.ndarray",
    low: float,
    high: float,
    *,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    cell: int = _CELL,
    description: str = "",
) -> Html:
    """``values`` [rows, columns] as colours, dark for ``low`` and bright for ``high``; what lies beyond is cut to these.

    The first row is at the top. ``row_names`` and ``column_names`` are empty or one each; ``cell`` is the width and height
    of a cell in pixels. Its size is fixed: put it into ``figure``, which scrolls.
    """
    rows, columns = values.shape
    assert len(row_names) in (0, rows) and len(column_names) in (0, columns), "a name for each or for none"
    left, top = _room(row_names), _room(column_names)
    size = {"width": left + columns * cell + 4, "height": top + rows * cell + 4}
    address = data_uri(encode_png(colour_numbers(values, low, high), palette()))
    look = {"preserveAspectRatio": "none", "style": "image-rendering: pixelated"}
    box = {"x": left, "y": top, "width": columns * cell, "height": rows * cell}
    picture = element("image", {"href": address, **look, **box})
    row_texts = [
        element("text", {"x": left - 5, "y": top + (row + 0.5) * cell + 4, "text-anchor": "end"}, *_name(name))
        for row, name in enumerate(row_names)
    ]
    column_texts = []
    for column, name in enumerate(column_names):
        x = left + (column + 0.5) * cell + 4
        place: Attributes = {"x": x, "y": top - 5, "transform": f"rotate(-90 {x:g} {top - 5:g})"}
        column_texts.append(element("text", place, *_name(name)))
    return element("svg", {**size, "role": "img", "aria-label": description}, picture, *row_texts, *column_texts)


def colour_bar(low: float, high: float) -> Html:
    """What the colours of a heat map mean: the colours from ``low`` to ``high`` with these two numbers at the ends."""
    bar = element("img", {"src": data_uri(encode_png(_ramp(), palette())), "width": 120, "height": 12, "alt": "to"})
    return element("p", {"class": "soft"}, together(f"{low:g} ", bar, f" {high:g}"))


def colour_numbers(values: "numpy.ndarray", low: float, high: float) -> "numpy.ndarray":
    """The number in ``palette`` of each of the ``values``, of any shape, as bytes. They must be finite."""
    assert low < high and numpy.isfinite(values).all(), "finite values, on a scale that has a width"
    scaled = numpy.clip((numpy.asarray(values, dtype=numpy.float64) - low) / (high - low), 0, 1)
    numbers: numpy.ndarray = numpy.rint(scaled * (_COLOURS - 1)).astype(numpy.uint8)
    return numbers


def palette() -> "numpy.ndarray":
    """256 colours from dark to bright, as bytes [256, 3]: red, green, blue."""
    places = numpy.linspace(0, len(_VIRIDIS) - 1, _COLOURS)
    channels = [numpy.interp(places, range(len(_VIRIDIS)), channel) for channel in zip(*_VIRIDIS, strict=True)]
    colours: numpy.ndarray = numpy.rint(numpy.stack(channels, axis=1)).astype(numpy.uint8)
    return colours


def encode_png(pixels: "numpy.ndarray", colours: "numpy.ndarray") -> bytes:
    """A PNG file: ``pixels`` [height, width] are bytes that count the rows of ``colours``, bytes [up to 256, 3].

    PNG specification, third edition (W3C 2025), sections 5 and 11: colour type 3, eight bits deep, no filter.
    """
    height, width = pixels.shape
    lines = numpy.concatenate([numpy.zeros((height, 1), numpy.uint8), pixels], axis=1)  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def data_uri(png: bytes) -> str:
    """The picture as an address that contains it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _ramp() -> "numpy.ndarray":
    return numpy.arange(_COLOURS, dtype=numpy.uint8)[None, :]


def _room(names: Sequence[str]) -> int:
    """Pixels that the longest of the names takes."""
    return max((min(len(name), _LONGEST) for name in names), default=0) * _CHARACTER + 8


def _name(name: str) -> tuple[str, ...]:
    """A name, cut if it is long, with all of it for the pointer that rests there."""
    return (name,) if len(name) <= _LONGEST else (f"{name[: _LONGEST - 1]}…", element("title", None, name))
