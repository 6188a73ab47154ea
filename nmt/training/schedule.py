"""Learning-rate schedules: a schedule is its settings, and calling it gives the factor on the peak rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from nmt.errors import UserError


@dataclass
class Schedule(ABC):
    """A linear warm-up to the peak over ``warmup_steps``, then what the subclass says."""

    warmup_steps: int = 400

    def __post_init__(self) -> None:
        if self.warmup_steps < 1:
            raise UserError(f"`schedule.warmup_steps` must be at least 1, but is {self.warmup_steps} instead")

    def __call__(self, step: int, max_steps: int) -> float:
        """The factor for update number ``step`` (the first is 1) of ``max_steps``, between 0 and 1."""
        if step <= self.warmup_steps:
            return step / self.warmup_steps
        return self.after_warmup(step, max_steps)

    @abstractmethod
    def after_warmup(self, step: int, max_steps: int) -> float:
        """The factor after the warm-up; 1 at its end."""


@dataclass
class InverseSquareRoot(Schedule):
    """√(warmup / step) (Vaswani et al. 2017, section 5.3)."""

    def after_warmup(self, step: int, max_steps: int) -> float:
        return math.sqrt(self.warmup_steps / step)


@dataclass
class Cosine(Schedule):
    """Half a cosine down to ``final`` at the last step (Loshchilov & Hutter 2017, equation 5, without restarts)."""

    final: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.final <= 1:
            raise UserError(f"`schedule.final` must be between 0 and 1, but is {self.final} instead")

    def after_warmup(self, step: int, max_steps: int) -> float:
        done = min(1.0, (step - self.warmup_steps) / max(1, max_steps - self.warmup_steps))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2


@dataclass
class Constant(Schedule):
    """The peak rate to the end."""

    def after_warmup(self, step: int, max_steps: int) -> float:
        return 1.0


@dataclass
class WarmupStableDecay(Schedule):
    """The peak rate until ``decay_steps`` before the end, then down as 1 − √ (Hu et al. 2024; Hägele et al. 2024, section 3).

    A run that goes on with more ``training.max_steps`` before its descent is what it would have been with them from the start.
    """

    decay_steps: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_steps < 1:
            raise UserError(f"`schedule.decay_steps` must be at least 1, but is {self.decay_steps} instead")

    def after_warmup(self, step: int, max_steps: int) -> float:
        steps = min(self.decay_steps, max_steps - self.warmup_steps)
        left = max(0, max_steps + 1 - step)
        return 1.0 if left >= steps else 1 - math.sqrt((steps - left) / steps)


SCHEDULES: dict[str, type[Schedule]] = {
    "cosine": Cosine,
    "inverse_square_root": InverseSquareRoot,
    "warmup_stable_decay": WarmupStableDecay,
    "constant": Constant,
}
