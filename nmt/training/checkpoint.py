"""Checkpoints: everything that a run needs to go on, written atomically, checked and read without running code.

model.safetensors     the weights
average.safetensors   their moving average
optimizer.pt          moments, and the states of each process's random generators (read with ``weights_only=True``: tensors
                      and plain values)
progress.json         step, cursor, best score, counters, fingerprints
SHA256SUMS            the checksums of the others, as ``sha256sum -c`` reads them

A run keeps three of them: ``last``, ``previous`` (the ``last`` before it) and ``best``.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import nn

from nmt.atomic import atomic_directory
from nmt.data.batching import Cursor
from nmt.errors import UserError
from nmt.model_directory import dump_weights, load_weights
from nmt.plain_data import read_bytes, read_json, read_settings, write_json
from nmt.training.averaging import WeightAverage
from nmt.training.randomness import restore_random_state

WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS = "model.safetensors", "average.safetensors", "optimizer.pt", "progress.json"
CHECKSUMS = "SHA256SUMS"
LAST, PREVIOUS, BEST, DAMAGED = "last", "previous", "best", "damaged"


@dataclass
class Fingerprints:
    """What a run was begun with: sha256 of the texts of both splits and of the tokenizers."""

    train: str = ""
    validation: str = ""
    source_tokenizer: str = ""
    target_tokenizer: str = ""


@dataclass
class Progress:
    """How far a run has come. ``bad_validations`` counts those since the best one; ``seconds`` is the time spent training.

    ``skipped_in_a_row`` are the updates just before this one that were not finite; ``returns`` counts how often the run went
    back to a checkpoint for them, each time with half the learning rate.
    """

    step: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    best_bleu: float = -1.0
    best_step: int = 0
    bad_validations: int = 0
    seconds: float = 0.0
    skipped_in_a_row: int = 0
    returns: int = 0
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    @property
    def rate_factor(self) -> float:
        """What is left of the learning rate."""
        return 0.5**self.returns


@dataclass
class Training:
    """What changes while a model is trained."""

    model: nn.Module
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    progress: Progress

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.average.parameters[0].device


def has_checkpoint(directory: Path) -> bool:
    """Whether there is anything to go on from among the checkpoints in ``directory``."""
    return any((directory / name).is_dir() for name in (LAST, PREVIOUS))


def save_checkpoint(path: Path, training: Training, random: list[dict[str, Any]], previous: Path | None = None) -> None:
    """Write the checkpoint directory ``path``; until it is complete, the one before it stays, and then as ``previous``.

    ``random`` are the ``random_state`` of all processes.
    """
    optimizer = io.BytesIO()  # torch's own file writer hides a full disk behind a RuntimeError
    torch.save({"optimizer": training.optimizer.state_dict(), "random": random}, optimizer)
    with atomic_directory(path, previous) as folder:
        (folder / WEIGHTS).write_bytes(dump_weights(training.model))
        (folder / AVERAGE).write_bytes(dump_tensors(training.average.state()))
        (folder / OPTIMIZER).write_bytes(optimizer.getvalue())
        write_json(folder / PROGRESS, asdict(training.progress))
        sums = "".join(f"{_checksum(folder / name)}  {name}\n" for name in (WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS))
        (folder / CHECKSUMS).write_text(sums, encoding="utf-8")


def find_checkpoint(directory: Path, names: Sequence[str], files: Sequence[str], warn: Callable[[str], None]) -> Path:
    """The first of the checkpoints ``names`` in ``directory`` whose ``files`` are as they were written.

    ``warn`` is told of those that are not; there must be one that is (``UserError``).
    """
    problems = []
    for name in names:
        problem = _damage(directory / name, files)
        if problem is None:
            return directory / name
        problems.append(problem)
        if name != names[-1]:
            warn(f"warning: {problem}; trying the checkpoint `{names[len(problems)]}`")
    raise UserError(f"a checkpoint in `{directory}` must be whole, but {', and '.join(problems)}")


def resume_from_checkpoint(directory: Path, training: Training, warn: Callable[[str], None], rank: int, size: int) -> int:
    """Put the newest checkpoint in ``directory`` that is whole into ``training``; a damaged one is renamed to ``damaged``.

    Returns how many processes had written it. Only if they were ``size`` do the random generators of this one, number
    ``rank``, go on too.
    """
    path = find_checkpoint(directory, (LAST, PREVIOUS), (WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS), warn)
    processes = _load(path, training, rank, size)
    last = directory / LAST
    if rank == 0 and path != last and last.is_dir():  # it must not become `previous` in place of the whole one
        shutil.rmtree(directory / DAMAGED, ignore_errors=True)
        last.rename(directory / DAMAGED)
    return processes


def load_average(directory: Path, training: Training, warn: Callable[[str], None]) -> int:
    """Put the averaged weights of the best checkpoint into the model, for good; returns the step that they are of.

    If that checkpoint is damaged, they are the last ones.
    """
    path = find_checkpoint(directory, (BEST, LAST, PREVIOUS), (AVERAGE, PROGRESS), warn)
    _load_average(path, training)
    training.average.put_in()
    return _read_progress(path).step


def _load(path: Path, training: Training, rank: int, size: int) -> int:
    progress = _read_progress(path)
    _check_fingerprints(progress.fingerprints, training.progress.fingerprints)
    load_weights(path / WEIGHTS, training.model)
    _load_average(path, training)
    try:
        stored = torch.load(io.BytesIO(read_bytes(path / OPTIMIZER)), map_location="cpu", weights_only=True)
        training.optimizer.load_state_dict(stored["optimizer"])
        random = stored["random"]
        if len(random) == size:
            restore_random_state(random[rank], training.device)
    except (ValueError, TypeError, KeyError, RuntimeError, EOFError, UnpicklingError) as error:
        raise UserError(f"checkpoint `{path}` is of another configuration: {error}") from error
    training.progress = progress
    return len(random)


def _load_average(path: Path, training: Training) -> None:
    try:
        training.average.load(load_tensors(read_bytes(path / AVERAGE)))
    except (KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"checkpoint `{path}` is of another configuration: {error}") from error


def _read_progress(path: Path) -> Progress:
    return read_settings(path / PROGRESS, Progress, read_json(path / PROGRESS))


def _check_fingerprints(begun: Fingerprints, found: Fingerprints) -> None:
    for name, fingerprint in asdict(begun).items():
        if getattr(found, name) != fingerprint:
            tokenizer = name.endswith("tokenizer")
            what = f"the {name.replace('_', ' ')} in `run_dir`" if tokenizer else f"the {name} split of `data.path`"
            raise UserError(
                f"{what} must be what the run was begun with ({fingerprint}), but is another one ({getattr(found, name)}) instead"
            )


def _damage(path: Path, files: Sequence[str]) -> str | None:
    """What is wrong with the ``files`` of a checkpoint, if anything."""
    if not path.is_dir():
        return f"`{path}` is missing"
    try:
        lines = read_bytes(path / CHECKSUMS).decode("utf-8", "replace").splitlines()
        damaged = [name for name in files if f"{_checksum(path / name)}  {name}" not in lines]
    except UserError as error:
        return str(error)
    return f"`{path / damaged[0]}` is damaged: its checksum is not that of {CHECKSUMS}" if damaged else None


def _checksum(file: Path) -> str:
    return hashlib.sha256(read_bytes(file)).hexdigest()
