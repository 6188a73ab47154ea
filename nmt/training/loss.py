"""Cross-entropy with label smoothing and distillation, fused with the output projection.

The logits of a batch are its largest tensor by far. They are made, turned into their own gradient and dropped again in
blocks of rows, so that memory stays small and each value is touched while it is in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

BLOCK_ROWS = 512


@dataclass
class Projection:
    """softmax(W x + b), not computed yet: inputs [tokens, size], weight [vocab, size], bias [vocab]."""

    inputs: Tensor
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Objective:
    """What the loss is made of, beside −log p of the target; each is 0 where it is absent.

    ``smoothing`` ε of the labels (Szegedy et al. 2016, section 7). ``distillation`` λ: the share of what teachers say, word by
    word (Kim & Rush 2016, https://arxiv.org/abs/1606.07947, section 3.1).
    """

    smoothing: float = 0.0
    distillation: float = 0.0


LIKELIHOOD = Objective()


class _ProjectedCrossEntropy(torch.autograd.Function):
    """loss = Σ_i (1 − ε) (−log p_i[y_i]) + ε mean_v (−log p_i[v]) with p_i = softmax(W x_i + b); also Σ_i −log p_i[y_i].

    With teachers, of mean distribution q, it is (1 − λ) times that and λ Σ_i Σ_v q_i[v] (−log p_i[v]).
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        objective: Objective,
        teachers: Sequence[Projection],
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        share = objective.distillation if teachers else 0.0
        on_gold, on_all = (1 - share) * (1 - objective.smoothing), (1 - share) * objective.smoothing
        teachers = [replace(one, weight=one.weight.to(one.inputs.dtype)) for one in teachers]
        low_weight = weight.to(inputs.dtype)
        grad_inputs = torch.empty_like(inputs)
        grad_weight = torch.zeros_like(weight)
        grad_bias = torch.zeros_like(bias)
        loss = inputs.new_zeros((), dtype=torch.float32)
        negative_log_likelihood = torch.zeros_like(loss)
        for start in range(0, len(inputs), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            x, y = inputs[rows], targets[rows]
            logits = (x @ low_weight.t()).float().add_(bias)
            gold = logits.gather(1, y.unsqueeze(1)).squeeze(1)
            highest = logits.amax(dim=1)
            probabilities = torch.softmax(logits, dim=1)
            # The most likely piece has p >= 1 / vocab, so its logarithm is safe where the target's own may underflow.
            normaliser = highest - probabilities.amax(dim=1).log()
            nll = normaliser - gold
            loss += on_gold * nll.sum() + on_all * normaliser.sum()
            negative_log_likelihood += nll.sum()
            if teachers:
                soft = _mixture(teachers, rows)
                loss += share * (normaliser.sum() - (soft * logits).sum())
            if not with_gradient:
                continue
            # d loss / d logits = p − (1 − λ) ((1 − ε) onehot(y) + ε / V) − λ q, where the part with V comes at the end
            grad = probabilities.scatter_add_(1, y.unsqueeze(1), torch.full_like(gold, -on_gold).unsqueeze(1))
            if teachers:
                grad.sub_(soft, alpha=share)
            low_grad = grad.to(inputs.dtype)
            torch.mm(low_grad, low_weight, out=grad_inputs[rows])
            _add_product(grad_weight, low_grad.t(), x)
            grad_bias += grad.sum(dim=0)
        if on_all:
            # Σ_i mean_v (w_v · x_i + b_v) needs no logits, and nor do its gradients.
            mean_weight, total = weight.mean(dim=0), inputs.sum(dim=0, dtype=weight.dtype)
            loss -= on_all * ((mean_weight * total).sum() + len(inputs) * bias.mean())
            grad_inputs -= (on_all * mean_weight).to(inputs.dtype)
            grad_weight -= on_all / len(weight) * total
            grad_bias -= on_all / len(weight) * len(inputs)
        ctx.save_for_backward(grad_inputs, grad_weight, grad_bias)
        ctx.mark_non_differentiable(negative_log_likelihood)
        return loss, negative_log_likelihood

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_inputs, grad_weight, grad_bias = ctx.saved_tensors
        scale = grads[0]
        return grad_inputs * scale.to(grad_inputs.dtype), grad_weight * scale, grad_bias * scale, *[None] * 4


def _mixture(teachers: Sequence[Projection], rows: slice) -> Tensor:
    """The mean of the teachers' distributions over the vocabulary, [rows, vocab] in fp32."""
    logits = ((one.inputs[rows] @ one.weight.t()).float().add_(one.bias) for one in teachers)
    return reduce(Tensor.add_, (torch.softmax(of_one, dim=1) for of_one in logits)).div_(len(teachers))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, in one go where the types allow it."""
    if total.dtype == right.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def perplexity(loss: float) -> float:
    """exp(loss) of a loss in nats a token, bounded where it would overflow."""
    return math.exp(min(loss, 50))


def projected_cross_entropy(
    student: Projection,
    targets: Tensor,
    objective: Objective = LIKELIHOOD,
    teachers: Sequence[Projection] = (),
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of softmax(W x + b) in the form of the ``objective``, summed over tokens.

    The ``student``'s projection, targets [tokens]
    → that loss, with gradients, and the plain negative log-likelihood in nats, without. Products are done in the
    type of the inputs, the softmax in fp32. The gradient is computed in the forward pass; it can't be differentiated twice.

    With ``teachers``, which share the vocabulary, it is 1 − λ times that loss, and λ times the cross-entropy of the student with
    the mean of the teachers' distributions.
    """
    projection = student.inputs, student.weight, student.bias
    arguments = *projection, targets, objective, teachers, torch.is_grad_enabled()
    return _ProjectedCrossEntropy.apply(*arguments)  # type: ignore[no-any-return, no-untyped-call]
