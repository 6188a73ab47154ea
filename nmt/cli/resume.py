"""The settings of a run as text in its directory, and from there back onto the command line that goes on with it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from nmt.cli.overrides import literal
from nmt.config.train import TrainConfig
from nmt.errors import UserError
from nmt.plain_data import name_of
from nmt.search import STRATEGIES
from nmt.training.schedule import SCHEDULES

CONFIG = "config.yaml"
CHOICES: dict[str, dict[str, Any]] = {"search": STRATEGIES, "schedule": SCHEDULES}
_NAME = "strategy"  # of the alternative that was chosen, among its settings


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
    chosen = {override.partition("=")[0] for override in given}
    try:
        saved = yaml.safe_load(file.read_text(encoding="utf-8"))
        overrides = [f"{group}={saved[group].pop(_NAME)}" for group in CHOICES if group not in chosen]
        return overrides + [setting for setting in _settings(saved) if setting.partition(".")[0] not in chosen]
    except (yaml.YAMLError, UnicodeError, AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"`{file}` must hold the settings of a run, but can't be read as such: {' '.join(str(error).split())}"
        ) from error


def _settings(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if name in ("run_dir", "resume") and not prefix:
            continue
        if type(value) is dict:
            yield from _settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={_value(value)}"


def _value(value: Any) -> str:
    if value is None:
        return "null"
    return literal(value) if type(value) is str else str(value).lower()
