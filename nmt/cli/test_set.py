"""The sentences of the test set that a command line asks for; shared by evaluate and compare."""

import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.compose import to_settings
from nmt.cli.load import compose_for
from nmt.config.evaluate import EvaluateConfig
from nmt.data.corpus import load_pairs
from nmt.data.parallel import read_parallel
from nmt.errors import UserError
from nmt.evaluation import count
from nmt.model_directory import LoadedModel


def settings_for(model: LoadedModel, overrides: Sequence[str], files: tuple[Path, Path] | None) -> EvaluateConfig:
    """The settings with which ``model`` translates the test set and is scored."""
    config = compose_for(model, "evaluate", EvaluateConfig, overrides)
    if files is not None:
        config.data = None
    return to_settings(config, EvaluateConfig)


def read_test_set(
    settings: EvaluateConfig, files: tuple[Path, Path] | None, languages: tuple[str, str]
) -> tuple[list[str], list[str]]:
    """Sources and references, line by line, for models that translate between the ``languages``; blank ones stay.

    Also tries whether they can be scored: a tokeniser that is missing shows now, not after the work.
    """
    if files is not None:
        pairs = list(read_parallel(*files))
        sources, references = [source for source, _ in pairs], [reference for _, reference in pairs]
    else:
        data = settings.data
        assert data is not None
        _compare_languages((data.source, data.target), languages)
        names = {"train": data.train, "validation": data.validation, "test": data.test}
        name, *first = settings.split.partition("[")
        found = load_pairs(data, "".join([names.get(name, name), *first]), keep_blank=True)
        sources, references = found.sources(), found.targets()
    first = references[:1]
    count(first, first, tokenize=settings.tokenize, target_language=languages[1], lowercase=settings.lowercase)
    return sources, references


def _compare_languages(found: tuple[str, str], wanted: tuple[str, str]) -> None:
    """Languages are names of columns: others may be the same ones by another name, but not if they are turned around."""
    if found == wanted or not all(found):  # what is empty is told as the corpus is read
        return
    told = f"the test set must go from {' to '.join(wanted)}, as the model does, but `data` goes from {' to '.join(found)}"
    if found == wanted[::-1]:
        raise UserError(told)
    print(f"warning: {told}", file=sys.stderr)
