"""Attention over the encoder's states: keys once a sentence, then one batched product for any number of queries.

`keys, values = attention.prepare(states)` is done once a sentence; `context, weights = attention.attend(query, memory)` as often
as needed. The weights are a distribution over the source's real tokens: they sum to 1 and are 0 on padding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nmt.models.config import AttentionKind


@dataclass
class Memory:
    """What the decoder may know of the source sentences.

    keys, values [batch, src_len, size], mask [batch, src_len], summary [batch, memory_size]; initial
    [batch, layers, state_size] is the decoder's state before the first token.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    summary: Tensor
    initial: Tensor

    def select(self, sentences: Tensor) -> Memory:
        """The memory of these sentences (indices [n], int64)."""
        return Memory(*(getattr(self, field.name)[sentences] for field in fields(self)))


class Attention(nn.Module, ABC):
    """What every attention can do; ``context_size`` is the size of what it answers with."""

    context_size: int

    @abstractmethod
    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """states [batch, src_len, memory_size] → keys and values [batch, src_len, size]."""

    @abstractmethod
    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """query [batch, queries, hidden_size] → context [batch, queries, context_size], weights [batch, queries, src_len]."""


class NoAttention(Attention):
    """The null object: every query is answered with the final encoder state (Cho et al. 2014); there are no weights."""

    def __init__(self, memory_size: int) -> None:
        super().__init__()
        self.context_size = memory_size

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return states[..., :0], states[..., :0]

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        return memory.summary.unsqueeze(1).expand(-1, query.shape[1], -1).to(query.dtype), None


class NoContext(Attention):
    """The other null object: a query is answered with an empty vector (Sutskever et al. 2014). What the decoder knows of the
    source is the state that it starts from.
    """

    context_size = 0

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return states[..., :0], states[..., :0]

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        return query[..., :0], None


class DotAttention(Attention):
    """score(q, k) = q · k (Luong et al. 2015, equation 8, 'dot')."""

    def __init__(self, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        assert hidden_size == memory_size
        self.context_size = memory_size

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return states, states

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        return answer(query @ memory.keys.to(query.dtype).transpose(1, 2), memory, query.dtype)


class GeneralAttention(Attention):
    """score(q, k) = q · W k (Luong et al. 2015, equation 8, 'general'); W k is the prepared key."""

    def __init__(self, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_size, hidden_size, bias=False)
        self.context_size = memory_size

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(states), states

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        return answer(query @ memory.keys.to(query.dtype).transpose(1, 2), memory, query.dtype)


class AdditiveAttention(Attention):
    """score(q, k) = vᵀ tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2); U k is the prepared key."""

    def __init__(self, hidden_size: int, memory_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(memory_size, hidden_size, bias=False)
        self.energy = nn.Linear(hidden_size, 1, bias=False)
        self.context_size = memory_size

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(states), states

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        asked = self.query(query)
        arguments = asked, memory.keys.to(asked.dtype), self.energy.weight.squeeze(0).to(asked.dtype)
        scores: Tensor = _AdditiveScores.apply(*arguments)  # type: ignore[no-untyped-call]
        return answer(scores, memory, query.dtype)


class _AdditiveScores(torch.autograd.Function):
    """vᵀ tanh(q + k) of asked q [batch, queries, hidden] and keys k [batch, src_len, hidden] → [batch, queries, src_len].

    The sums, larger than all else in a decoder that goes step by step, are made again on the way back rather than kept.
    """

    @staticmethod
    def forward(ctx: Any, asked: Tensor, keys: Tensor, energy: Tensor) -> Tensor:
        ctx.save_for_backward(asked, keys, energy)
        activated = (asked.unsqueeze(2) + keys.unsqueeze(1)).tanh_()
        return (activated.flatten(0, 2) @ energy.unsqueeze(1)).view(activated.shape[:3])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        asked, keys, energy = ctx.saved_tensors
        activated = (asked.unsqueeze(2) + keys.unsqueeze(1)).tanh_()
        grad = grads[0].reshape(-1, 1)
        grad_energy = (grad.t() @ activated.flatten(0, 2)).squeeze(0)
        grad_sums = torch.ops.aten.tanh_backward((grad @ energy.unsqueeze(0)).view_as(activated), activated)
        return grad_sums.sum(dim=2), grad_sums.sum(dim=1), grad_energy


class MultiHeadAttention(Attention):
    """softmax(Q Kᵀ / √d) V a head, heads side by side (Vaswani et al. 2017, section 3.2.2).

    The weights that it answers with are the mean over heads.
    """

    def __init__(self, hidden_size: int, memory_size: int, heads: int) -> None:
        super().__init__()
        assert hidden_size % heads == 0
        self.heads = heads
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(memory_size, hidden_size, bias=False)
        self.value = nn.Linear(memory_size, hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, hidden_size, bias=False)
        self.context_size = hidden_size

    def prepare(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(states), self.value(states)

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        context, weights = multi_head(self.query(query), memory.keys, memory.values, memory.mask.unsqueeze(1), self.heads)
        return self.output(context), weights.mean(dim=1)


def multi_head(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ / √d) V for each of ``heads`` slices of the features (Vaswani et al. 2017, equation 1).

    queries [batch, queries, hidden], keys and values [batch, length, hidden], mask [batch, 1 or queries, length], True where a
    query may look → context [batch, queries, hidden], weights [batch, heads, queries, length].
    """
    # [batch, length, hidden] → [batch, heads, length, head_size]
    q, k, v = (x.to(queries.dtype).unflatten(-1, (heads, -1)).transpose(1, 2) for x in (queries, keys, values))
    weights = masked_softmax(q @ k.transpose(2, 3) / q.shape[-1] ** 0.5, mask.unsqueeze(1))
    # [batch, heads, queries, head_size] → [batch, queries, hidden]
    return (weights.to(q.dtype) @ v).transpose(1, 2).flatten(2), weights


def answer(scores: Tensor, memory: Memory, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """scores [batch, queries, src_len] → the mean of the values by their softmax [batch, queries, size], the weights."""
    weights = masked_softmax(scores, memory.mask.unsqueeze(1))
    return weights.to(dtype) @ memory.values.to(dtype), weights


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax in fp32 over the last dimension where mask is True; 0 elsewhere. Each row must have a True."""
    return torch.softmax(scores.float().masked_fill(~mask, -torch.inf), dim=-1)


def build_attention(kind: AttentionKind, hidden_size: int, memory_size: int, heads: int) -> Attention:
    """The attention that the configuration names."""
    match kind:
        case AttentionKind.none:
            return NoAttention(memory_size)
        case AttentionKind.dot:
            return DotAttention(hidden_size, memory_size)
        case AttentionKind.general:
            return GeneralAttention(hidden_size, memory_size)
        case AttentionKind.additive:
            return AdditiveAttention(hidden_size, memory_size)
        case AttentionKind.multihead:
            return MultiHeadAttention(hidden_size, memory_size, heads)
