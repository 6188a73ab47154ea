"""The decoder: one piece of code for a whole target sequence and for one token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.models.attention import Attention, Memory
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.recurrent import RecurrentLayer


@dataclass
class DecoderState:
    """What the decoder carries from one token to the next: recurrent [rows, layers, hidden]."""

    recurrent: Tensor

    def select(self, rows: Tensor) -> DecoderState:
        """The state of these rows (indices [n], int64, repeats allowed)."""
        return DecoderState(self.recurrent[rows])


class Decoder(nn.Module):
    """GRU over the target, attention queried by its lowest layer, further layers over [state; context], then the readout.

    As in GNMT (Wu et al. 2016, section 3) the attention hangs on the lowest layer, so nothing feeds back from the
    context into that layer, and a whole target is one call a layer. The readout
    t = tanh(W [state; context; embedding]) is Bahdanau et al.'s (2015, appendix A.2.2) deep output.
    """

    def __init__(
        self,
        embedding: Embedding,
        embedding_size: int,
        hidden_size: int,
        layers: int,
        dropout: Dropout,
        attention: Attention,
        memory_size: int,
    ) -> None:
        super().__init__()
        context_size = attention.context_size
        self.embedding = embedding
        self.attention = attention
        self.bridge = nn.Linear(memory_size, layers * hidden_size)
        self.layers = nn.ModuleList(
            RecurrentLayer(embedding_size if i == 0 else hidden_size + context_size, hidden_size) for i in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in range(layers))
        self.readout = nn.Linear(hidden_size + context_size + embedding_size, embedding_size)
        self.dropout = dropout

    def start(self, memory: Memory, width: int) -> DecoderState:
        """The state before the first token: h_0 = tanh(W summary), ``width`` rows a sentence, sentence by sentence."""
        state = torch.tanh(self.bridge(memory.summary)).float().unflatten(-1, (len(self.layers), -1))
        return DecoderState(state.repeat_interleave(width, dim=0))

    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        """tokens [rows, length], rows = sentences × width
        → features [rows, length, embedding_size], the state after the last token, attention [rows, length, src_len] or None.
        """
        embedded = self.embedding(tokens)
        hidden, last = self.layers[0](embedded, state.recurrent[:, 0])
        hidden = self.norms[0](hidden)
        context, weights = self._attend(self.dropout(hidden), memory)
        after = [last]
        for i, (layer, norm) in enumerate(zip(self.layers[1:], self.norms[1:], strict=True), start=1):
            below = torch.cat([self.dropout(hidden), context.to(hidden.dtype)], dim=-1)
            above, last = layer(below, state.recurrent[:, i])
            hidden = norm(hidden + self.dropout(above))
            after.append(last)
        features = torch.tanh(self.readout(torch.cat([hidden, context.to(hidden.dtype), embedded.to(hidden.dtype)], dim=-1)))
        return self.dropout(features), DecoderState(torch.stack(after, dim=1)), weights

    def _attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        # The rows of one sentence share its keys:
        # [sentences × width, length, hidden] → [sentences, width × length, hidden] and back
        rows, length, size = query.shape
        context, weights = self.attention.attend(query.reshape(memory.mask.shape[0], -1, size), memory)
        context = self.dropout(context).reshape(rows, length, -1)
        return context, None if weights is None else weights.reshape(rows, length, -1)
