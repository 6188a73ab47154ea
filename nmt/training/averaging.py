"""An exponential moving average of the weights, which translates better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_WARM_UP = 10


class WeightAverage:
    """θ̄ ← d θ̄ + (1 − d) θ after each update (Polyak & Juditsky 1992), d = min(decay, (1 + n) / (10 + n)) at update n.

    The lower decay of the first updates forgets the random start. With ``decay`` 0 the average is the weights themselves.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters: list[Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
        own = [parameter.detach() for parameter in self.parameters]
        self.averages = [weights.clone() for weights in own] if decay > 0 else own

    @torch.no_grad()
    def update(self, step: int, finite: Tensor) -> None:
        """Take in the weights after update number ``step``, unless that was skipped for not being ``finite`` [] (bool)."""
        if self.decay == 0:
            return
        weight = 1 - min(self.decay, (1 + step) / (_WARM_UP + step))
        if finite.device.type == "cpu":
            if finite:
                torch._foreach_lerp_(self.averages, self.parameters, weight)
        else:
            self._lerp(finite * weight)

    @torch.no_grad()
    def _lerp(self, weight: Tensor) -> None:
        """θ̄ ← θ̄ + weight (θ − θ̄) with a weight that lies on the device, for which there is no fused kernel."""
        differences = torch._foreach_sub(self.parameters, self.averages)
        torch._foreach_mul_(differences, weight)
        torch._foreach_add_(self.averages, differences)

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
