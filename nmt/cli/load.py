"""A model directory and settings from the command line become a translator; shared by translate and evaluate."""

from collections.abc import Sequence

from omegaconf import DictConfig

from nmt.cli.compose import compose, search_overrides
from nmt.config.translate import TranslateConfig
from nmt.model_directory import LoadedModel
from nmt.translator import Translator, torch_model


def compose_for(model: LoadedModel, command: str, root: type[TranslateConfig], overrides: Sequence[str]) -> DictConfig:
    """The settings of ``command``: the search begins as the model's own, unless another one is chosen."""
    chosen = any(override.startswith("search=") for override in overrides)
    return compose(command, root, [*([] if chosen else search_overrides(model.search)), *overrides])


def translator_of(model: LoadedModel, settings: TranslateConfig) -> Translator:
    """The translator that the settings ask for, on their device. Raises ``UserError`` if there is no such device."""
    import torch

    if settings.num_threads is not None:
        torch.set_num_threads(settings.num_threads)
    return Translator(torch_model(model, settings.device.value), model.tokenizers, settings.search, model.max_source_length)
