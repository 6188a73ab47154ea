"""Laws that every attention keeps, and each one's own equation."""

import pytest
import torch

from nmt.models.attention import (
    AdditiveAttention,
    Attention,
    AttentionKind,
    GeneralAttention,
    Memory,
    MultiHeadAttention,
    NoContext,
    _AdditiveScores,
    build_attention,
)

HIDDEN = MEMORY = 8
WITH_WEIGHTS = [kind for kind in AttentionKind if kind is not AttentionKind.none]


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """states, mask, summary, query"""
    mask = torch.tensor([[True, True, True, False], [True, False, False, False]])
    return torch.randn(2, 4, MEMORY), mask, torch.randn(2, MEMORY), torch.randn(2, 3, HIDDEN)


def remember(attention: Attention, states: torch.Tensor, mask: torch.Tensor, summary: torch.Tensor) -> Memory:
    return Memory(*attention.prepare(states), mask, summary, initial=summary.unsqueeze(1))


@pytest.mark.parametrize("kind", WITH_WEIGHTS)
def test_weights_are_a_distribution_over_real_tokens(kind: AttentionKind) -> None:
    states, mask, summary, query = inputs()
    attention = build_attention(kind, HIDDEN, MEMORY, heads=2)
    context, weights = attention.attend(query, remember(attention, states, mask, summary))
    assert weights is not None
    assert context.shape == (2, 3, attention.context_size)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert (weights.masked_select(~mask.unsqueeze(1).expand_as(weights)) == 0).all()


@pytest.mark.parametrize("kind", list(AttentionKind))
def test_what_padding_holds_changes_nothing(kind: AttentionKind) -> None:
    states, mask, summary, query = inputs()
    attention = build_attention(kind, HIDDEN, MEMORY, heads=2)
    other = torch.where(mask.unsqueeze(-1), states, torch.full_like(states, 100.0))
    before, _ = attention.attend(query, remember(attention, states, mask, summary))
    after, _ = attention.attend(query, remember(attention, other, mask, summary))
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize("kind", list(AttentionKind))
def test_queries_are_answered_independently(kind: AttentionKind) -> None:
    states, mask, summary, query = inputs()
    attention = build_attention(kind, HIDDEN, MEMORY, heads=2)
    memory = remember(attention, states, mask, summary)
    together, _ = attention.attend(query, memory)
    for i in range(3):
        alone, _ = attention.attend(query[:, i : i + 1], memory)
        torch.testing.assert_close(together[:, i : i + 1], alone)


def test_selected_memory_answers_as_before() -> None:
    states, mask, summary, query = inputs()
    attention = build_attention(AttentionKind.multihead, HIDDEN, MEMORY, heads=2)
    memory = remember(attention, states, mask, summary)
    both, _ = attention.attend(query, memory)
    second, _ = attention.attend(query[1:], memory.select(torch.tensor([1])))
    torch.testing.assert_close(both[1:], second)


def test_none_answers_with_the_summary() -> None:
    states, mask, summary, query = inputs()
    attention = build_attention(AttentionKind.none, HIDDEN, MEMORY, heads=2)
    context, weights = attention.attend(query, remember(attention, states, mask, summary))
    assert weights is None
    torch.testing.assert_close(context, summary.unsqueeze(1).expand(2, 3, MEMORY))


def test_no_context_answers_with_nothing() -> None:
    states, mask, summary, query = inputs()
    context, weights = NoContext().attend(query, remember(NoContext(), states, mask, summary))
    assert weights is None and context.shape == (2, 3, 0)


def test_scores_of_one_unpadded_sentence_are_the_papers() -> None:
    states, _, summary, query = (x[:1] for x in inputs())
    mask = torch.ones(1, 4, dtype=torch.bool)
    q, k = query[0], states[0]

    def weights_of(kind: AttentionKind) -> tuple[torch.nn.Module, torch.Tensor]:
        attention = build_attention(kind, HIDDEN, MEMORY, heads=2)
        _, weights = attention.attend(query, remember(attention, states, mask, summary))
        assert weights is not None
        return attention, weights[0]

    _, found = weights_of(AttentionKind.dot)
    torch.testing.assert_close(found, torch.softmax(q @ k.T, dim=-1))

    general, found = weights_of(AttentionKind.general)
    assert isinstance(general, GeneralAttention)
    torch.testing.assert_close(found, torch.softmax(q @ general.key(k).T, dim=-1))

    additive, found = weights_of(AttentionKind.additive)
    assert isinstance(additive, AdditiveAttention)
    energies = torch.tanh(additive.query(q)[:, None] + additive.key(k)[None]) @ additive.energy.weight[0]
    torch.testing.assert_close(found, torch.softmax(energies, dim=-1))

    multihead, found = weights_of(AttentionKind.multihead)
    assert isinstance(multihead, MultiHeadAttention)
    heads = [
        torch.softmax(qs @ ks.T / 2, dim=-1)  # √d = √4
        for qs, ks in zip(multihead.query(q).chunk(2, dim=-1), multihead.key(k).chunk(2, dim=-1), strict=True)
    ]
    torch.testing.assert_close(found, (heads[0] + heads[1]) / 2)


def test_gradients_of_additive_scores() -> None:
    arguments = [torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in ((2, 3, 5), (2, 4, 5), (5,))]
    assert torch.autograd.gradcheck(_AdditiveScores.apply, arguments)
