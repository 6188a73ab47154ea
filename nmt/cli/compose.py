"""From override strings to checked dataclasses: here the configuration stops being Hydra's."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nmt.cli.messages import explain, unknown_setting
from nmt.cli.overrides import in_grammar, quote_text, settings_of
from nmt.errors import UsageError, UserError
from nmt.plain_data import name_of
from nmt.search import STRATEGIES
from nmt.search.base import SearchStrategy

SEARCH: dict[str, Mapping[str, type]] = {"search": STRATEGIES}
HYDRA_VERSION = "1.3"  # whose behaviour `version_base` asks for

_HYDRA_VALUE_ERRORS = ("Config group override", "Only one of --run", "The --resolve flag")

Root = TypeVar("Root")


def config_directory() -> str:
    """The absolute path of ``conf/``: in the package where it was installed, beside it in a working copy."""
    package = Path(__file__).resolve().parents[1]
    for directory in (package / "conf", package.parent / "conf"):
        if (directory / "train.yaml").is_file():
            return str(directory)
    raise UserError(f"the folder `conf` must be in or beside `{package}`, but is in neither: install nmt again")


def register(command: str, root: type, groups: Mapping[str, Mapping[str, type]] = SEARCH) -> None:
    """Let ``conf/`` refer to the dataclasses as schemas: YAML is checked against them as it is composed.

    ``groups`` are the settings that have alternatives, each a dataclass by the name of its file in ``conf/``.
    """
    store = ConfigStore.instance()
    store.store(name=f"{command}_schema", node=root)
    for group, alternatives in groups.items():
        for name, settings in alternatives.items():
            store.store(group=f"schema/{group}", name=name, node=settings)


def compose(command: str, root: type, overrides: Sequence[str]) -> DictConfig:
    """``conf/<command>.yaml`` with the overrides applied. Raises ``UsageError``."""
    register(command, root)
    with hydra_errors(root), hydra.initialize_config_dir(config_directory(), version_base=HYDRA_VERSION):
        return hydra.compose(command, quote_text(overrides, root))


def to_settings(config: DictConfig, root: type[Root]) -> Root:
    """The composed configuration as a ``root``; each dataclass checks its values. Raises ``UsageError``."""
    with hydra_errors(root):
        _refuse_strangers(config, settings_of(root))
        missing = OmegaConf.missing_keys(config)
    if missing:
        names = ", ".join(f"`{name}`" for name in sorted(missing))
        raise UsageError(f"{names} must be given, but {'is' if len(missing) == 1 else 'are'} missing")
    try:
        with hydra_errors(root):
            settings = OmegaConf.to_object(config)
    except UserError as error:  # a dataclass refused a value
        raise UsageError(str(error)) from error
    assert isinstance(settings, root)
    return settings


def search_overrides(search: SearchStrategy) -> list[str]:
    """Overrides that compose exactly ``search``: a model's own settings, for the user's to follow."""
    settings = [f"search.{key}={in_grammar(value)}" for key, value in asdict(search).items()]
    return [f"search={strategy_name(search)}", *settings]


def strategy_name(search: SearchStrategy) -> str:
    """The name by which ``search=`` chooses the strategy."""
    return name_of(search, STRATEGIES)


def search_values(search: SearchStrategy) -> dict[str, object]:
    """The strategy's name and its settings, for the record."""
    return {"strategy": strategy_name(search), **asdict(search)}


def describe_search(search: SearchStrategy) -> str:
    """The same in a line to be read."""
    return ", ".join(f"{name} {value}" for name, value in search_values(search).items())


@contextmanager
def hydra_errors(root: type) -> Iterator[None]:
    """Whatever Hydra and OmegaConf have to say becomes a ``UsageError`` of one sentence."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(explain(error, settings_of(root))) from error
    except ValueError as error:
        if not str(error).startswith(_HYDRA_VALUE_ERRORS):
            raise  # a mistake of ours
        raise UsageError(str(error)) from error


def _refuse_strangers(config: DictConfig, settings: Mapping[str, Any], prefix: str = "") -> None:
    """Hydra takes ``+model.extra=1`` and OmegaConf would hang it on the object: nothing may go unread."""
    known = {field.name for field in fields(OmegaConf.get_type(config))}  # type: ignore[arg-type]
    for name in map(str, config):
        if name not in known:
            raise UsageError(unknown_setting(f"{prefix}{name}", settings))
        if not OmegaConf.is_missing(config, name) and OmegaConf.is_dict(config[name]):
            _refuse_strangers(config[name], settings, f"{prefix}{name}.")
