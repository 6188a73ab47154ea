"""A page is whole, needs nothing from elsewhere, and shows users' text as text."""

import re
from collections.abc import Callable
from typing import Any

from nmt.pages.charts import Interval, Series, interval_chart, line_chart
from nmt.pages.document import figure, page, section, side_by_side, table

NASTY = '<script src="https://example.org/x.js"></script>'


def whole_page() -> str:
    chart = line_chart([Series(NASTY, [(0, 1), (1, 2)])], NASTY, NASTY)
    dots = interval_chart([Interval(NASTY, 2, 1, 3)], NASTY)
    rows = [[NASTY, "1", NASTY], ["b", "2", "3"]]
    return page(NASTY, section(NASTY, table([NASTY, "x", "y"], rows), side_by_side(figure(NASTY, chart), figure("b", dots))))


def test_the_document_is_well_formed(seen: Callable[[str], Any]) -> None:
    source = whole_page()
    found = seen(source)
    assert source.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert ("charset", "utf-8") in found.attributes
    assert ("content", "width=device-width, initial-scale=1") in found.attributes
    assert found.tags.count("h1") == found.tags.count("title") - 3 == 1  # the others are tooltips of three dots


def test_nothing_is_loaded_and_nothing_runs(seen: Callable[[str], Any]) -> None:
    found = seen(whole_page())
    assert "script" not in found.tags and "link" not in found.tags
    assert not [name for name, _ in found.attributes if name in ("src", "href") or name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in found.attributes
    style = re.search("<style>(.*?)</style>", whole_page(), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]


def test_both_colour_schemes_define_the_same_colours() -> None:
    source = whole_page()
    _, light, dark = source.split(":root {")
    assert re.findall(r"--\w+(?=:)", light) == re.findall(r"--\w+(?=:)", dark.split("}")[0]) != []


def test_a_table_names_its_rows_and_columns() -> None:
    source = table(["run", "BLEU"], [["a", "37.1"], ["b", "36.0"]])
    assert '<th scope="col">BLEU</th>' in source
    assert '<th scope="row">b</th><td>36.0</td>' in source
    assert source.startswith('<div class="scroll" tabindex="0">')
