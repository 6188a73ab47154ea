"""The gated recurrent unit in two forms: equations, and the fastest loop that computes them.

With the symbols of its papers, for input x_t and state h_{t-1}:

    r_t = σ(W_r x_t + U_r h_{t-1} + b_r)               reset gate
    z_t = σ(W_z x_t + U_z h_{t-1} + b_z)               update gate
    ĥ_t = tanh(W_h x_t + U_h (r_t ⊙ h_{t-1}) + b_h)    candidate, reset *before* the matrix
    h_t = (1 − z_t) ⊙ h_{t-1} + z_t ⊙ ĥ_t

``gru_cho`` is exactly this: the unit of Cho et al. (2014, https://arxiv.org/abs/1406.1078, equations 5 to 8), written as
Chung et al. (2014, https://arxiv.org/abs/1412.3555, section 3.2) write it, with biases, which neither spells out. ``gru``
is PyTorch's and cuDNN's form, whose reset comes *after* the matrix, so that all three recurrent products of a step are one:

    ĥ_t = tanh(W_h x_t + r_t ⊙ (U_h h_{t-1} + c_h) + b_h)

**The two meanings of z.** Above, and wherever this project shows a gate, z_t = 1 *takes the candidate* (Chung et al. 2014).
Cho et al. (2014, equation 7) and PyTorch's weights have it the other way around: there z_t = 1 *keeps the old state*. One
is the other with W_z, U_z and b_z negated, as σ(−a) = 1 − σ(a); ``GRUEquations`` is where the sign is turned.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from nmt.models.gru_loop import gru_reset_after, gru_reset_before
from nmt.models.recurrent import RecurrentLayer, Step, for_kernel, initialise, last_outputs, weights_of
from nmt.models.stepwise import StepFunction, cho_steps, gru_steps


@dataclass(frozen=True)
class GRUEquations:
    """A GRU's weights by the names of the equations above: W_* [hidden, input], U_* [hidden, hidden], b_* and c_h [hidden].

    ``c_h``, the bias that the reset gate scales, is there if the reset comes after the matrix, and None if before.
    """

    W_r: Tensor
    W_z: Tensor
    W_h: Tensor
    U_r: Tensor
    U_z: Tensor
    U_h: Tensor
    b_r: Tensor
    b_z: Tensor
    b_h: Tensor
    c_h: Tensor | None

    def __call__(self, x: Tensor, h: Tensor) -> Step:
        """x [batch, input], h [batch, hidden] → the next h, with the gates ``reset``, ``update`` and ``candidate``."""
        r = torch.sigmoid(x @ self.W_r.T + h @ self.U_r.T + self.b_r)
        z = torch.sigmoid(x @ self.W_z.T + h @ self.U_z.T + self.b_z)
        past = (r * h) @ self.U_h.T if self.c_h is None else r * (h @ self.U_h.T + self.c_h)
        candidate = torch.tanh(x @ self.W_h.T + past + self.b_h)
        return Step((1 - z) * h + z * candidate, {"reset": r, "update": z, "candidate": candidate})


class GRULayer(RecurrentLayer):
    """``nn.GRU``: one kernel for the whole sequence on a GPU. Its z keeps the old state, its gates stand in the order r, z, n.

    A CPU has no such kernel: there PyTorch's gradient adds up a matrix a step, and the loop of our own is faster.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size, state_parts=1)
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        initialise(3, *weights_of(self.gru)[:2])

    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and inputs.device.type == "cpu":
            input_matrix, recurrent, input_bias, bias = weights_of(self.gru)
            projected = functional.linear(inputs.transpose(0, 1), input_matrix, input_bias)
            weights = (tensor.to(projected.dtype) for tensor in (state, recurrent, bias))
            outputs = gru_reset_after(projected, *weights).transpose(0, 1)
            last = outputs[:, -1]
        else:
            with for_kernel(inputs) as inputs:
                outputs, last = self.gru(inputs, state.to(inputs.dtype).unsqueeze(0).contiguous())  # cuDNN takes no other
            last = last.squeeze(0)
        return outputs, last if lengths is None else last_outputs(outputs, lengths)

    def steps(self) -> StepFunction:
        return gru_steps(*weights_of(self.gru))

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        return self.equations()(inputs, state)

    def equations(self) -> GRUEquations:
        """The weights of the equations; where PyTorch has two biases that only occur as a sum, they are the sum."""
        (w_r, w_z, w_h), (u_r, u_z, u_h), (b_r, b_z, b_h), (c_r, c_z, c_h) = (x.chunk(3) for x in weights_of(self.gru))
        return GRUEquations(w_r, -w_z, w_h, u_r, -u_z, u_h, b_r + c_r, -(b_z + c_z), b_h, c_h)

    @torch.no_grad()
    def load_equations(self, weights: GRUEquations) -> None:
        """Take these weights, whose reset must come after the matrix."""
        assert weights.c_h is not None, "the reset gate must come after the matrix"
        zero = torch.zeros_like(weights.c_h)
        parts = (
            [weights.W_r, -weights.W_z, weights.W_h],
            [weights.U_r, -weights.U_z, weights.U_h],
            [weights.b_r, -weights.b_z, weights.b_h],
            [zero, zero, weights.c_h],
        )
        for own, given in zip(weights_of(self.gru), parts, strict=True):
            own.copy_(torch.cat(given))


class ChoLayer(RecurrentLayer):
    """The equations to the letter, reset before the matrix: neither PyTorch nor cuDNN has a kernel for it; the loop is ours.

    The weights are W = [W_r; W_z; W_h], U = [U_r; U_z; U_h] and b = [b_r; b_z; b_h].
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size, state_parts=1)
        self.W = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.U = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(3 * hidden_size))
        initialise(3, self.W, self.U)

    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        # [batch, length, input] → [length, batch, 3 × hidden]: a step reads one piece of memory
        projected = functional.linear(inputs.transpose(0, 1), self.W, self.b)
        outputs = gru_reset_before(projected, state.to(projected.dtype), self.U.to(projected.dtype)).transpose(0, 1)
        return outputs, outputs[:, -1] if lengths is None else last_outputs(outputs, lengths)

    def steps(self) -> StepFunction:
        return cho_steps(self.W, self.U, self.b)

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        return self.equations()(inputs, state)

    def equations(self) -> GRUEquations:
        """The weights by name."""
        (W_r, W_z, W_h), (U_r, U_z, U_h), (b_r, b_z, b_h) = (x.chunk(3) for x in (self.W, self.U, self.b))
        return GRUEquations(W_r, W_z, W_h, U_r, U_z, U_h, b_r, b_z, b_h, None)

    @torch.no_grad()
    def load_equations(self, weights: GRUEquations) -> None:
        """Take these weights, whose reset must come before the matrix."""
        assert weights.c_h is None, "the reset gate must come before the matrix"
        for parameter, letter in ((self.W, "W"), (self.U, "U"), (self.b, "b")):
            parts = [getattr(weights, field.name) for field in fields(weights) if field.name.startswith(letter)]
            parameter.copy_(torch.cat(parts))
