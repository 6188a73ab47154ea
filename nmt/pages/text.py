"""How much room text takes in a drawing, where no browser can be asked."""

import unicodedata

_NARROW, _WIDE = 8, 13  # pixels that a character takes at most, at 12 pixels


def text_width(text: str) -> int:
    """Pixels that ``text`` takes at most in the charts' letters: Chinese and Japanese signs and emoji are wide."""
    return sum(0 if unicodedata.combining(sign) else _WIDE if _is_wide(sign) else _NARROW for sign in text)


def shortened(text: str, most: int) -> str:
    """``text``, cut to at most ``most`` characters; an ellipsis tells that it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _is_wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in ("W", "F")
