"""The room that text takes."""

from nmt.pages.text import letters, shortened, terminal_width, text_width


def test_wide_signs_take_more_and_accents_nothing() -> None:
    assert text_width("") == 0
    assert text_width("猫") == text_width("🐈") > text_width("W") > 0
    assert text_width("e\u0301") == text_width("e")
    assert text_width("ab") == 2 * text_width("a")


def test_a_terminal_has_columns() -> None:
    assert [terminal_width(text) for text in ("", "aé…█", "e\u0301", "ﾈｺ", "कि")] == [0, 4, 1, 2, 2]
    assert [terminal_width(text) for text in ("猫", "Ａ", "🐈", "한")] == [2, 2, 2, 2]


def test_letters_keep_their_accents() -> None:
    assert letters("e\u0301e\u0302\u0301猫x") == ["e\u0301", "e\u0302\u0301", "猫", "x"]
    assert letters("") == []
    assert letters("\u0301e") == ["\u0301", "e"]


def test_only_long_text_is_shortened() -> None:
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"
