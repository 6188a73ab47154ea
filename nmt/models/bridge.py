"""From the encoder to the decoder's first state."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from nmt.models.base import Encoded


class Bridge(nn.Module, ABC):
    """What the decoder starts from."""

    @abstractmethod
    def forward(self, encoded: Encoded) -> Tensor:
        """→ the decoder's state before the first token, [batch, layers, state_size]."""


class SummaryBridge(Bridge):
    """tanh(W summary) a layer (Cho et al. 2014, appendix A; Bahdanau et al. 2015, A.2.2)."""

    def __init__(self, memory_size: int, layers: int, state_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(memory_size, layers * state_size)
        self.layers = layers

    def forward(self, encoded: Encoded) -> Tensor:
        # [batch, layers × state_size] → [batch, layers, state_size]
        states: Tensor = torch.tanh(self.project(encoded.summary)).unflatten(-1, (self.layers, -1))
        return states


class HandOver(Bridge):
    """Each layer goes on from the final state of the encoder's layer at its height (Sutskever et al. 2014)."""

    def forward(self, encoded: Encoded) -> Tensor:
        return encoded.final
