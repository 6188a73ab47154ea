"""What changes while a model is trained, and with it what a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from nmt.data.batching import Cursor
from nmt.training.averaging import WeightAverage

NO_BLEU = -1.0  # less than any


@dataclass
class Fingerprints:
    """What a run was begun with: sha256 of the texts of both splits, of the tokenizers and of the teachers' weights."""

    train: str = ""
    validation: str = ""
    source_tokenizer: str = ""
    target_tokenizer: str = ""
    teachers: str = ""


@dataclass
class Window:
    """Sums over the updates since the last log line: negative log-likelihood of the target tokens that were counted, updates
    that were skipped, all target tokens, padding among the positions, batches split for want of memory, seconds.
    """

    nll: float = 0.0
    counted: int = 0
    skipped: int = 0
    tokens: int = 0
    padding: int = 0
    positions: int = 0
    split: int = 0
    seconds: float = 0.0


@dataclass
class Progress:
    """How far a run has come. ``bad_validations`` counts those since the best one; ``seconds`` is the time spent training.

    ``bleu_of`` tells how BLEU was measured ("": not known): another way begins anew with the best.

    ``skipped_in_a_row`` are the updates just before this one that were not finite; ``returns`` counts how often the run went
    back to a checkpoint for them, each time with half the learning rate.
    """

    step: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    best_bleu: float = NO_BLEU
    best_step: int = 0
    bad_validations: int = 0
    bleu_of: str = ""
    seconds: float = 0.0
    skipped_in_a_row: int = 0
    returns: int = 0
    window: Window = field(default_factory=Window)
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    @property
    def rate_factor(self) -> float:
        """What is left of the learning rate."""
        return 0.5**self.returns


@dataclass
class TrainingState:
    """What changes while a model is trained."""

    model: nn.Module
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    progress: Progress

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.average.parameters[0].device
