"""One recurrent layer behind one state form.

The gated recurrent unit as PyTorch and cuDNN compute it, with input x_t and state h_{t-1}:

    r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)           reset gate
    z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)           update gate
    n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))  candidate, reset *after* the matrix
    h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t-1}

Here z_t = 1 *keeps* the old state. Cho et al. (2014, https://arxiv.org/abs/1406.1078, equations 5 to 8) give z the same
meaning, Chung et al. (2014) the opposite one; both put the reset gate before the matrix, W_hn (r_t ⊙ h_{t-1}).

Every layer starts at zero unless it is given a state; a state is a value and nothing is kept between calls.
"""

import torch
from torch import Tensor, nn

from nmt.errors import StrEnum


class Cell(StrEnum):
    """The recurrent cells that ``model.cell`` can name."""

    gru = "gru"


class RecurrentLayer(nn.Module):
    """One layer, one direction.

    The parameters are those of ``nn.GRU``, gates in the order r, z, n. Recurrent matrices start orthogonal a gate.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        weights = dict(self.gru.named_parameters())
        for gate in weights["weight_hh_l0"].detach().chunk(3):
            nn.init.orthogonal_(gate)
        for gate in weights["weight_ih_l0"].detach().chunk(3):
            nn.init.xavier_uniform_(gate)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the layer over a sequence.

        inputs [batch, length, input_size], state [batch, hidden_size]
        → outputs [batch, length, hidden_size], state after the last position [batch, hidden_size].
        """
        outputs, last = self.gru(inputs, state.to(inputs.dtype).unsqueeze(0))
        return outputs, last.squeeze(0)


class BidirectionalLayer(nn.Module):
    """A forward and a backward layer over padded sequences; the backward one starts at each sentence's last token.

    Positions beyond a sentence's end hold values without meaning: both directions reach them only after the real tokens.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.forwards = RecurrentLayer(input_size, hidden_size)
        self.backwards = RecurrentLayer(input_size, hidden_size)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """inputs [batch, length, input_size], lengths [batch] → outputs [batch, length, 2 × hidden_size]."""
        start = inputs.new_zeros(inputs.shape[0], self.hidden_size)
        left, _ = self.forwards(inputs, start)
        right, _ = self.backwards(reverse(inputs, lengths), start)
        return torch.cat([left, reverse(right, lengths)], dim=-1)


def reverse(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Turn each sequence of [batch, length, features] around within its own length; padding stays where it is."""
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    source = torch.where(mirrored >= 0, mirrored, positions)
    # [batch, length] → row numbers in [batch × length, features]
    rows = source + torch.arange(inputs.shape[0], device=inputs.device).unsqueeze(1) * inputs.shape[1]
    return inputs.flatten(0, 1).index_select(0, rows.flatten()).view_as(inputs)
