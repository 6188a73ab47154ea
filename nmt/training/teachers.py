"""The finished models that a new one learns from, beside its corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from nmt.errors import UserError
from nmt.model_directory import WEIGHTS, check_alike, load_model_directory
from nmt.models.seq2seq import Seq2Seq
from nmt.tokenizer import TokenizerPair
from nmt.training.checkpoint import checksum


def load_teachers(
    directories: Sequence[str], languages: tuple[str, str], tokenizers: TokenizerPair, device: torch.device
) -> tuple[list[Seq2Seq], str]:
    """The networks in these model directories, in evaluation mode, and a sha256 of all their weights ("" of none).

    No random number is drawn. Raises ``UserError`` if one can't be read, or has other ``languages`` or other ``tokenizers``.
    """
    try:
        teachers = [load_model_directory(Path(directory).expanduser()) for directory in directories]
        for teacher in teachers:
            check_alike(teacher, "this run", languages, tokenizers)
        sums = [checksum(teacher.directory / WEIGHTS) for teacher in teachers]
        with torch.random.fork_rng(devices=[]):  # a network is built with fresh weights before its own are read
            networks = [teacher.model.to(device) for teacher in teachers]
    except UserError as error:
        raise UserError(f"`training.teachers`: {error}") from error
    return networks, "sha256:" + hashlib.sha256("".join(sums).encode()).hexdigest() if sums else ""
