"""What people type after ``=``, made safe from Hydra's grammar.

Hydra reads much of it as something else: ``josé`` and ``it's`` are errors to it, ``a, b`` is a sweep, ``[x]`` a list,
``${x}`` a reference. Settings that hold text (paths, names of languages and splits) mean what was typed.
"""

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

# Where Hydra wants a name, these make it fail without saying where.
_NUMBER_OR_NULL = re.compile(r"null|true|false|[+-]?[\d.][\w.+-]*|", re.IGNORECASE)


def settings_of(root: type, prefix: str = "") -> dict[str, Any]:
    """Every setting below the dataclass ``root`` by its dotted name, with its type; ``X | None`` counts as ``X``."""
    hints = get_type_hints(root)
    found: dict[str, Any] = {}
    for field in fields(root):
        kind = hints[field.name]
        alternatives = get_args(kind)
        if NoneType in alternatives:
            (kind,) = [alternative for alternative in alternatives if alternative is not NoneType]
        if is_dataclass(kind) and isinstance(kind, type):
            found |= settings_of(kind, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = kind
    return found


def quote_text(overrides: Iterable[str], root: type, *, sweep: bool = False) -> list[str]:
    """The overrides, with the values of text settings quoted wherever Hydra would not read back what was typed.

    Three things keep Hydra's meaning: ``null``, a value that stands in Hydra's own quotes (the way to a reference, as in
    ``run_dir="'runs/${seed}'"``), and in a ``sweep`` one that Hydra reads as several (``data.path=a,b``).
    """
    settings = settings_of(root)
    return [_quoted(override, settings, sweep) for override in overrides]


def _quoted(override: str, settings: dict[str, Any], sweep: bool) -> str:
    key, equals, value = override.partition("=")
    name = key.lstrip("+")
    if not equals:
        return override
    if settings.get(name) == list[str]:
        return f"{key}={_listed(value)}"
    if settings.get(name) is str:
        as_meant = _is_read_as_typed(value, sweep)
    elif name in settings or "." in name:
        as_meant = True
    else:  # the choice of a group
        as_meant = not _NUMBER_OR_NULL.fullmatch(value)
    return override if as_meant else f"{key}={literal(value)}"


def in_grammar(value: Any) -> str:
    """A plain value (None, a number, a boolean, text, a list of these) as Hydra's grammar says it."""
    if value is None:
        return "null"
    if type(value) is list:
        return f"[{','.join(map(in_grammar, value))}]"
    return literal(value) if type(value) is str else str(value).lower()


def literal(value: str) -> str:
    """The text in quotes, so that Hydra and OmegaConf read back just that."""
    # OmegaConf's turn comes after Hydra's: to it a backslash escapes `${`, and backslashes before that one are doubled.
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    return QuotedString(escaped, Quote.single).with_quotes()


def _listed(value: str) -> str:
    """``[a,b]`` with the texts between its commas in quotes, unless Hydra reads them as typed, or they stand in Hydra's own."""
    try:
        override = OverridesParser.create().parse_override(f"key={value}")
        if override.is_sweep_override():
            return value
        read = override.value()
    except HydraException:
        read = None
    is_list = value.startswith("[") and value.endswith("]")
    own_quotes = value[1:].lstrip().startswith(("'", '"'))
    as_meant = type(read) is list and all(type(one) is str for one in read) and (own_quotes or "${" not in value)
    return value if as_meant or not is_list else in_grammar([one.strip() for one in value[1:-1].split(",")])


def _is_read_as_typed(value: str, sweep: bool) -> bool:
    try:
        override = OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return False
    if override.is_sweep_override():
        return sweep
    read = override.value()
    return read is None or value.startswith(("'", '"')) or (read == value and "${" not in value)
