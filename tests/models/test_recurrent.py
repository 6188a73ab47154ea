"""The recurrent layer computes the equations of its docstring; the backward direction starts at the last real token."""

import torch

from nmt.models.recurrent import BidirectionalLayer, RecurrentLayer, reverse


def gru_equations(layer: RecurrentLayer, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    gru = layer.gru
    w_r, w_z, w_n = gru.weight_ih_l0.chunk(3)
    u_r, u_z, u_n = gru.weight_hh_l0.chunk(3)
    b_r, b_z, b_n = gru.bias_ih_l0.chunk(3)
    c_r, c_z, c_n = gru.bias_hh_l0.chunk(3)
    r = torch.sigmoid(x @ w_r.T + b_r + h @ u_r.T + c_r)
    z = torch.sigmoid(x @ w_z.T + b_z + h @ u_z.T + c_z)
    n = torch.tanh(x @ w_n.T + b_n + r * (h @ u_n.T + c_n))
    return (1 - z) * n + z * h


def test_layer_computes_its_equations() -> None:
    layer = RecurrentLayer(5, 7).double()
    inputs, state = torch.randn(3, 4, 5).double(), torch.randn(3, 7).double()
    outputs, last = layer(inputs, state)
    for t in range(4):
        state = gru_equations(layer, inputs[:, t], state)
        torch.testing.assert_close(outputs[:, t], state)
    torch.testing.assert_close(last, state)


def test_reverse_turns_each_sequence_within_its_length() -> None:
    inputs = torch.tensor([[1, 2, 3, 9], [1, 9, 9, 9], [1, 2, 3, 4]]).unsqueeze(-1)
    expected = [[3, 2, 1, 9], [1, 9, 9, 9], [4, 3, 2, 1]]
    assert reverse(inputs, torch.tensor([3, 1, 4])).squeeze(-1).tolist() == expected


def test_bidirectional_layer_is_two_layers_on_unpadded_sentences() -> None:
    layer = BidirectionalLayer(5, 7)
    lengths = [4, 2, 1]
    inputs = torch.randn(3, 4, 5)
    outputs = layer(inputs, torch.tensor(lengths))
    zero = torch.zeros(1, 7)
    for row, length in enumerate(lengths):
        sentence = inputs[row : row + 1, :length]
        left, _ = layer.forwards(sentence, zero)
        right, _ = layer.backwards(sentence.flip(1), zero)
        torch.testing.assert_close(outputs[row, :length], torch.cat([left, right.flip(1)], dim=-1)[0])


def test_recurrent_matrices_start_orthogonal() -> None:
    for gate in RecurrentLayer(5, 7).gru.weight_hh_l0.detach().chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(7))
