"""A Transformer (Vaswani et al. 2017) behind the same protocol, to compare the recurrent models with.

Pre-norm (Xiong et al. 2020), sinusoidal positions, ReLU. The decoder's state is a cache of the keys and values of all tokens
so far: where a recurrent state has one size for ever, this one grows with every token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from nmt.models.attention import multi_head
from nmt.models.base import Decoder, Encoded, Encoder
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.recurrent import RecurrentLayer


@dataclass
class TransformerMemory:
    """Keys and values [batch, layers, src_len, hidden] of the cross-attention of each decoder layer; mask [batch, src_len]."""

    keys: Tensor
    values: Tensor
    mask: Tensor

    def select(self, sentences: Tensor) -> TransformerMemory:
        """The memory of these sentences (indices [n], int64)."""
        return TransformerMemory(*(getattr(self, field.name)[sentences] for field in fields(self)))


@dataclass
class TransformerState:
    """Keys and values [rows, length, hidden] of the self-attention, of the ``length`` tokens so far: a tensor a layer."""

    keys: list[Tensor]
    values: list[Tensor]

    def select(self, rows: Tensor) -> TransformerState:
        """The state of these rows (indices [n], int64, repeats allowed)."""
        return TransformerState([keys[rows] for keys in self.keys], [values[rows] for values in self.values])


class Positions(nn.Module):
    """Embedding + the sinusoids of the positions (Vaswani et al. 2017, section 3.5), of any length.

    The embedding has its own scale and dropout.
    """

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, tokens: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """tokens [batch, length], the first of them at position ``first`` → both [batch, length, size]: placed, and not."""
        embedded = self.embedding(tokens)
        return embedded + sinusoids(first, tokens.shape[1], embedded.shape[-1], tokens.device), embedded


def sinusoids(first: int, length: int, size: int, device: torch.device) -> Tensor:
    """sin and cos of position / 10000^(2i / size) for positions from ``first`` on → [length, size], sines in the first half."""
    positions = torch.arange(first, first + length, device=device, dtype=torch.float32)
    rates = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(10_000) / size))
    angles = positions.unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TransformerEncoder(Encoder):
    """torch's encoder layers, with torch's initial weights and its dropout, which there is on the attention weights too.

    There is no summary, as nothing asks for one.
    """

    def __init__(self, embedding: Embedding, size: int, heads: int, feedforward: int, layers: int, dropout: Dropout) -> None:
        super().__init__()
        self.positions = Positions(embedding)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(size, heads, feedforward, dropout.p, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, source: Tensor, mask: Tensor) -> Encoded:
        states, words = self.positions(source, first=0)
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~mask)
        states = self.norm(states)
        return Encoded(states, words, mask, states.new_zeros(len(states), 0), states.new_zeros(len(states), 0, 0))

    def recurrent_layers(self) -> list[dict[str, RecurrentLayer]]:
        return []


class TransformerDecoderLayer(nn.Module):
    """Self-attention over the tokens so far, attention to the source, feed-forward network: each on the norm of its input,
    added to it.

    It computes what ``nn.TransformerDecoderLayer`` does with ``norm_first``, which has no cache to step with.
    """

    def __init__(self, size: int, heads: int, feedforward: int, dropout: Dropout) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(3))
        self.self_attention = nn.Linear(size, 3 * size)
        self.self_output = nn.Linear(size, size)
        self.source_query = nn.Linear(size, size)
        self.source_attention = nn.Linear(size, 2 * size)
        self.source_output = nn.Linear(size, size)
        self.feedforward = nn.Sequential(nn.Linear(size, feedforward), nn.ReLU(), dropout, nn.Linear(feedforward, size))
        self.dropout = dropout
        for matrix in self.modules():
            if isinstance(matrix, nn.Linear):
                nn.init.xavier_uniform_(matrix.weight)
                nn.init.zeros_(matrix.bias)

    def forward(
        self, states: Tensor, past: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """states [rows, length, size]; keys and values of the ``past`` tokens [rows, past, size] and of the ``source``
        [sentences, src_len, size], mask [sentences, src_len]
        → states, keys and values of past and new tokens, attention to the source [rows, length, src_len].
        """
        query, keys, values = self.self_attention(self.norms[0](states)).chunk(3, dim=-1)
        keys, values = (torch.cat([old.to(new.dtype), new], dim=1) for old, new in zip(past, (keys, values), strict=True))
        length, reach = states.shape[1], keys.shape[1]
        causal = torch.ones(length, reach, dtype=torch.bool, device=states.device).tril(reach - length)
        context, _ = multi_head(query, keys, values, causal.unsqueeze(0), self.heads)
        states = states + self.dropout(self.self_output(context))
        # The rows of one sentence share its keys: [sentences × width, length, size] → [sentences, width × length, size]
        query = self.source_query(self.norms[1](states)).reshape(len(mask), -1, states.shape[-1])
        context, weights = multi_head(query, *source, mask.unsqueeze(1), self.heads)
        states = states + self.dropout(self.source_output(context.reshape(states.shape)))
        states = states + self.dropout(self.feedforward(self.norms[2](states)))
        return states, (keys, values), weights.mean(dim=1).reshape(*states.shape[:2], -1)


class TransformerDecoder(Decoder):
    """The layers and a last norm; ``forward`` of a whole target is ``forward`` of one token with an empty past."""

    def __init__(self, embedding: Embedding, size: int, heads: int, feedforward: int, layers: int, dropout: Dropout) -> None:
        super().__init__()
        self.positions = Positions(embedding)
        self.layers = nn.ModuleList(TransformerDecoderLayer(size, heads, feedforward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(size)
        self.size = size

    def prepare(self, encoded: Encoded) -> TransformerMemory:
        # a layer's [keys; values] [batch, src_len, 2 × size] → [batch, layers, src_len, size] each
        pairs = [layer.source_attention(encoded.states) for layer in self.layers]  # type: ignore[operator]
        keys, values = torch.stack(pairs, dim=1).chunk(2, dim=-1)
        return TransformerMemory(keys, values, encoded.mask)

    def start(self, memory: TransformerMemory, width: int) -> TransformerState:
        empty = [memory.keys.new_zeros(len(memory.mask) * width, 0, self.size)] * len(self.layers)
        return TransformerState(empty, empty)

    def forward(
        self, tokens: Tensor, state: TransformerState, memory: TransformerMemory
    ) -> tuple[Tensor, TransformerState, Tensor | None]:
        """See ``Decoder``; the attention is that of the last layer, the mean over heads."""
        states, _ = self.positions(tokens, first=state.keys[0].shape[1])
        after = TransformerState([], [])
        weights = None
        for i, layer in enumerate(self.layers):
            past, source = (state.keys[i], state.values[i]), (memory.keys[:, i], memory.values[:, i])
            states, (keys, values), weights = layer(states, past, source, memory.mask)
            after.keys.append(keys)
            after.values.append(values)
        return self.norm(states), after, weights

    def recurrent_layers(self) -> list[RecurrentLayer]:
        return []
