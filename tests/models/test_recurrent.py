"""The recurrent layers compute the equations of their papers; the backward direction starts at the last real token."""

import gc
import weakref
from contextlib import nullcontext
from dataclasses import fields

import pytest
import torch
from torch import Tensor, nn

from nmt.models.cells import LSTMLayer, SimpleLayer, build_layer
from nmt.models.config import Cell, Direction
from nmt.models.encoder import DirectedLayer
from nmt.models.gru import ChoLayer, GRUEquations, GRULayer
from nmt.models.gru_loop import gru_reset_after, gru_reset_before
from nmt.models.recurrent import RecurrentLayer, reverse, weights_of

INPUT, HIDDEN, BATCH, LENGTH = 5, 7, 3, 4
GATES = {Cell.gru: 3, Cell.gru_cho: 3, Cell.lstm: 4, Cell.rnn: 1}


def layer_of(cell: Cell) -> RecurrentLayer:
    torch.manual_seed(1)
    layer = build_layer(cell, INPUT, HIDDEN).double()
    with torch.no_grad():
        for parameter in layer.parameters():  # biases too: a bias in the wrong place must show
            parameter.add_(torch.randn_like(parameter) / 2)
    return layer


def sequence(layer: RecurrentLayer) -> tuple[Tensor, Tensor]:
    return torch.randn(BATCH, LENGTH, INPUT).double(), torch.rand(BATCH, layer.state_size).double() * 2 - 1


def random_equations(reset_after: bool) -> GRUEquations:
    sizes = {"W": (HIDDEN, INPUT), "U": (HIDDEN, HIDDEN), "b": (HIDDEN,), "c": (HIDDEN,)}
    weights = {field.name: torch.randn(sizes[field.name[0]]).double() for field in fields(GRUEquations)}
    return GRUEquations(**weights | ({} if reset_after else {"c_h": None}))


def equal(one: GRUEquations, other: GRUEquations) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(GRUEquations)]
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def test_gru_cho_is_the_equations_of_its_paper() -> None:
    """Written out once more, from the module's weights: r, z, candidate, reset before the matrix, z takes the candidate."""
    layer = layer_of(Cell.gru_cho)
    assert isinstance(layer, ChoLayer)
    (W_r, W_z, W_h), (U_r, U_z, U_h), (b_r, b_z, b_h) = layer.W.chunk(3), layer.U.chunk(3), layer.b.chunk(3)
    inputs, h = sequence(layer)
    outputs, last = layer(inputs, h)
    for x, output in zip(inputs.unbind(1), outputs.unbind(1), strict=True):
        r = torch.sigmoid(x @ W_r.T + h @ U_r.T + b_r)
        z = torch.sigmoid(x @ W_z.T + h @ U_z.T + b_z)
        h = (1 - z) * h + z * torch.tanh(x @ W_h.T + (r * h) @ U_h.T + b_h)
        torch.testing.assert_close(output, h)
    torch.testing.assert_close(last, h)


@pytest.mark.parametrize("cell", list(Cell))
def test_fast_loop_equals_the_equations_step_by_step(cell: Cell) -> None:
    layer = layer_of(cell)
    inputs, state = sequence(layer)
    outputs, last = layer(inputs, state)
    for t in range(LENGTH):
        state = layer.step(inputs[:, t], state).state
        torch.testing.assert_close(outputs[:, t], state[:, :HIDDEN])
    torch.testing.assert_close(last, state)


@pytest.mark.parametrize("cell", list(Cell))
def test_gradients_of_the_fast_loop_are_those_of_the_equations(cell: Cell) -> None:
    layer = layer_of(cell)
    inputs, state = (x.requires_grad_() for x in sequence(layer))
    wanted = [inputs, state, *layer.parameters()]
    outputs, last = layer(inputs, state)
    weights = torch.randn_like(outputs), torch.randn_like(last)
    fast = torch.autograd.grad((outputs * weights[0]).sum() + (last * weights[1]).sum(), wanted)
    explicit, now = [], state
    for x in inputs.unbind(1):
        now = layer.step(x, now).state
        explicit.append(now[:, :HIDDEN])
    slow = torch.autograd.grad((torch.stack(explicit, 1) * weights[0]).sum() + (now * weights[1]).sum(), wanted)
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cell", list(Cell))
def test_one_position_after_another_equals_the_whole_with_its_gradients(cell: Cell) -> None:
    torch.manual_seed(1)
    layer = build_layer(cell, 5, 6).double()
    inputs = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    start = torch.randn(3, layer.state_size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 4, 6, dtype=torch.float64)

    whole, last = layer(inputs, start)
    step, state, outputs = layer.one_by_one(), start, []
    for position in inputs.split(1, dim=1):
        output, state = step(position, state)
        outputs.append(output)
    stepped = torch.cat(outputs, dim=1)
    torch.testing.assert_close(stepped, whole)
    torch.testing.assert_close(state, last)
    leaves = [inputs, start, *layer.parameters()]
    of_whole = torch.autograd.grad((whole * weights).sum() + last.square().sum(), leaves)
    of_steps = torch.autograd.grad((stepped * weights).sum() + state.square().sum(), leaves)
    torch.testing.assert_close(of_steps, of_whole)


