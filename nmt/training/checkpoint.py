"""Checkpoints: everything that a run needs to go on, written atomically, read without unpickling.

model.safetensors     the weights
average.safetensors   their moving average
optimizer.pt          moments, and the random generators' states (tensors only: read with ``weights_only=True``)
progress.json         step, cursor, best score, counters
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import load_model, save_model
from safetensors.torch import save as dump_tensors
from torch import nn

from nmt.data.batching import Cursor
from nmt.errors import UserError
from nmt.model_directory import atomic_directory
from nmt.training.averaging import WeightAverage


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
    with atomic_directory(path) as folder:
        save_model(training.model, str(folder / "model.safetensors"))
        (folder / "average.safetensors").write_bytes(dump_tensors(training.average.state()))
        torch.save({"optimizer": training.optimizer.state_dict(), "random": random}, folder / "optimizer.pt")
        (folder / "progress.json").write_text(json.dumps(asdict(training.progress), indent=2) + "\n", encoding="utf-8")


def load_checkpoint(path: Path, training: Training) -> None:
    """Put the state of the checkpoint directory ``path`` into ``training``. A damaged one is a ``UserError`` that names it."""
    try:
        load_model(training.model, str(path / "model.safetensors"))
        training.average.load(load_tensors((path / "average.safetensors").read_bytes()))
        stored = torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True)
        training.optimizer.load_state_dict(stored["optimizer"])
        values = json.loads((path / "progress.json").read_text(encoding="utf-8"))
        training.progress = Progress(**{**values, "cursor": Cursor(**values["cursor"])})
    except FileNotFoundError as error:
        raise UserError(f"checkpoint `{path}` lacks a file: {error}") from error
    except (ValueError, TypeError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"checkpoint `{path}` is damaged or of another configuration: {error}") from error
    torch.set_rng_state(stored["random"]["cpu"])
    if "cuda" in stored["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(stored["random"]["cuda"])
