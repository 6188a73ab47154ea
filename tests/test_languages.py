"""What the codes of languages tell."""

import unicodedata

import pytest

from nmt.languages import base_code, joins_words, keeps_forms


@pytest.mark.parametrize("language, base", [("de", "de"), ("zh-CN", "zh"), ("zho_Hans", "zho"), ("JA", "ja"), ("", "")])
def test_base_code(language: str, base: str) -> None:
    assert base_code(language) == base


@pytest.mark.parametrize(
    "language, text",
    [("ja", "１４歳？"), ("zh_Hans", "你好，世界！"), ("th", "น้ำ"), ("lo", "ນ້ຳ"), ("de", "„Grüße“"), ("ko", "안녕하세요?")],
)
def test_forms_are_kept_where_nfkc_would_replace_usual_text(language: str, text: str) -> None:
    assert keeps_forms(language) == (unicodedata.normalize("NFKC", text) != text)


@pytest.mark.parametrize("language, joined", [("zh-TW", True), ("JA", True), ("km", True), ("ko", False), ("", False)])
def test_words_of_some_languages_stand_together(language: str, joined: bool) -> None:
    assert joins_words(language) == joined
