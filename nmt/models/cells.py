"""The recurrent cells by name: the GRU of ``nmt.models.gru``, and beside it what it is compared to.

``lstm`` (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) and ``rnn`` (Elman 1990):

    i, f, o = σ(W_* x_t + U_* h_{t-1} + b_*)    input, forget and output gate
    c_t = f ⊙ c_{t-1} + i ⊙ tanh(W_c x_t + U_c h_{t-1} + b_c),  h_t = o ⊙ tanh(c_t)
    h_t = tanh(W x_t + U h_{t-1} + b)           the simple RNN

At equal sizes a GRU has three times the parameters of a simple RNN, and 3/4 of an LSTM's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nmt.models.config import Cell
from nmt.models.gru import ChoLayer, GRULayer
from nmt.models.recurrent import RecurrentLayer, Step, for_kernel, initialise, last_outputs, weights_of
from nmt.models.stepwise import StepFunction, lstm_steps, simple_steps


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
        with for_kernel(inputs) as inputs:
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
        with for_kernel(inputs) as inputs:
            outputs, last = self.rnn(inputs, state.to(inputs.dtype).unsqueeze(0).contiguous())  # cuDNN takes no other
        return outputs, last.squeeze(0) if lengths is None else last_outputs(outputs, lengths)

    def steps(self) -> StepFunction:
        return simple_steps(*weights_of(self.rnn))

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        return Step(torch.tanh(project(self.rnn, inputs, state)), {})


def project(kernel: nn.RNNBase, inputs: Tensor, h: Tensor) -> Tensor:
    """W x + b + U h + c of all gates: inputs [batch, input_size], h [batch, hidden] → [batch, gates × hidden]."""
    input_matrix, recurrent_matrix, bias, other_bias = weights_of(kernel)
    return inputs @ input_matrix.T + bias + h @ recurrent_matrix.T + other_bias
