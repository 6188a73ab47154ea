"""What the codes of languages tell: ISO 639-1 or 639-3, with or without a script or a region."""

# Written without spaces between words.
_JOINED_WORDS = frozenset({"zh", "zho", "cmn", "yue", "ja", "jpn", "th", "tha", "lo", "lao", "km", "khm", "my", "mya"})
# Their usual marks or vowels are compatibility characters, which NFKC replaces: a full-width ？ by ?, a Thai or Lao am by two.
_KEEP_FORMS = frozenset({"zh", "zho", "cmn", "yue", "ja", "jpn", "th", "tha", "lo", "lao"})


def base_code(language: str) -> str:
    """``zh`` of ``zh-CN``, ``zho`` of ``zho_Hans``, ``de`` of ``DE``."""
    return language.replace("_", "-").split("-")[0].lower()


def joins_words(language: str) -> bool:
    """Whether words of this language stand together, so that spaces do not count them."""
    return base_code(language) in _JOINED_WORDS


def keeps_forms(language: str) -> bool:
    """Whether text of this language, once through NFKC, is not as it is written."""
    return base_code(language) in _KEEP_FORMS
