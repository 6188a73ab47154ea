"""The test set of a command line: two files, or a split of `data`; shared by evaluate and compare."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nmt.data.parallel import read_lines
from nmt.errors import UsageError, UserError

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


def read_beside(path: str, sentences: int) -> list[str]:
    """The lines of a file that goes with a test set of so many ``sentences``. Raises ``UserError`` unless it has as many."""
    lines = list(read_lines(path))
    if len(lines) != sentences:
        rule = f"must have a line for each of the {sentences} sentences of the test set"
        raise UserError(f"{path} {rule}, but has {len(lines)} instead")
    return lines
