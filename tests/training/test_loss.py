"""The fused loss is PyTorch's cross-entropy on the projected inputs, gradients included."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from nmt.training import loss as module
from nmt.training.loss import Objective, Projection, projected_cross_entropy

TOKENS, SIZE, VOCAB = 11, 6, 17


def arguments(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    inputs = torch.randn(TOKENS, SIZE).to(dtype).requires_grad_()
    weight, bias = torch.randn(VOCAB, SIZE, requires_grad=True), torch.randn(VOCAB, requires_grad=True)
    return inputs, weight, bias, torch.randint(VOCAB, (TOKENS,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("block_rows", [1, 4, 100])
def test_value_and_gradients(smoothing: float, block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block_rows)
    inputs, weight, bias, targets = arguments()
    loss, nll = projected_cross_entropy(Projection(inputs, weight, bias), targets, Objective(smoothing))
    found = torch.autograd.grad(loss / 3, (inputs, weight, bias))

    logits = functional.linear(inputs, weight, bias)
    expected = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, functional.cross_entropy(logits, targets, reduction="sum"))
    for one, other in zip(found, torch.autograd.grad(expected / 3, (inputs, weight, bias)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("block_rows", [2, 4, 100])
@pytest.mark.parametrize(("smoothing", "distillation"), [(0.1, 0.3), (0.0, 1.0)])
def test_distillation_is_the_cross_entropy_with_the_mean_of_the_teachers(
    smoothing: float, distillation: float, block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block_rows)
    inputs, weight, bias, targets = arguments()
    student = Projection(inputs, weight, bias)
    teachers = [Projection(torch.randn(TOKENS, size), torch.randn(VOCAB, size), torch.randn(VOCAB)) for size in (SIZE, 3)]
    loss, nll = projected_cross_entropy(student, targets, Objective(smoothing, distillation), teachers)
    found = torch.autograd.grad(loss / 3, (inputs, weight, bias))

    logits = functional.linear(inputs, weight, bias)
    soft = sum(functional.linear(one.inputs, one.weight, one.bias).softmax(dim=1) for one in teachers) / len(teachers)
    hard = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    expected = (1 - distillation) * hard + distillation * functional.cross_entropy(logits, soft, reduction="sum")
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, functional.cross_entropy(logits, targets, reduction="sum"))
    for one, other in zip(found, torch.autograd.grad(expected / 3, (inputs, weight, bias)), strict=True):
        torch.testing.assert_close(one, other)


def test_who_is_taught_by_nobody_but_itself_learns_nothing() -> None:
    inputs, weight, bias, targets = arguments()
    itself = Projection(inputs.detach().clone(), weight.detach().clone(), bias.detach().clone())
    loss, _ = projected_cross_entropy(Projection(inputs, weight, bias), targets, Objective(0.1, 1.0), [itself])
    for gradient in torch.autograd.grad(loss, (inputs, weight, bias)):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_bf16_inputs_come_close_and_keep_their_types() -> None:
    inputs, weight, bias, targets = arguments(torch.bfloat16)
    loss, _ = projected_cross_entropy(Projection(inputs, weight, bias), targets, Objective(0.1))
    grads = torch.autograd.grad(loss, (inputs, weight, bias))
    assert [grad.dtype for grad in grads] == [torch.bfloat16, torch.float32, torch.float32]
    exact, *_ = arguments()
    expected, _ = projected_cross_entropy(Projection(exact, weight, bias), targets, Objective(0.1))
    assert abs(loss.item() - expected.item()) < 0.01 * expected.item()
    teacher = Projection(inputs.detach(), torch.randn(VOCAB, SIZE), torch.randn(VOCAB))
    low, full = (
        projected_cross_entropy(Projection(x, weight, bias), targets, Objective(0.1, 0.5), [one])[0].item()
        for x, one in ((inputs, teacher), (exact, replace(teacher, inputs=exact.detach())))
    )
    assert low != full and abs(low - full) < 0.01 * full


def test_impossible_target_has_a_finite_loss() -> None:
    """Where softmax underflows to 0, the logarithm is taken from elsewhere."""
    inputs = torch.tensor([[500.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    loss, nll = projected_cross_entropy(Projection(inputs, weight, torch.zeros(2, requires_grad=True)), torch.tensor([1]))
    assert loss.item() == nll.item() == 1000.0


def test_without_gradients_only_the_value_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, weight, bias, targets = arguments()
    expected = projected_cross_entropy(Projection(inputs, weight, bias), targets, Objective(0.1))[0].detach()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a product for the gradient of the inputs")

    monkeypatch.setattr(torch, "mm", never)
    with torch.no_grad():
        found, _ = projected_cross_entropy(Projection(inputs, weight, bias), targets, Objective(0.1))
    torch.testing.assert_close(found, expected)
