"""The pictures are PNGs that another reader understands, and brighter is more."""

import base64
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy
import pytest

from nmt.pages.heat_map import colour_bar, colour_numbers, data_uri, encode_png, heat_map, palette


def decoded(png: bytes) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Pixels and colours, by the letter of the specification."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        content = png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        place += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, depth, colour_type, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour_type, rest) == (8, 3, [0, 0, 0])
    lines = numpy.frombuffer(zlib.decompress(chunks[b"IDAT"]), numpy.uint8).reshape(height, width + 1)
    assert (lines[:, 0] == 0).all()
    return lines[:, 1:], numpy.frombuffer(chunks[b"PLTE"], numpy.uint8).reshape(-1, 3)


def test_a_png_holds_its_pixels_and_colours() -> None:
    pixels = numpy.random.default_rng(1).integers(0, 256, (7, 31), dtype=numpy.uint8)
    found, colours = decoded(encode_png(pixels, palette()))
    assert (found == pixels).all()
    assert (colours == palette()).all()


def test_another_reader_understands_it(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "x.png").write_bytes(encode_png(numpy.array([[0, 255]], numpy.uint8), palette()))
    picture = image.open(tmp_path / "x.png").convert("RGB")
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(68, 1, 84), (253, 231, 37)]


def test_more_is_brighter_by_even_steps() -> None:
    light = (palette() / 255.0) ** 2.2 @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * numpy.cbrt(light) - 16  # CIE 1976
    steps = numpy.diff(lightness)
    assert (steps > -0.5).all()  # rounded to bytes
    assert (numpy.diff(lightness[::32]) > 5).all()


def test_numbers_become_colours_in_order_and_within_the_scale() -> None:
    found = colour_numbers(numpy.array([[-9.0, -1.0, 0.0, 1.0, 9.0]]), -1, 1)
    assert found.dtype == numpy.uint8
    assert found.tolist() == [[0, 0, 128, 255, 255]]
    with pytest.raises(AssertionError):
        colour_numbers(numpy.array([[numpy.nan]]), 0, 1)


def test_a_heat_map_is_its_picture_with_names_around_it() -> None:
    values = numpy.array([[0.0, 0.5, 1.0], [1.0, 0.0, 0.25]])
    source = heat_map(values, 0, 1, row_names=["<r>", "s"], column_names=["a", "b", "c" * 40], cell=10)
    drawing = ElementTree.fromstring(source)
    [image] = drawing.findall("image")
    assert (image.attrib["width"], image.attrib["height"]) == ("30", "20")
    prefix, _, content = image.attrib["href"].partition(",")
    assert prefix == "data:image/png;base64"
    assert (decoded(base64.b64decode(content))[0] == colour_numbers(values, 0, 1)).all()
    rows, columns = drawing.findall("text")[:2], drawing.findall("text")[2:]
    assert [row.text for row in rows] == ["<r>", "s"]
    assert float(rows[0].attrib["y"]) < float(rows[1].attrib["y"])
    assert float(columns[0].attrib["x"]) < float(columns[1].attrib["x"])
    assert columns[2].text == "c" * 23 + "…" and columns[2].findtext("title") == "c" * 40
    assert len(ElementTree.fromstring(heat_map(values, 0, 1))) == 1


def test_the_colour_bar_has_all_colours() -> None:
    assert data_uri(encode_png(numpy.arange(256, dtype=numpy.uint8)[None, :], palette())) in colour_bar(-1, 1)
