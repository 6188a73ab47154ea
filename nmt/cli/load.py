"""Model directories and settings from the command line become a translator; shared by all who translate."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from omegaconf import DictConfig

from nmt.backends import Backend
from nmt.cli.compose import compose, search_overrides, to_settings
from nmt.config.translate import TranslateConfig
from nmt.errors import UsageError
from nmt.model_directory import LoadedModel
from nmt.translator import Translator

# A setting is a name and its value; `runs/seed=1` is a path.
_SETTING = re.compile(r"[^/=]+=")


def told_apart(arguments: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Paths and settings. Raises ``UsageError`` if there is no path; ``what`` says of what."""
    settings = [argument for argument in arguments if _SETTING.match(argument) and not os.path.isdir(argument)]
    paths = [argument for argument in arguments if argument not in settings]
    if not paths:
        raise UsageError(f"at least one {what} must be given, but there are only settings")
    return paths, settings


def compose_for(model: LoadedModel, command: str, root: type[TranslateConfig], overrides: Sequence[str]) -> DictConfig:
    """The settings of ``command``: the search begins as the model's own, unless another one is chosen."""
    chosen = any(override.lstrip("+").startswith("search=") for override in overrides)
    return compose(command, root, [*([] if chosen else search_overrides(model.search)), *overrides])


def settings_to_look_inside(model: LoadedModel, overrides: Sequence[str]) -> TranslateConfig:
    """As in ``nmt translate``, but that PyTorch computes, which knows the gates, and that a beam's hypotheses are all kept.

    Raises ``UsageError`` if something else is asked to compute.
    """
    config = compose_for(model, "translate", TranslateConfig, overrides)
    if "beam_size" in config.search and not any(override.lstrip("+").startswith("search.n_best=") for override in overrides):
        config.search.n_best = config.search.beam_size
    settings = to_settings(config, TranslateConfig)
    if settings.backend == Backend.onnx or settings.quantised or settings.shortlist:
        raise UsageError("`nmt inspect` must compute with PyTorch in fp32, but `backend` or `quantised` says otherwise")
    return replace(settings, backend=Backend.torch)


def translator_of(model: LoadedModel, settings: TranslateConfig, *others: LoadedModel) -> Translator:
    """The translator that the settings ask for, on their device; with ``others`` their ensemble. Raises ``UserError`` if there
    is no such device.
    """
    return Translator.of(
        (model, *others),
        settings.search,
        settings.device.value,
        settings.backend,
        quantised=settings.quantised,
        shortlist=settings.shortlist,
        num_threads=settings.num_threads,
    )
