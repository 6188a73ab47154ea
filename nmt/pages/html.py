"""HTML elements. Text becomes HTML in one place, here, where it is escaped: nobody can forget to."""

from collections.abc import Mapping
from html import escape

Attributes = Mapping[str, str | float]
_VOID = ("br", "img", "meta")  # these have no content and no end tag


class Html(str):
    """HTML source. Any other ``str`` is text, which ``element`` escapes."""


def element(tag: str, attributes: Attributes | None = None, *content: str) -> Html:
    """``<tag attributes>content</tag>``; text in attributes and content is escaped, ``Html`` in content is kept.

    The rest of ``escape``'s work depends on attribute values standing in double quotes, as they do here. ``tag`` and the
    names of attributes are the program's own words, never a user's.
    """
    inside = "".join(f' {name}="{escape(_plain(value))}"' for name, value in (attributes or {}).items())
    if tag in _VOID:
        assert not content, f"<{tag}> has no content"
        return Html(f"<{tag}{inside}>")
    return Html(f"<{tag}{inside}>{together(*content)}</{tag}>")


def together(*content: str) -> Html:
    """The contents one after the other, text escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part, quote=False) for part in content))


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
