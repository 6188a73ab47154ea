"""The settings of a run as text in its directory, and from there back onto the command line that goes on with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from nmt.cli.compose import compose, register
from nmt.cli.overrides import in_grammar
from nmt.config.train import TrainConfig
from nmt.errors import UsageError, UserError
from nmt.models.config import ModelConfig
from nmt.plain_data import name_of
from nmt.search import STRATEGIES
from nmt.tokenizer import TokenizerConfig, TokenizerKind
from nmt.training.config import TrainingConfig
from nmt.training.schedule import SCHEDULES

CONFIG = "config.yaml"
CHOICES: dict[str, dict[str, Any]] = {"search": STRATEGIES, "schedule": SCHEDULES}
_SETTINGS = {"tokenizer": TokenizerConfig, "model": ModelConfig, "training": TrainingConfig}
_NAME = "strategy"  # of the alternative that was chosen, among its settings
# What a run that goes on may have otherwise than it was begun with. The paths are only where the same texts and
# models are now.
_MAY_CHANGE = frozenset(
    ["run_dir", "resume", "device", "num_threads", "data.path", "data.synthetic", "training.teachers"]
    + [f"training.{name}" for name in ("max_steps", "patience", "checkpoint_every", "log_every", "progress", "validate_every")]
    + [f"training.validation_{name}" for name in ("beam", "sentences", "tokenize")]
)
# Settings of earlier runs, and the values with which a run goes on without them.
_TAKEN_AWAY = {"training.r_drop": 0, "model.variational_dropout": False}


def to_text(config: DictConfig, settings: TrainConfig) -> str:
    """The resolved configuration as YAML; search and schedule say which strategy they are."""
    plain = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(plain, dict)
    for group, choices in CHOICES.items():
        plain[group] = {_NAME: name_of(getattr(settings, group), choices), **plain[group]}
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text


def saved_overrides(run_dir: str, given: Sequence[str]) -> list[str]:
    """Overrides that compose the settings of the run in ``run_dir``, to stand before those that are ``given``.

    Raises ``UserError`` if its config.yaml can't be read; there are none if there is no such file.
    """
    file = Path(run_dir) / CONFIG
    if not file.is_file():
        return []
    saved = _read(file)
    choices = {group: f"{group}={saved.pop(f'{group}.{_NAME}')}" for group in CHOICES}
    chosen = {override.partition("=")[0] for override in given if override not in choices.values()}
    overrides = [choice for group, choice in choices.items() if group not in chosen]
    others = {"run_dir", "resume"} | _bundled(given)
    settings = {name: value for name, value in saved.items() if name not in others}
    return overrides + [f"{name}={in_grammar(value)}" for name, value in settings.items() if name.partition(".")[0] not in chosen]


def _bundled(given: Sequence[str]) -> set[str]:
    """The settings that a typed ``experiment`` or ``recipe`` brings along: as good as typed."""
    alone = [override for override in given if override.partition("=")[0] not in ("experiment", "recipe")]
    if len(alone) == len(given):
        return set()
    register("train", TrainConfig, CHOICES)
    composed = (compose("train", TrainConfig, overrides) for overrides in (given, [*alone, "recipe=null"]))
    together, apart = (_flat(OmegaConf.to_container(config, enum_to_str=True)) for config in composed)  # type: ignore[arg-type]
    return {name for name, value in together.items() if value != apart.get(name)}


def check_unchanged(run_dir: str, text: str) -> None:
    """Settings that belong to what was trained so far must be those in the run's config.yaml. Raises ``UsageError``.

    ``text`` are those to go on with, as ``to_text`` gives them.
    """
    file = Path(run_dir) / CONFIG
    if not file.is_file():
        return
    saved, now = _read(file), _flat(yaml.safe_load(text))
    for name, value in now.items():
        if value != saved.get(name, value) and name not in _MAY_CHANGE and not name.startswith("search."):
            typed, begun = name.removesuffix(f".{_NAME}"), saved[name]
            raise UsageError(f"`{typed}` must stay {_shown(begun)} in a run that goes on, but is {_shown(value)} instead")


def _read(file: Path) -> dict[str, Any]:
    """The settings that the file holds, by their dotted names, and those that it is too old to hold: these were then what their
    dataclasses say, as in a model's config.json, whatever conf/ says now. Raises ``UserError``.
    """
    try:
        saved = _flat(yaml.safe_load(file.read_text(encoding="utf-8")))
        absent = [name for name in (f"{group}.{_NAME}" for group in CHOICES) if name not in saved]
    except (yaml.YAMLError, UnicodeError, AttributeError) as error:
        raise UserError(
            f"`{file}` must hold the settings of a run, but can't be read as such: {' '.join(str(error).split())}"
        ) from error
    if absent:
        raise UserError(f"`{file}` must hold the settings of a run, but has no `{absent[0]}`")
    if saved.get("training.subword_alpha", 0) is None:  # the default before 8,000 pieces
        saved["training.subword_alpha"] = 0.1 if saved.get("tokenizer.kind") == TokenizerKind.bpe else 0.5
    for name, unused in _TAKEN_AWAY.items():
        if saved.get(name) == unused:
            del saved[name]
    defaults: Any = OmegaConf.to_container(OmegaConf.create(_SETTINGS), enum_to_str=True)
    return _flat(defaults) | saved


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if type(value) is dict else {f"{prefix}{name}": value}
    return flat


def _shown(value: Any) -> str:
    return f"`{value}`" if type(value) is str else in_grammar(value)
