"""The room that text takes."""

from nmt.pages.text import shortened, text_width


def test_wide_signs_take_more_and_accents_nothing() -> None:
    assert text_width("") == 0
    assert text_width("猫") == text_width("🐈") > text_width("W") > 0
    assert text_width("e\u0301") == text_width("e")
    assert text_width("ab") == 2 * text_width("a")


def test_only_long_text_is_shortened() -> None:
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"