@pytest.mark.parametrize("broken", [False, True])
def test_one_position_after_another_leaves_nothing_behind(broken: bool) -> None:
    def fail(grad: Tensor) -> None:
        raise MemoryError

    gc.disable()
    try:
        inputs = torch.randn(3, 1, 5, requires_grad=True)
        used = inputs * 2
        step = build_layer(Cell.gru, 5, 6).one_by_one()
        if broken:
            used.register_hook(fail)
        outputs, state = step(used, torch.zeros(3, 6))
        outputs, state = step(used, state)
        with pytest.raises(MemoryError) if broken else nullcontext():
            state.sum().backward()
        left = weakref.ref(used)
        del step, used, outputs, state
        assert left() is None
    finally:
        gc.enable()


def test_one_position_after_another_takes_the_type_of_autocast() -> None:
    layer = build_layer(Cell.gru, 5, 6)
    step = layer.one_by_one()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = layer.one_by_one()(torch.randn(3, 1, 5), torch.zeros(3, 6))
    assert outputs.dtype == state.dtype == torch.bfloat16
    assert step(torch.randn(3, 1, 5), torch.zeros(3, 6))[0].dtype == torch.float32
    state.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.dtype == torch.float32 for parameter in layer.parameters())


@pytest.mark.parametrize(("length", "batch"), [(LENGTH, 2), (1, 2), (LENGTH, 1), (1, 1)])
def test_gradient_of_the_gru_loop_by_finite_differences(length: int, batch: int) -> None:
    sizes = (length, batch, 3 * 3), (batch, 3), (3 * 3, 3)
    arguments = [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in (*sizes, (3 * 3,))]
    assert torch.autograd.gradcheck(gru_reset_before, arguments[:3])
    assert torch.autograd.gradcheck(gru_reset_after, arguments)


def test_gru_loops_leave_what_they_are_given_alone() -> None:
    projected, state, recurrent, bias = torch.randn(1, 1, 9), torch.randn(1, 3), torch.randn(9, 3), torch.randn(9)
    before = projected.clone()
    gru_reset_before(projected, state, recurrent)
    gru_reset_after(projected, state, recurrent, bias)
    assert torch.equal(projected, before)


@pytest.mark.parametrize("cell", [Cell.gru, Cell.lstm, Cell.rnn])
def test_kernels_get_states_that_cudnn_takes(cell: Cell) -> None:
    """A decoder's state of one layer is a slice of that of all; cuDNN refuses what is not contiguous, a CPU's kernels do not."""
    layer = layer_of(cell)
    (kernel,) = (module for module in layer.modules() if isinstance(module, nn.RNNBase))
    given: list[Tensor] = []

    def note(_: nn.Module, arguments: tuple[Tensor, Tensor | tuple[Tensor, Tensor]]) -> None:
        given.extend(arguments[1] if isinstance(arguments[1], tuple) else [arguments[1]])

    kernel.register_forward_pre_hook(note)
    inputs, state = sequence(layer)
    with torch.no_grad():
        layer(inputs, torch.stack([state, state], dim=1)[:, 1])
    assert len(given) == (2 if cell is Cell.lstm else 1)
    assert all(tensor.is_contiguous() for tensor in given)


def test_gru_loops_in_bf16_stay_close() -> None:
    torch.manual_seed(1)
    given = torch.randn(9, 2, 24), torch.randn(2, 8), torch.randn(24, 8) / 3, torch.randn(24)
    for loop, arguments in ((gru_reset_before, given[:3]), (gru_reset_after, given)):
        low = loop(*(x.bfloat16() for x in arguments))
        assert low.dtype is torch.bfloat16
        torch.testing.assert_close(low.float(), loop(*arguments), rtol=0.05, atol=0.05)


