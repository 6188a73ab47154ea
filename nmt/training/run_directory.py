"""The directory of a run: one that holds a config.yaml holds a run that can go on."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nmt.atomic import atomic_directory, synchronise
from nmt.errors import UserError
from nmt.model_directory import check_place
from nmt.tokenizer import TokenizerPair
from nmt.training.checkpoint import has_checkpoint

CONFIG, TOKENIZER, CHECKPOINTS, MODEL = "config.yaml", "tokenizer", "checkpoints", "model"


def check_run_directory(run_dir: Path, resume: bool) -> None:
    """A run begins in a new directory, and goes on in one with a checkpoint; its model will have a place there. Raises
    ``UserError``.
    """
    if (run_dir / CONFIG).exists() and not resume:
        begun = has_checkpoint(run_dir / CHECKPOINTS)
        way = "add `resume=true` to go on with it" if begun else "it has no checkpoint, remove it"
        raise UserError(f"`run_dir` must be a new directory, but `{run_dir}` holds a run already: {way}")
    if resume and not has_checkpoint(run_dir / CHECKPOINTS):
        raise UserError(f"`resume=true` needs a run with a checkpoint, but `{run_dir}` has none")
    check_place(run_dir / MODEL)


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Nobody else trains in the directory, which is made if need be, until the block ends or the process dies.

    Raises ``UserError`` if someone does, or if it can't be made.
    """
    with _writing(run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        directory = os.open(run_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:  # otherwise a file system without locks
                raise UserError(f"`run_dir` must be no other run's, but one is training in `{run_dir}` now") from error
        yield
    finally:
        os.close(directory)


def write_tokenizers(run_dir: Path, tokenizers: TokenizerPair) -> None:
    """Put the tokenizers there, in place of any that a run left which ended as it began. Raises ``UserError`` if it can't be
    written to.
    """
    with atomic_directory(run_dir / TOKENIZER) as directory:
        tokenizers.save(directory)


def write_settings(run_dir: Path, config_yaml: str) -> None:
    """Put the settings there, whole or not at all. Raises ``UserError`` if it can't be written to."""
    with _writing(run_dir):
        new = run_dir / f".{CONFIG}.saving"
        new.write_text(config_yaml, encoding="utf-8")
        synchronise(new)
        new.replace(run_dir / CONFIG)
        synchronise(run_dir)


@contextmanager
def _writing(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror
        raise UserError(f"`run_dir` must be a directory that can be written to, but `{run_dir}` is not: {reason}") from error
