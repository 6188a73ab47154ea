"""Source and target in the readout: how much of it is which's."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ContextGate(nn.Module):
    """(1 − g) ∘ t + g ∘ C c: what the target says and what the context does, in shares that the gate
    g = σ(W [state; context; embedding] + b) tells of each feature (Tu et al. 2017, https://arxiv.org/abs/1608.06043, section 3.2,
    the gate on both sides, z there; theirs makes the next state of the shares, ours the readout).
    """

    def __init__(self, read_size: int, context_size: int, feature_size: int) -> None:
        super().__init__()
        self.share = nn.Linear(read_size, feature_size)
        self.source = nn.Linear(context_size, feature_size, bias=False)

    def forward(self, read: Tensor, context: Tensor, target: Tensor) -> Tensor:
        """read [rows, length, read_size], all that there is, context [rows, length, context_size], target
        [rows, length, feature_size] → [rows, length, feature_size].
        """
        return torch.lerp(target, self.source(context), self.gate(read))

    def gate(self, read: Tensor) -> Tensor:
        """The source's share of each feature, [rows, length, feature_size]."""
        return torch.sigmoid(self.share(read))
