"""Whatever text goes in comes out as text."""

from collections.abc import Callable
from typing import Any

import pytest

from nmt.pages.html import Html, element, together

NASTY = "<script>alert(\"1\" & '2')</script> &amp; ﷽ 💥"


def test_text_stays_text(seen: Callable[[str], Any]) -> None:
    source = element("p", {"title": NASTY}, NASTY, element("b", None, NASTY))
    found = seen(source)
    assert found.tags == ["p", "b"]
    assert found.attributes == [("title", NASTY)]
    assert "".join(found.texts) == NASTY + NASTY


def test_html_is_kept_and_joining_text_escapes_it() -> None:
    assert together(Html("<br>"), "<br>") == "<br>&lt;br&gt;"
    assert together() == ""


def test_what_is_made_from_html_by_other_means_is_text_again() -> None:
    bold = element("b", None, "x")
    assert element("p", None, f"{bold}") == element("p", None, bold + "") == "<p>&lt;b&gt;x&lt;/b&gt;</p>"


def test_numbers_of_attributes_are_short() -> None:
    assert element("rect", {"x": 1.0, "y": 1 / 3, "z": "07"}) == '<rect x="1" y="0.333333" z="07"></rect>'


def test_elements_without_content() -> None:
    assert element("meta", {"charset": "utf-8"}) == '<meta charset="utf-8">'
    with pytest.raises(AssertionError):
        element("br", None, "x")
