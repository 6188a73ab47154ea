"""The test set of a command line: two files, or a split of `data`; shared by evaluate and compare."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.compose import to_settings
from nmt.cli.load import compose_for
from nmt.config.evaluate import EvaluateConfig
from nmt.data.corpus import load_pairs
from nmt.data.parallel import read_parallel
from nmt.errors import UsageError
from nmt.evaluation import count
from nmt.model_directory import LoadedModel

HELP = """\
the test set is one of
  --source FILE --reference FILE
  data=toy|parallel|multi30k_en_de|…  data.path=DIR  split=test|validation|train

settings:
  tokenize=13a   sacreBLEU's tokeniser; without it, that of the target language
  lowercase=true   ignore case in BLEU and chrF
  search, batch_size, device, num_threads: see nmt translate --help
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--source`` and ``--reference``."""
    parser.add_argument("--source", metavar="FILE", help="the test set in the source language, a sentence a line (.gz too)")
    parser.add_argument("--reference", metavar="FILE", help="its translation, line by line")


def chosen_files(source: str | None, reference: str | None, overrides: Sequence[str]) -> tuple[Path, Path] | None:
    """The two files that are the test set, or None if it is `data`. Raises ``UsageError`` unless it is one of these."""
    given = [setting for setting in overrides if setting.startswith(("data=", "data.", "split="))]
    if source and reference:
        if given:
            raise UsageError(f"the test set must be either --source and --reference or `data`, but is both ({given[0]})")
        return Path(source), Path(reference)
    if source or reference:
        raise UsageError("--source and --reference must be given together, but only one is there")
    if not given:
        raise UsageError("the test set must be given, by --source FILE and --reference FILE or by `data=…`, but is not")
    return None


def settings_for(model: LoadedModel, overrides: Sequence[str], files: tuple[Path, Path] | None) -> EvaluateConfig:
    """The settings with which ``model`` translates the test set and is scored."""
    config = compose_for(model, "evaluate", EvaluateConfig, overrides)
    if files is not None:
        config.data = None
    return to_settings(config, EvaluateConfig)


def read_test_set(settings: EvaluateConfig, files: tuple[Path, Path] | None, target_language: str) -> tuple[list[str], list[str]]:
    """Sources and references, line by line; blank ones stay.

    Also tries whether they can be scored: a tokeniser that is missing shows now, not after the work.
    """
    if files is not None:
        pairs = list(read_parallel(*files))
        sources, references = [source for source, _ in pairs], [reference for _, reference in pairs]
    else:
        data = settings.data
        assert data is not None
        names = {"train": data.train, "validation": data.validation, "test": data.test}
        found = load_pairs(data, names.get(settings.split, settings.split), keep_blank=True)
        sources, references = found.sources(), found.targets()
    first = references[:1]
    count(first, first, tokenize=settings.tokenize, target_language=target_language, lowercase=settings.lowercase)
    return sources, references
