"""Tracks share their columns; bars are as long as their numbers."""

from xml.etree import ElementTree

import numpy
import pytest

from nmt.pages.bars import Bar, bar_chart
from nmt.pages.tracks import Heat, Lines, tracks

NAMES = ["␣The", "猫", "<s>", "x" * 40]


def drawing() -> ElementTree.Element:
    lines = Lines("means", [("reset", numpy.array([0.0, 0.5, 1.0, 0.25])), ("update", numpy.array([1.0, 1.0, 1.0, 0.0]))])
    return ElementTree.fromstring(tracks(NAMES, [lines, Heat("units", numpy.zeros((9, 4)), height=50)], "gates"))


def test_dots_and_names_and_pixels_stand_in_the_same_columns() -> None:
    found = drawing()
    circles = found.findall("g/circle")
    assert len(circles) == 8
    columns = sorted({float(circle.attrib["cx"]) for circle in circles})
    image = found.find("image")
    assert image is not None
    left, width = float(image.attrib["x"]), float(image.attrib["width"])
    assert columns == [left + (column + 0.5) * width / 4 for column in range(4)]
    names = [text for text in found.findall("text") if (text.text or "")[:3] in ("␣The", "␣Th", "猫", "<s>", "xxx")]
    assert [float(name.attrib["x"]) for name in names] == pytest.approx(columns, abs=5)
    assert float(found.attrib["width"]) >= left + width


def test_a_higher_value_stands_higher_and_says_its_number() -> None:
    first = drawing().findall("g/circle")[:4]
    heights = [float(circle.attrib["cy"]) for circle in first]
    assert heights[0] > heights[3] > heights[1] > heights[2]
    assert first[1].findtext("title") == "reset: 0.500"


def test_bars_are_as_long_as_their_numbers() -> None:
    bars = [Bar("猫", 1.0, "1.0", "one"), Bar("<b>", 0.25, "0.25", "a quarter"), Bar("c", 9.0, "9", "cut")]
    rows = ElementTree.fromstring(bar_chart(bars, 1.0, "bars")).findall("g")
    lengths = [float(row.findall("rect")[1].attrib["width"]) for row in rows]
    assert lengths == [lengths[0], lengths[0] / 4, lengths[0]]
    assert [[text.text for text in row.findall("text")] for row in rows] == [["猫", "1.0"], ["<b>", "0.25"], ["c", "9"]]
    assert [row.findtext("title") for row in rows] == ["one", "a quarter", "cut"]
