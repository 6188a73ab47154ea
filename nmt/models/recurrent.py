"""The recurrent cells behind one state form: equations, and the fastest loop that computes them.

The gated recurrent unit, with the symbols of its papers, for input x_t and state h_{t-1}:

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

``lstm`` (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) and ``rnn`` (Elman 1990):

    i, f, o = σ(W_* x_t + U_* h_{t-1} + b_*)    input, forget and output gate
    c_t = f ⊙ c_{t-1} + i ⊙ tanh(W_c x_t + U_c h_{t-1} + b_c),  h_t = o ⊙ tanh(c_t)
    h_t = tanh(W x_t + U h_{t-1} + b)           the simple RNN

At equal sizes a GRU has three times the parameters of a simple RNN, and 3/4 of an LSTM's.

A state is a value, [batch, state_size]: h, or [h; c] of an LSTM. Nothing is kept between calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.errors import StrEnum
from nmt.models.gru_loop import gru_reset_after, gru_reset_before
from nmt.models.stepwise import StepFunction, cho_steps, gru_steps, lstm_steps, simple_steps, working_type


class Cell(StrEnum):
    """The recurrent cells that ``model.cell`` can name."""

    gru = "gru"
    gru_cho = "gru_cho"
    lstm = "lstm"
    rnn = "rnn"

    @property
    def state_parts(self) -> int:
        """How many vectors of the hidden size a state holds: h, or h and c."""
        return 2 if self is Cell.lstm else 1


LayerFunction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A ``RecurrentLayer``, or what its ``one_by_one`` gives."""


@dataclass
class Step:
    """A cell at one position: ``state`` [batch, state_size] after it, ``gates`` by name, [batch, hidden_size] each."""

    state: Tensor
    gates: dict[str, Tensor]


class RecurrentLayer(nn.Module, ABC):
    """One layer, one direction. Recurrent matrices start orthogonal, input matrices with Glorot's uniform, gate by gate."""

    def __init__(self, hidden_size: int, state_parts: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.state_size = state_parts * hidden_size

    @abstractmethod
    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the layer over a sequence.

        inputs [batch, length, input_size], state [batch, state_size]
        → outputs [batch, length, hidden_size], the state after the last position [batch, state_size]; with ``lengths``
        [batch] that is each sequence's own last position.
        """

    def one_by_one(self) -> LayerFunction:
        """``forward`` for one position after another of the same batch: inputs [batch, 1, input_size] each."""
        step = self.steps()

        def forward(inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            state = step(inputs.squeeze(1), state.to(working_type(inputs)))
            return state[:, : self.hidden_size].unsqueeze(1), state

        return forward

    @abstractmethod
    def steps(self) -> StepFunction:
        """What ``one_by_one`` calls: inputs [batch, input_size], state [batch, state_size] → the state after it, whose first
        ``hidden_size`` values are the output.
        """

    @abstractmethod
    def step(self, inputs: Tensor, state: Tensor) -> Step:
        """The same for one position, by the equations: inputs [batch, input_size], state [batch, state_size]."""


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
            outputs, last = self.gru(inputs, state.to(inputs.dtype).unsqueeze(0))
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


class LSTMLayer(RecurrentLayer):
    """``nn.LSTM``, gates in the order i, f, g, o. The forget gate starts open: bias 1 (Jozefowicz et al. 2015)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size, state_parts=2)
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        input_matrix, recurrent_matrix, bias, other_bias = weights_of(self.lstm)
        initialise(4, input_matrix, recurrent_matrix)
        nn.init.zeros_(other_bias)
        nn.init.zeros_(bias)
        nn.init.ones_(bias.detach().chunk(4)[1])

    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h, c = (part.contiguous() for part in state.to(inputs.dtype).unsqueeze(0).chunk(2, dim=-1))
        if lengths is None:
            outputs, last = self.lstm(inputs, (h, c))
        else:  # c is not among the outputs: only packing tells it at each sequence's own end
            packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, last = self.lstm(packed, (h, c))
            outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
        return outputs, torch.cat(last, dim=-1).squeeze(0)

    def steps(self) -> StepFunction:
        return lstm_steps(*weights_of(self.lstm))

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        h, c = state.chunk(2, dim=-1)
        i, f, g, o = project(self.lstm, inputs, h).chunk(4, dim=-1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        return Step(torch.cat([o * torch.tanh(c), c], dim=-1), {"input": i, "forget": f, "candidate": g, "output": o})


class SimpleLayer(RecurrentLayer):
    """``nn.RNN`` with tanh: no gates."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size, state_parts=1)
        self.rnn = nn.RNN(input_size, hidden_size, batch_first=True)
        initialise(1, *weights_of(self.rnn)[:2])

    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        outputs, last = self.rnn(inputs, state.to(inputs.dtype).unsqueeze(0))
        return outputs, last.squeeze(0) if lengths is None else last_outputs(outputs, lengths)

    def steps(self) -> StepFunction:
        return simple_steps(*weights_of(self.rnn))

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        return Step(torch.tanh(project(self.rnn, inputs, state)), {})


def build_layer(cell: Cell, input_size: int, hidden_size: int) -> RecurrentLayer:
    """The layer that the configuration names."""
    match cell:
        case Cell.gru:
            return GRULayer(input_size, hidden_size)
        case Cell.gru_cho:
            return ChoLayer(input_size, hidden_size)
        case Cell.lstm:
            return LSTMLayer(input_size, hidden_size)
        case Cell.rnn:
            return SimpleLayer(input_size, hidden_size)


def weights_of(kernel: nn.RNNBase) -> list[nn.Parameter]:
    """Input matrix, recurrent matrix, and the bias of each, gates one below the other."""
    (weights,) = kernel.all_weights
    return weights


def project(kernel: nn.RNNBase, inputs: Tensor, h: Tensor) -> Tensor:
    """W x + b + U h + c of all gates: inputs [batch, input_size], h [batch, hidden] → [batch, gates × hidden]."""
    input_matrix, recurrent_matrix, bias, other_bias = weights_of(kernel)
    return inputs @ input_matrix.T + bias + h @ recurrent_matrix.T + other_bias


def initialise(gates: int, input_matrix: Tensor, recurrent_matrix: Tensor) -> None:
    """Fresh weights, gate by gate."""
    for gate in recurrent_matrix.detach().chunk(gates):
        nn.init.orthogonal_(gate)
    for gate in input_matrix.detach().chunk(gates):
        nn.init.xavier_uniform_(gate)


def last_outputs(outputs: Tensor, lengths: Tensor) -> Tensor:
    """outputs [batch, length, hidden] at the last position of each sequence, lengths [batch] → [batch, hidden]."""
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]


def reverse(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Turn each sequence of [batch, length, features] around within its own length; padding stays where it is."""
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    source = torch.where(mirrored >= 0, mirrored, positions)
    # [batch, length] → row numbers in [batch × length, features]
    rows = source + torch.arange(inputs.shape[0], device=inputs.device).unsqueeze(1) * inputs.shape[1]
    return inputs.flatten(0, 1).index_select(0, rows.flatten()).view_as(inputs)
