"""How much room text takes, in a drawing, where no browser can be asked, and in a terminal."""

import unicodedata

_NARROW, _WIDE = 8, 13  # pixels that a character takes at most, at 12 pixels
_MARKS = ("Mn", "Me")  # accents and the like, which take no room of their own


def text_width(text: str) -> int:
    """Pixels that ``text`` takes at most in the charts' letters: Chinese and Japanese signs and emoji are wide."""
    return sum((0, _NARROW, _WIDE)[_columns(sign)] for sign in text)


def terminal_width(text: str) -> int:
    """Columns that ``text`` takes in a terminal. It must be printable."""
    return sum(map(_columns, text))


def letters(text: str) -> list[str]:
    """The signs of ``text``, each with the accents that stand on it."""
    found: list[str] = []
    for sign in text:
        if found and not _columns(sign):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def shortened(text: str, most: int) -> str:
    """``text``, cut to at most ``most`` characters; an ellipsis tells that it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _columns(sign: str) -> int:
    if unicodedata.category(sign) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1
