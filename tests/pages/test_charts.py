"""Charts show every number they are given."""

import re
from xml.etree import ElementTree

from nmt.pages.charts import Interval, Series, interval_chart, line_chart


def parsed(source: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<body>{source}</body>")


def test_a_dot_and_a_tooltip_for_every_point() -> None:
    chart = parsed(line_chart([Series("a", [(0, 1), (1, 3), (2, 2)]), Series("b & c", [(1, 2)])], "minutes", "BLEU"))
    circles = chart.findall(".//circle")
    assert [circle.findtext("title") for circle in circles] == [
        "a: 1.00 at 0.0",
        "a: 3.00 at 1.0",
        "a: 2.00 at 2.0",
        "b & c: 2.00 at 1.0",
    ]
    x = [float(circle.attrib["cx"]) for circle in circles]
    y = [float(circle.attrib["cy"]) for circle in circles]
    assert x[0] < x[1] == x[3] < x[2]
    assert y[0] > y[2] == y[3] > y[1]  # a higher number is nearer to the top


def test_everything_is_within_the_drawing() -> None:
    chart = parsed(line_chart([Series("a", [(-1e5, 0.1), (3e7, 0.9)])], "x", "y")).find("svg")
    assert chart is not None
    _, _, width, height = map(float, chart.attrib["viewBox"].split())
    for node in chart.iter():
        for name, value in node.attrib.items():
            if name in ("x", "x1", "x2", "cx"):
                assert 0 <= float(value) <= width
            if name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(value) <= height


def test_the_legend_names_the_series_in_the_look_of_their_lines() -> None:
    names = [f"run {number}" for number in range(12)]
    chart = parsed(line_chart([Series(name, [(0, 1), (1, 2)]) for name in names], "x", "y"))
    items = chart.findall("ul/li")
    assert ["".join(item.itertext()) for item in items] == names
    keys = [(item.find(".//g").attrib["class"], item.find(".//line").attrib["stroke-dasharray"]) for item in items]
    lines = [(group.attrib["class"], group.find("path").attrib["stroke-dasharray"]) for group in chart.findall("svg/g")]
    assert keys == lines
    assert len(set(keys)) == 12


def test_names_may_stand_for_numbers() -> None:
    chart = line_chart([Series("a", [(0, 30.5), (1, 20)])], "words", "BLEU", x_names=["1–8", "9–11"])
    assert [text.text for text in parsed(chart).findall(".//text")][-4:-2] == ["1–8", "9–11"]
    assert "a: 20.00 at 9–11" in chart


def test_a_series_without_points_is_only_named() -> None:
    chart = parsed(line_chart([Series("a", []), Series("b", [(1, 1)])], "x", "y"))
    assert len(chart.findall(".//circle")) == 1
    assert len(chart.findall("ul/li")) == 2


def test_intervals_lie_around_their_dots() -> None:
    chart = parsed(interval_chart([Interval("a", 37.1, 35.5, 38.9), Interval("b" * 99, 30, 30, 30)], "BLEU"))
    first, second = chart.findall("svg/g")
    line, circle = first.find("line"), first.find("circle")
    assert line is not None and circle is not None
    assert float(line.attrib["x1"]) < float(circle.attrib["cx"]) < float(line.attrib["x2"])
    assert circle.findtext("title") == "a: 37.10 (35.50 to 38.90)"
    assert re.fullmatch("b{45}…", second.findtext("text") or "")
    assert "b" * 99 in (second.findtext("circle/title") or "")
