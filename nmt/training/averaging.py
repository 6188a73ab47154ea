"""An exponential moving average of the weights, which translates better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_WARM_UP = 10


class WeightAverage:
    """θ̄ ← d θ̄ + (1 − d) θ after each update (Polyak & Juditsky 1992), d = min(decay, (1 + n) / (10 + n)) at update n.

    The lower decay of the first updates forgets the random start. ``decay`` 0 keeps θ̄ = θ.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.averages = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number ``step``."""
        decay = min(self.decay, (1 + step) / (_WARM_UP + step))
        torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model holds the average inside the block and its own weights again after it."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def put_in(self) -> None:
        """The model's weights become the average, for good."""
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            parameter.copy_(average)

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            own = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(own)

    def state(self) -> dict[str, Tensor]:
        """The averages by number, for a checkpoint."""
        return {str(i): average for i, average in enumerate(self.averages)}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take the averages of a checkpoint."""
        for i, average in enumerate(self.averages):
            average.copy_(state[str(i)])
