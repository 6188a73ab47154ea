"""What an encoder and a decoder are to each other, whatever they are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nmt.models.context_gate import ContextGate
from nmt.models.recurrent import RecurrentLayer


@dataclass
class Encoded:
    """What an encoder gives.

    states [batch, src_len, memory_size]; words [batch, src_len, embedding_size], the embeddings that it read; mask
    [batch, src_len], True at real tokens; summary [batch, memory_size], of the whole sentence; final [batch, layers, state_size],
    each recurrent layer's state where it has read the whole sentence, with 0 layers unless it was asked for.
    """

    states: Tensor
    words: Tensor
    mask: Tensor
    summary: Tensor
    final: Tensor


class Encoder(nn.Module, ABC):
    """Reads a batch of sources."""

    @abstractmethod
    def forward(self, source: Tensor, mask: Tensor) -> Encoded:
        """source [batch, src_len] int64, mask [batch, src_len], True at real tokens."""

    @abstractmethod
    def recurrent_layers(self) -> list[dict[str, RecurrentLayer]]:
        """Lowest first, each by direction; none where there is no recurrence."""


class Decoder(nn.Module, ABC):
    """One piece of code for a whole target sequence and for one token.

    Its memory is what it prepares of a batch of sources, once; its state is what it carries from token to token. Both are
    values with ``select``, and only the decoder looks into them.
    """

    @abstractmethod
    def prepare(self, encoded: Encoded) -> Any:
        """The memory: an entry a sentence."""

    @abstractmethod
    def start(self, memory: Any, width: int) -> Any:
        """The state before the first token, ``width`` rows a sentence, sentence by sentence."""

    @abstractmethod
    def forward(self, tokens: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        """tokens [rows, length], rows = sentences × width
        → features [rows, length, feature_size], the state after the last token, attention [rows, length, src_len] or None.
        """

    @abstractmethod
    def recurrent_layers(self) -> list[RecurrentLayer]:
        """Lowest first; none where there is no recurrence."""

    def context_gate(self) -> ContextGate | None:
        """What shares the readout out between source and target, if anything does."""
        return None
