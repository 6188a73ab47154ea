"""JSON files as dataclasses, checked key by key, so that a foreign file is a sentence and not a traceback."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from nmt.errors import UserError

Settings = TypeVar("Settings")


def read_settings(file: Path, kind: type[Settings], values: dict[str, Any]) -> Settings:
    """An object of the dataclass ``kind`` from the ``values`` that ``file`` holds; what does not fit is a ``UserError``."""
    try:
        return _dataclass(kind, values)
    except UserError as error:
        raise UserError(f"`{file}`: {error}") from error


def _dataclass(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """An object of the dataclass ``kind`` from plain JSON values. Absent keys take their defaults."""
    types = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise UserError(f"the key `{name}` is unknown, and must be one of {', '.join(sorted(known))}")
    for name, field in known.items():
        if field.default is MISSING and field.default_factory is MISSING and name not in values:
            raise UserError(f"the key `{name}` is missing")
    return kind(**{name: _value(name, types[name], value) for name, value in values.items()})


def _value(name: str, kind: Any, value: Any) -> Any:
    if get_origin(kind) is list:
        if type(value) is not list:
            raise UserError(f"`{name}` must be of type list, but is {json.dumps(value)} instead")
        return [_value(name, get_args(kind)[0], one) for one in value]
    alternatives = [alternative for alternative in get_args(kind) if alternative is not NoneType]
    if alternatives:  # `X | None`
        return None if value is None else _value(name, alternatives[0], value)
    nested = is_dataclass(kind)
    if nested and type(value) is dict:
        return _dataclass(kind, value)
    if issubclass(kind, Enum):
        choices = [member.value for member in kind]
        if value not in choices:
            raise UserError(f"`{name}` must be one of {', '.join(choices)}, but is {json.dumps(value)} instead")
        return kind(value)
    if kind is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"`{name}` must be a number below 10^308, but has {len(str(value))} digits") from None
    if type(value) is not kind:
        wanted = "object" if nested else kind.__name__
        raise UserError(f"`{name}` must be of type {wanted}, but is {json.dumps(value)} instead")
    return value


def name_of(value: object, alternatives: Mapping[str, type]) -> str:
    """The name under which the class of ``value`` stands among the ``alternatives``."""
    return next(name for name, kind in alternatives.items() if kind is type(value))


def write_json(file: Path, values: Mapping[str, object]) -> None:
    """One object, for people to read too."""
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(file: Path) -> dict[str, Any]:
    """The one object that the file holds. Raises ``UserError``."""
    try:
        values = json.loads(read_bytes(file))
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise UserError(f"`{file}` is damaged or no JSON: {error}") from error
    if type(values) is not dict:
        raise UserError(f"`{file}` must hold a JSON object, but holds a {type(values).__name__} instead")
    return values


def read_bytes(file: Path) -> bytes:
    """The file, whole. Raises ``UserError`` that names it."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"`{file}` is missing") from error
    except OSError as error:
        raise UserError(f"`{file}` can't be read: {error.strerror}") from error
