"""The norms are those of the Jacobians, and the cells remember as their equations say."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.inspection.memory import jacobian_norms, memory_curve, probes
from nmt.models.cells import SimpleLayer, build_layer
from nmt.models.config import Architecture, Cell, Direction
from nmt.models.gru import GRULayer
from nmt.models.recurrent import RecurrentLayer
from nmt.tokenizer import EOS
from nmt.translator import Translator

INPUT, HIDDEN, LENGTH = 3, 5, 7


def layer_of(cell: Cell) -> RecurrentLayer:
    torch.manual_seed(2)
    layer = build_layer(cell, INPUT, HIDDEN).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) / 3)
    return layer


@pytest.mark.parametrize("cell", list(Cell))
def test_norms_are_those_of_the_jacobians(cell: Cell) -> None:
    layer = layer_of(cell)
    inputs, start = torch.randn(LENGTH, INPUT).double(), torch.rand(layer.state_size).double()
    found = jacobian_norms(layer, inputs, start)
    assert len(found) == LENGTH

    def last(state: Tensor, first: int) -> Tensor:
        """h_T as a function of the state after ``first`` positions."""
        for position in inputs[first:]:
            state = layer.step(position.unsqueeze(0), state.unsqueeze(0)).state.squeeze(0)
        return state[:HIDDEN]

    state = start
    for first, position in enumerate(inputs, start=1):
        state = layer.step(position.unsqueeze(0), state.unsqueeze(0)).state.squeeze(0).detach()
        jacobian = torch.autograd.functional.jacobian(lambda s, first=first: last(s, first), state)
        expected = jacobian.square().sum().div(HIDDEN).sqrt()
        torch.testing.assert_close(found[LENGTH - first], expected)
    assert torch.equal(jacobian_norms(layer, inputs, start, longest=2), found[:3])


def test_a_gru_whose_update_gate_is_shut_remembers_everything() -> None:
    layer = layer_of(Cell.gru)
    assert isinstance(layer, GRULayer)
    weights = layer.equations()
    layer.load_equations(replace(weights, b_z=weights.b_z - 1000))
    norms = jacobian_norms(layer, torch.randn(60, INPUT).double(), torch.rand(HIDDEN).double())
    assert len(norms) == 41
    torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize(("factor", "dtype"), [(0.8, torch.float64), (0.2, torch.float32)])
def test_a_contracting_simple_layer_forgets_geometrically(factor: float, dtype: torch.dtype) -> None:
    layer = layer_of(Cell.rnn).to(dtype)
    assert isinstance(layer, SimpleLayer)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.rnn.weight_hh_l0.copy_(factor * torch.linalg.qr(torch.randn(HIDDEN, HIDDEN).double())[0])
    norms = jacobian_norms(layer, torch.zeros(42, INPUT, dtype=dtype), torch.zeros(HIDDEN, dtype=dtype))
    torch.testing.assert_close(norms.double(), factor ** torch.arange(41).double(), rtol=1e-4, atol=0)


def test_probes_measure_norms() -> None:
    assert torch.equal(probes(6, 6), torch.eye(6))
    few = probes(300, 100)
    torch.testing.assert_close(few @ few.T, 3 * torch.eye(100), atol=1e-5, rtol=1e-5)
    matrix = torch.randn(300, 40, generator=torch.Generator().manual_seed(9))
    assert float((few @ matrix).square().sum()) == pytest.approx(float(matrix.square().sum()), rel=0.05)


def test_the_curve_is_the_mean_of_the_sentences(make: Callable[..., Translator]) -> None:
    model = make().model.network
    sources = [[5, 6, 7], [8], [9, 10, 11, 12, 13]]
    curve = memory_curve(model, sources)
    alone = [memory_curve(model, [source]) for source in sources]
    assert curve.sentences.tolist() == [3, 3]  # with their end marks the sentences have 4, 2 and 6 pieces
    assert [len(one.norm) for one in alone] == [4, 2, 6]
    for distance in range(2):
        norms = torch.stack([one.norm[distance] for one in alone])
        torch.testing.assert_close(curve.norm[distance], norms.log().mean().exp())
        assert norms.min() <= curve.lower[distance] <= curve.upper[distance] <= norms.max()
    torch.testing.assert_close(curve.norm[0], torch.ones_like(curve.norm[0]))
    assert memory_curve(model, [[5] * 9] * 6).sentences.tolist() == [6] * 10
    assert len(memory_curve(model, [[5] * 60]).norm) == 41


def test_a_backward_encoder_remembers_from_the_right(make: Callable[..., Translator]) -> None:
    model = make(direction=Direction.backwards, encoder_hidden_size=8).model.network
    layer = model.encoder.recurrent_layers()[0]["backwards"]
    source = [5, 6, 7, 8]
    with torch.no_grad():
        embedded = model.encoder.embedding(torch.tensor([[*source, EOS]]))[0].flip(0)
    torch.testing.assert_close(
        memory_curve(model, [source]).norm, jacobian_norms(layer, embedded, torch.zeros(layer.state_size))
    )


def test_mistakes(make: Callable[..., Translator]) -> None:
    with pytest.raises(UserError, match="there must be at least one sentence to measure memory on, but there is none"):
        memory_curve(make().model.network, [])
    with pytest.raises(UserError, match="must have a recurrent encoder .*, but is a Transformer instead"):
        memory_curve(make(architecture=Architecture.transformer).model.network, [[5]])
