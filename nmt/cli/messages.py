"""What Hydra and OmegaConf say on many lines, said in one sentence that names the setting."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import BooleanNode, EnumNode, FloatNode, IntegerNode, StringNode
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

_KINDS = {IntegerNode: "a whole number", FloatNode: "a number", BooleanNode: "true or false", StringNode: "text"}
# Lines that tell of Hydra's insides, or advise what `nmt` refuses.
_NOISE = re.compile(r"^\s*(full_key|reference_type|object_type|provider=|Config search path|To append to|See https)")


def explain(error: Exception, settings: Mapping[str, Any]) -> str:
    """One sentence for what went wrong while overrides were read; ``settings`` are the known ones by dotted name."""
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(error, OverrideParseException):
        return f"`{error.override}` must be a setting and its value (`name=value`), but Hydra's grammar can't read it so"
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, found = error.missing_cfg_file.rpartition("/")
        return wrong_choice(group, error.options, found)
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return _unknown_setting(cause, settings)
    if isinstance(cause, ValidationError) and cause.full_key:
        return _wrong_value(cause)
    if several := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'", str(error)):
        return f"`{several[1]}` must have one value, but has several; `nmt train -m` trains once for each"
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return f"`{cause.full_key}`: {_one_line(str(cause))}"  # a reference to nothing, an attempt to delete
    return _one_line(str(error))


def unknown_setting(name: str, known: Iterable[str]) -> str:
    """There is no setting ``name``; perhaps one of the ``known`` ones was meant."""
    return f"`{name}` must be a setting that exists, but `nmt` has none of that name{_did_you_mean(name, list(known))}"


def _did_you_mean(found: str, known: Sequence[str]) -> str:
    """``; did you mean `x`?`` for the name that differs in its last part only, and little; or else in its group only."""
    parent, _, name = found.rpartition(".")
    beside = [other for other in known if other.rpartition(".")[0] == parent]
    for candidates, likeness in ((beside, 0.6), (known, 0.7)):
        by_last_part: dict[str, str] = {}
        for candidate in candidates:
            by_last_part.setdefault(candidate.rpartition(".")[2], candidate)
        close = get_close_matches(name, by_last_part, n=1, cutoff=likeness)
        if close:
            return f"; did you mean `{by_last_part[close[0]]}`?"
    return ""


def wrong_choice(name: str, choices: Iterable[str], found: object) -> str:
    """`name` must be one of the ``choices``; perhaps the one most like what was ``found`` was meant."""
    known = list(choices)
    return f"`{name}` must be one of {', '.join(known)}, but is `{found}` instead{_did_you_mean(str(found), known)}"


def _unknown_setting(cause: ConfigAttributeError | ConfigKeyError, settings: Mapping[str, Any]) -> str:
    name = str(cause.full_key)
    if not is_dataclass(cause.object_type):
        return unknown_setting(name, settings)
    # Of a group with alternatives, `settings` are only those that all share.
    parent = name.rpartition(".")[0]
    chosen = [f"{parent}.{field.name}".removeprefix(".") for field in fields(cause.object_type)]
    return unknown_setting(name, [*settings, *chosen])


def _wrong_value(cause: ValidationError) -> str:
    name, node = str(cause.full_key), cause.child_node
    found = "null" if cause.value is None else cause.value
    if isinstance(node, EnumNode):
        return wrong_choice(name, [member.name for member in node.enum_type], found)
    if "is not a ListConfig" in str(cause):
        return f"`{name}` must be a list in brackets (`[a,b]`), but is `{found}` instead"
    kind = _KINDS.get(type(node))
    if kind is None:
        return f"`{name}`: {_one_line(str(cause))}"
    return f"`{name}` must be {kind}, but is `{found}` instead"


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.match(line)]
    return " ".join(lines)
