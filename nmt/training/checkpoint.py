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
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors

from nmt.atomic import atomic_directory
from nmt.errors import UserError
from nmt.models.weights import dump_weights, load_weights
from nmt.plain_data import read_bytes, read_json, read_settings, write_json
from nmt.training.processes import Processes
from nmt.training.randomness import random_state, restore_random_state
from nmt.training.state import Fingerprints, Progress, TrainingState

WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS = "model.safetensors", "average.safetensors", "optimizer.pt", "progress.json"
CHECKSUMS = "SHA256SUMS"
LAST, PREVIOUS, BEST, DAMAGED = "last", "previous", "best", "damaged"


def has_checkpoint(directory: Path) -> bool:
    """Whether there is anything to go on from among the checkpoints in ``directory``."""
    return any((directory / name).is_dir() for name in (LAST, PREVIOUS, BEST))


class Checkpoints:
    """Those of one run, in ``directory``: what they hold is the ``state`` that the ``processes`` share.

    ``warn`` is told of what is damaged. A ``last`` that was written while updates were being skipped never becomes the
    ``previous`` one: its weights may be what is wrong.
    """

    def __init__(self, directory: Path, state: TrainingState, processes: Processes, warn: Callable[[str], None]) -> None:
        self.directory = directory
        self.state = state
        self.processes = processes
        self.warn = warn
        self._last_is_sound = True

    def save(self, name: str) -> None:
        """Write the checkpoint ``name``; until it is complete, the one before it stays."""
        random = self.processes.gather(random_state(self.state.device))
        if self.processes.is_leader:
            previous = self.directory / PREVIOUS if name == LAST and self._last_is_sound else None
            _write(self.directory / name, self.state, random, previous)
        if name == LAST:
            self._last_is_sound = self.state.progress.skipped_in_a_row == 0
        self.processes.wait()

    def resume(self, sound: bool = False) -> int:
        """Put the newest checkpoint that is whole into the state; a damaged ``last`` one is renamed to ``damaged``.

        With ``sound``, the one before is taken rather than one that was written while updates were being skipped. Returns how
        many processes had written it. Only if they were as many as now do the random generators go on too.
        """
        rank, last = self.processes.rank, self.directory / LAST
        names = (PREVIOUS, LAST) if sound and not self._last_is_sound else (LAST, PREVIOUS, BEST)
        with self.processes.leader_first():
            path = _find(self.directory, names, (WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS), self.warn)
            before = _read(path, self.state, rank, self.processes.size)
            if names[0] == LAST:
                self._last_is_sound = self.state.progress.skipped_in_a_row == 0
                if rank == 0 and path != last and last.is_dir():  # it must not become `previous` in place of the whole one
                    shutil.rmtree(self.directory / DAMAGED, ignore_errors=True)
                    last.rename(self.directory / DAMAGED)
        return before

    def restore_best(self) -> int:
        """Put the averaged weights of the best checkpoint into the model, for good; returns the step that they are of.

        If that checkpoint is damaged, they are the last ones.
        """
        path = _find(self.directory, (BEST, LAST, PREVIOUS), (AVERAGE, PROGRESS), self.warn)
        _read_average(path, self.state)
        self.state.average.put_in()
        return _read_progress(path).step


def _write(path: Path, training: TrainingState, random: list[dict[str, Any]], previous: Path | None) -> None:
    """The checkpoint directory ``path``; the one before it becomes ``previous``. ``random``: that of all processes."""
    optimizer = io.BytesIO()  # torch's own file writer hides a full disk behind a RuntimeError
    torch.save({"optimizer": training.optimizer.state_dict(), "random": random}, optimizer)
    with atomic_directory(path, previous) as folder:
        (folder / WEIGHTS).write_bytes(dump_weights(training.model))
        (folder / AVERAGE).write_bytes(dump_tensors(training.average.state()))
        (folder / OPTIMIZER).write_bytes(optimizer.getvalue())
        write_json(folder / PROGRESS, asdict(training.progress))
        sums = "".join(f"{checksum(folder / name)}  {name}\n" for name in (WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS))
        (folder / CHECKSUMS).write_text(sums, encoding="utf-8")


def _find(directory: Path, names: Sequence[str], files: Sequence[str], warn: Callable[[str], None]) -> Path:
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


def _read(path: Path, training: TrainingState, rank: int, size: int) -> int:
    progress = _read_progress(path)
    _check_fingerprints(progress.fingerprints, training.progress.fingerprints)
    load_weights(path / WEIGHTS, training.model)
    _read_average(path, training)
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


def _read_average(path: Path, training: TrainingState) -> None:
    try:
        training.average.load(load_tensors(read_bytes(path / AVERAGE)))
    except (KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"checkpoint `{path}` is of another configuration: {error}") from error


def _read_progress(path: Path) -> Progress:
    return read_settings(path / PROGRESS, Progress, read_json(path / PROGRESS))


def _check_fingerprints(begun: Fingerprints, found: Fingerprints) -> None:
    named = {
        "train": "the train split of `data.path`, with `data.synthetic`,",
        "validation": "the validation split of `data.path`",
        "source_tokenizer": "the source tokenizer in `run_dir`",
        "target_tokenizer": "the target tokenizer in `run_dir`",
        "teachers": "the list `training.teachers`",
    }
    for name, what in named.items():
        expected, now = (getattr(fingerprints, name) or "none" for fingerprints in (begun, found))
        if now != expected:
            raise UserError(f"{what} must be what the run was begun with ({expected}), but is {now} instead")


def _damage(path: Path, files: Sequence[str]) -> str | None:
    """What is wrong with the ``files`` of a checkpoint, if anything."""
    if not path.is_dir():
        return f"`{path}` is missing"
    try:
        lines = read_bytes(path / CHECKSUMS).decode("utf-8", "replace").splitlines()
        damaged = [name for name in files if f"{checksum(path / name)}  {name}" not in lines]
    except UserError as error:
        return str(error)
    return f"`{path / damaged[0]}` is damaged: its checksum is not that of {CHECKSUMS}" if damaged else None


def checksum(file: Path) -> str:
    """sha256 of the file."""
    return hashlib.sha256(read_bytes(file)).hexdigest()
