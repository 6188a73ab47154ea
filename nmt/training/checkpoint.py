"""Checkpoints: everything that a run needs to go on, written atomically, read without running code.

model.safetensors     the weights
average.safetensors   their moving average
optimizer.pt          moments, and the random generators' states (read with ``weights_only=True``: tensors and plain values)
progress.json         step, cursor, best score, counters
"""

from __future__ import annotations

import io
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

WEIGHTS, AVERAGE, OPTIMIZER, PROGRESS = "model.safetensors", "average.safetensors", "optimizer.pt", "progress.json"


@dataclass
class Progress:
    """How far a run has come. ``bad_validations`` counts those since the best one; ``seconds`` is the time spent training."""

    step: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    best_bleu: float = -1.0
    best_step: int = 0
    bad_validations: int = 0
    seconds: float = 0.0


@dataclass
class Training:
    """What changes while a model is trained."""

    model: nn.Module
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    progress: Progress


def save_checkpoint(path: Path, training: Training) -> None:
    """Write the checkpoint directory ``path``; until it is complete, the one before it stays."""
    random: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state_all()
    optimizer = io.BytesIO()  # torch's own file writer hides a full disk behind a RuntimeError
    torch.save({"optimizer": training.optimizer.state_dict(), "random": random}, optimizer)
    with atomic_directory(path) as folder:
        (folder / WEIGHTS).write_bytes(dump_weights(training.model))
        (folder / AVERAGE).write_bytes(dump_tensors(training.average.state()))
        (folder / OPTIMIZER).write_bytes(optimizer.getvalue())
        write_json(folder / PROGRESS, asdict(training.progress))


def load_average(path: Path, training: Training) -> None:
    """Only the averaged weights and the progress of the checkpoint: all that a finished model needs of it."""
    training.progress = read_settings(path / PROGRESS, Progress, read_json(path / PROGRESS))
    average = read_bytes(path / AVERAGE)
    try:
        training.average.load(load_tensors(average))
    except (KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"checkpoint `{path}` is damaged or of another configuration: {error}") from error


def load_checkpoint(path: Path, training: Training) -> None:
    """Put the state of the checkpoint directory ``path`` into ``training``. What is wrong with it is a ``UserError``."""
    load_weights(path / WEIGHTS, training.model)
    load_average(path, training)
    optimizer = read_bytes(path / OPTIMIZER)
    try:
        stored = torch.load(io.BytesIO(optimizer), map_location="cpu", weights_only=True)
        training.optimizer.load_state_dict(stored["optimizer"])
        torch.set_rng_state(stored["random"]["cpu"])
    except (ValueError, TypeError, KeyError, RuntimeError, EOFError, UnpicklingError) as error:
        raise UserError(f"checkpoint `{path}` is damaged or of another configuration: {error}") from error
    if "cuda" in stored["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(stored["random"]["cuda"])
