"""The recurrent cells one position after another, for decoders that need what came out of a step to take the next.

A matrix that is used at every step has a gradient at every step, and adding these up costs more than the step itself: each is
as large as the matrix. Here they are one product at the end, over all steps, as they are where a whole sequence is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

StepFunction = Callable[[Tensor, Tensor], Tensor]


def working_type(tensor: Tensor) -> torch.dtype:
    """The type that products with ``tensor`` are done in: autocast's, or its own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class RepeatedLinear:
    """x ↦ W x + b, [rows, …, in] → [rows, …, out], to be called at each step of one sequence.

    Products are done in autocast's type where that is on. One object a forward pass, whose gradient is asked for once, with
    that of W.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        dtype = working_type(weight)
        self._weight = weight.detach().to(dtype)
        self._bias = None if bias is None else bias.detach().to(dtype)
        self._tape: Tape = []
        self._end: Tensor = _End.apply(weight, bias, self._tape)  # type: ignore[no-untyped-call]

    def __call__(self, inputs: Tensor) -> Tensor:
        """One step."""
        arguments = inputs.to(self._weight.dtype), self._end, self._weight, self._bias, self._tape
        return _Product.apply(*arguments)  # type: ignore[no-any-return, no-untyped-call]


Tape = list[tuple[Tensor, Tensor]]
"""What the gradient of W is made of: inputs [rows, in] and gradients of the outputs [rows, out], as the steps are gone back."""


class _End(torch.autograd.Function):
    """A number that all steps depend on: going back, it comes after the last of them."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, tape: Tape) -> Tensor:
        ctx.tape, ctx.types = tape, (weight.dtype, None if bias is None else bias.dtype)
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, Tensor | None, None]:
        inputs, grads = (torch.cat(parts) for parts in zip(*ctx.tape, strict=True))
        ctx.tape.clear()
        weight_type, bias_type = ctx.types
        return (grads.t() @ inputs).to(weight_type), None if bias_type is None else grads.sum(dim=0).to(bias_type), None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, end: Tensor, weight: Tensor, bias: Tensor | None, tape: Tape) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.tape = tape
        with torch.autocast(inputs.device.type, enabled=False):
            return functional.linear(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        inputs, weight = ctx.saved_tensors
        ctx.tape.append((inputs.flatten(0, -2), grads[0].flatten(0, -2)))
        return grads[0] @ weight, grads[0].new_zeros((), dtype=torch.float32), None, None, None


def gru_steps(w: Tensor, u: Tensor, b: Tensor, c: Tensor) -> StepFunction:
    """PyTorch's GRU: x [rows, input], h [rows, hidden] → the next h. Its weights as ``nn.GRU`` has them, whose z keeps h."""
    of_input, of_state = RepeatedLinear(w, b), RepeatedLinear(u, c)

    def step(x: Tensor, h: Tensor) -> Tensor:
        (r_x, z_x, n_x), (r_h, z_h, n_h) = of_input(x).chunk(3, dim=-1), of_state(h).chunk(3, dim=-1)
        candidate = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
        return torch.lerp(candidate, h, torch.sigmoid(z_x + z_h))

    return step


def cho_steps(w: Tensor, u: Tensor, b: Tensor) -> StepFunction:
    """The GRU of Cho et al. (2014): x [rows, input], h [rows, hidden] → the next h. Gates in the order r, z, candidate."""
    hidden = u.shape[1]
    of_input, of_gates, of_candidate = RepeatedLinear(w, b), RepeatedLinear(u[: 2 * hidden]), RepeatedLinear(u[2 * hidden :])

    def step(x: Tensor, h: Tensor) -> Tensor:
        gates, candidate = of_input(x).split([2 * hidden, hidden], dim=-1)
        r, z = torch.sigmoid(gates + of_gates(h)).chunk(2, dim=-1)
        return torch.lerp(h, torch.tanh(candidate + of_candidate(r * h)), z)

    return step


def lstm_steps(w: Tensor, u: Tensor, b: Tensor, c: Tensor) -> StepFunction:
    """PyTorch's LSTM: x [rows, input], [h; c] [rows, 2 × hidden] → the next [h; c]. Gates in the order i, f, g, o."""
    of_input, of_state = RepeatedLinear(w, b), RepeatedLinear(u, c)

    def step(x: Tensor, state: Tensor) -> Tensor:
        h, cell = state.chunk(2, dim=-1)
        i, f, g, o = (of_input(x) + of_state(h)).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(cell), cell], dim=-1)

    return step


def simple_steps(w: Tensor, u: Tensor, b: Tensor, c: Tensor) -> StepFunction:
    """PyTorch's RNN with tanh: x [rows, input], h [rows, hidden] → the next h."""
    of_input, of_state = RepeatedLinear(w, b), RepeatedLinear(u, c)
    return lambda x, h: torch.tanh(of_input(x) + of_state(h))
