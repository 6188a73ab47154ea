"""The finished models that a new one learns from, beside its corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from nmt.errors import UserError
from nmt.model_directory import WEIGHTS, LoadedModel, load_model_directory
from nmt.models.seq2seq import Seq2Seq
from nmt.plain_data import read_bytes
from nmt.tokenizer import TokenizerPair


def load_teachers(
    directories: Sequence[str], languages: tuple[str, str], tokenizers: TokenizerPair, device: torch.device
) -> tuple[list[Seq2Seq], str]:
    """The networks in these model directories, in evaluation mode, and a sha256 of all their weights ("" of none).

    Raises ``UserError`` if one can't be read, or if it has other ``languages`` (source, target) or other ``tokenizers``.
    """
    loaded = [load_model_directory(directory) for directory in directories]
    for teacher in loaded:
        _check(teacher, languages, tokenizers)
    sums = [hashlib.sha256(read_bytes(teacher.directory / WEIGHTS)).hexdigest() for teacher in loaded]
    fingerprint = "sha256:" + hashlib.sha256("".join(sums).encode()).hexdigest() if sums else ""
    return [teacher.model.to(device) for teacher in loaded], fingerprint


def _check(teacher: LoadedModel, languages: tuple[str, str], tokenizers: TokenizerPair) -> None:
    if teacher.languages != languages:
        raise UserError(
            f"`training.teachers` must translate {' to '.join(languages)}, as this run does,"
            f" but `{teacher.directory}` translates {' to '.join(teacher.languages)} instead"
        )
    fingerprints = zip(tokenizers.fingerprints, teacher.tokenizers.fingerprints, strict=True)
    for side, (expected, found) in zip(("source", "target"), fingerprints, strict=True):
        if found != expected:
            raise UserError(
                f"`training.teachers` must have the {side} tokenizer of this run ({expected}), but `{teacher.directory}` has"
                f" {found} instead: train with its own, by `tokenizer.path` (or `tokenizer.source_path`, `tokenizer.target_path`)"
            )
