"""A model directory and settings from the command line become a translator; shared by translate and evaluate."""

from collections.abc import Sequence

from omegaconf import DictConfig

from nmt.backends import model_of
from nmt.cli.compose import compose, search_overrides
from nmt.config.translate import TranslateConfig
from nmt.model_directory import LoadedModel
from nmt.translator import Translator


def compose_for(model: LoadedModel, command: str, root: type[TranslateConfig], overrides: Sequence[str]) -> DictConfig:
    """The settings of ``command``: the search begins as the model's own, unless another one is chosen."""
    chosen = any(override.startswith("search=") for override in overrides)
    return compose(command, root, [*([] if chosen else search_overrides(model.search)), *overrides])


def translator_of(model: LoadedModel, settings: TranslateConfig) -> Translator:
    """The translator that the settings ask for, on their device. Raises ``UserError`` if there is no such device."""
    stepped = model_of(
        model,
        settings.device.value,
        settings.backend,
        quantised=settings.quantised,
        shortlist=settings.shortlist,
        num_threads=settings.num_threads,
    )
    return Translator(stepped, model.tokenizers, settings.search, model.max_source_length)