def test_the_loop_of_our_own_is_pytorchs_kernel() -> None:
    layer = GRULayer(INPUT, HIDDEN).double()
    for weights in layer.parameters():
        nn.init.normal_(weights)
    inputs, state = (x.requires_grad_() for x in sequence(layer))
    outputs, last = layer(inputs, state)
    kernels, kernels_last = layer.gru(inputs, state.unsqueeze(0))
    torch.testing.assert_close((outputs, last), (kernels, kernels_last.squeeze(0)))
    with torch.no_grad():
        torch.testing.assert_close(layer(inputs, state), (kernels, kernels_last.squeeze(0)))
    leaves, weights = [inputs, state, *layer.parameters()], torch.randn_like(outputs)
    ours, theirs = (torch.autograd.grad((x * weights).sum(), leaves) for x in (outputs, kernels))
    torch.testing.assert_close(ours, theirs)


def test_explicit_gru_is_pytorchs() -> None:
    """With the cell of PyTorch itself, not only our layer around it."""
    cell = nn.GRUCell(INPUT, HIDDEN).double()
    layer = GRULayer(INPUT, HIDDEN).double()
    layer.gru.load_state_dict({f"{name}_l0": weights for name, weights in cell.state_dict().items()})
    x, h = torch.randn(BATCH, INPUT).double(), torch.randn(BATCH, HIDDEN).double()
    torch.testing.assert_close(layer.step(x, h).state, cell(x, h))


def test_explicit_lstm_is_pytorchs() -> None:
    cell = nn.LSTMCell(INPUT, HIDDEN).double()
    layer = LSTMLayer(INPUT, HIDDEN).double()
    layer.lstm.load_state_dict({f"{name}_l0": weights for name, weights in cell.state_dict().items()})
    x, state = torch.randn(BATCH, INPUT).double(), torch.randn(BATCH, 2 * HIDDEN).double()
    torch.testing.assert_close(layer.step(x, state).state, torch.cat(cell(x, state.chunk(2, dim=-1)), dim=-1))


@pytest.mark.parametrize("kind", [GRULayer, ChoLayer])
def test_weights_go_to_the_papers_names_and_back(kind: type[GRULayer] | type[ChoLayer]) -> None:
    layer = kind(INPUT, HIDDEN).double()
    weights = random_equations(reset_after=kind is GRULayer)
    layer.load_equations(weights)
    assert equal(layer.equations(), weights)
    inputs, h = sequence(layer)
    outputs, _ = layer(inputs, h)
    for x, output in zip(inputs.unbind(1), outputs.unbind(1), strict=True):
        h = weights(x, h).state
        torch.testing.assert_close(output, h)


def test_pytorchs_weights_survive_the_papers_names() -> None:
    """Also where PyTorch has two biases that only count as their sum."""
    layer, other = layer_of(Cell.gru), GRULayer(INPUT, HIDDEN).double()
    assert isinstance(layer, GRULayer)
    other.load_equations(layer.equations())
    inputs, state = sequence(layer)
    torch.testing.assert_close(other(inputs, state)[0], layer(inputs, state)[0])


@pytest.mark.parametrize("kind", [GRULayer, ChoLayer])
def test_the_gates_at_their_ends(kind: type[GRULayer] | type[ChoLayer]) -> None:
    layer = kind(INPUT, HIDDEN).double()
    inputs, h = sequence(layer)

    def outputs(b_z: float, b_r: float) -> Tensor:
        weights = random_equations(reset_after=kind is GRULayer)
        weights = GRUEquations(**vars(weights) | {"b_z": weights.b_z * 0 + b_z, "b_r": weights.b_r * 0 + b_r})
        layer.load_equations(weights)
        return layer(inputs, h)[0]

    def recurrence(remembers: bool) -> Tensor:
        """tanh(W_h x + U_h h + b_h), with U_h h or without."""
        w, now, states = layer.equations(), h, []
        for x in inputs.unbind(1):
            past = now @ w.U_h.T + (0 if w.c_h is None else w.c_h)
            now = torch.tanh(x @ w.W_h.T + (past if remembers else 0) + w.b_h)
            states.append(now)
        return torch.stack(states, dim=1)

    torch.testing.assert_close(outputs(b_z=-1e3, b_r=0), h.unsqueeze(1).expand(-1, LENGTH, -1))  # z → 0 copies the state
    torch.testing.assert_close(outputs(b_z=1e3, b_r=1e3), recurrence(remembers=True))  # z, r → 1: the simple RNN
    torch.testing.assert_close(outputs(b_z=1e3, b_r=-1e3), recurrence(remembers=False))  # r → 0: forgets the past


