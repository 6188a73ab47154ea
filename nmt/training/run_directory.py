"""The directory of a run: one that holds a config.yaml holds a run that can go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nmt.atomic import synchronise
from nmt.errors import UserError
from nmt.tokenizer import TokenizerPair
from nmt.training.checkpoint import has_checkpoint

CONFIG, TOKENIZER, CHECKPOINTS, MODEL = "config.yaml", "tokenizer", "checkpoints", "model"


def check_run_directory(run_dir: Path, resume: bool) -> None:
    """A run begins in a new directory, and goes on in one with a checkpoint. Raises ``UserError``."""
    if (run_dir / CONFIG).exists() and not resume:
        begun = has_checkpoint(run_dir / CHECKPOINTS)
        way = "add `resume=true` to go on with it" if begun else "it has no checkpoint, remove it"
        raise UserError(f"`run_dir` must be a new directory, but `{run_dir}` holds a run already: {way}")
    if resume and not has_checkpoint(run_dir / CHECKPOINTS):
        raise UserError(f"`resume=true` needs a run with a checkpoint, but `{run_dir}` has none")


def write_tokenizers(run_dir: Path, tokenizers: TokenizerPair) -> None:
    """Make the directory and put the tokenizers there. Raises ``UserError`` if it can't be written to."""
    with _writing(run_dir):
        (run_dir / TOKENIZER).mkdir(parents=True, exist_ok=True)
        tokenizers.save(run_dir / TOKENIZER)
        for file in (*(run_dir / TOKENIZER).iterdir(), run_dir / TOKENIZER):
            synchronise(file)


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