def test_a_gru_without_gates_is_the_simple_layer() -> None:
    gru, rnn = GRULayer(INPUT, HIDDEN).double(), layer_of(Cell.rnn)
    weights = random_equations(reset_after=True)
    ones = torch.full_like(weights.b_r, 1e3)
    assert isinstance(rnn, SimpleLayer)
    simple = dict(zip(("W_h", "U_h", "b_h", "c_h"), weights_of(rnn.rnn), strict=True))
    gru.load_equations(GRUEquations(**vars(weights) | simple | {"b_r": ones, "b_z": ones}))
    inputs, state = sequence(gru)
    torch.testing.assert_close(gru(inputs, state)[0], rnn(inputs, state)[0])


def parameters(cell: Cell) -> int:
    return sum(parameter.numel() for parameter in build_layer(cell, INPUT, HIDDEN).parameters())


def test_parameter_counts_stand_as_the_gates() -> None:
    assert parameters(Cell.gru) == 3 * parameters(Cell.rnn)
    assert 4 * parameters(Cell.gru) == 3 * parameters(Cell.lstm)
    assert parameters(Cell.gru) - parameters(Cell.gru_cho) == 3 * HIDDEN  # PyTorch has every bias twice


@pytest.mark.parametrize("cell", list(Cell))
def test_recurrent_matrices_start_orthogonal(cell: Cell) -> None:
    layer = build_layer(cell, INPUT, HIDDEN)
    (recurrent,) = [p.detach() for p in layer.parameters() if p.shape == (GATES[cell] * HIDDEN, HIDDEN)]
    for gate in recurrent.chunk(GATES[cell]):
        torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN))


def test_the_forget_gate_starts_open() -> None:
    layer = LSTMLayer(INPUT, HIDDEN)
    gates = layer.step(torch.zeros(1, INPUT), torch.zeros(1, layer.state_size)).gates
    torch.testing.assert_close(gates["forget"], torch.sigmoid(torch.ones(1, HIDDEN)))
    torch.testing.assert_close(gates["input"], torch.full((1, HIDDEN), 0.5))


@pytest.mark.parametrize("cell", list(Cell))
def test_lengths_give_the_state_at_each_sequences_end(cell: Cell) -> None:
    layer = layer_of(cell)
    inputs, state = sequence(layer)
    lengths = [2, 4, 1]
    outputs, last = layer(inputs, state, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone, end = layer(inputs[row : row + 1, :length], state[row : row + 1])
        torch.testing.assert_close(outputs[row, :length], alone[0])
        torch.testing.assert_close(last[row], end[0])


def test_reverse_turns_each_sequence_within_its_length() -> None:
    inputs = torch.tensor([[1, 2, 3, 9], [1, 9, 9, 9], [1, 2, 3, 4]]).unsqueeze(-1)
    expected = [[3, 2, 1, 9], [1, 9, 9, 9], [4, 3, 2, 1]]
    assert reverse(inputs, torch.tensor([3, 1, 4])).squeeze(-1).tolist() == expected


@pytest.mark.parametrize("cell", list(Cell))
def test_directed_layers_are_layers_on_unpadded_sentences(cell: Cell) -> None:
    torch.manual_seed(1)
    layer = DirectedLayer(Direction.both, cell, INPUT, HIDDEN)
    lengths = [4, 2, 1]
    inputs = torch.randn(BATCH, LENGTH, INPUT)
    outputs, final = layer(inputs, torch.tensor(lengths), with_final=True)
    unpacked, _ = layer(inputs, torch.tensor(lengths), with_final=False)
    for row, length in enumerate(lengths):
        sentence = inputs[row : row + 1, :length]
        zero = torch.zeros(1, layer["forwards"].state_size)
        left, left_end = layer["forwards"](sentence, zero)
        right, right_end = layer["backwards"](sentence.flip(1), zero)
        expected = torch.cat([left, right.flip(1)], dim=-1)[0]
        torch.testing.assert_close(outputs[row, :length], expected)
        torch.testing.assert_close(unpacked[row, :length], expected)
        torch.testing.assert_close(final[0][row], left_end[0])
        torch.testing.assert_close(final[1][row], right_end[0])
