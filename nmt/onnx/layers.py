"""The recurrent layers in ONNX: one position of a target, and a whole source at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nmt.models.cells import LSTMLayer, SimpleLayer
from nmt.models.encoder import DirectedLayer
from nmt.models.gru import ChoLayer, GRULayer
from nmt.models.recurrent import RecurrentLayer, weights_of
from nmt.onnx.graph import Graph

LARGEST_TABLE = 2**24
"""Values: tables of products with all embeddings may have so many, or they are multiplied at every position."""


def of_word(graph: Graph, matrix: Tensor, tokens: str, weight: Tensor, bias: Tensor | None) -> str:
    """W e + b of the tokens' rows e of ``matrix``: looked up in a table of all of them, if that is not too large."""
    if len(matrix) * len(weight) > LARGEST_TABLE:
        return graph.linear(graph("Gather", graph.constant(matrix), tokens), weight, bias)
    table = matrix @ weight.T if bias is None else matrix @ weight.T + bias
    return graph("Gather", graph.constant(table), tokens)


def input_weights(layer: RecurrentLayer) -> list[tuple[Tensor, Tensor]]:
    """The matrices [size, input] and biases [size] that a layer's input meets, apart where ``step`` wants the products apart."""
    match layer:
        case GRULayer():
            w, _, b, _ = weights_of(layer.gru)
            return list(zip(_apart(w), _apart(b), strict=True))
        case ChoLayer():
            return list(zip(_apart(layer.W), _apart(layer.b), strict=True))
        case LSTMLayer() | SimpleLayer():
            w, _, b, c = weights_of(layer.lstm if isinstance(layer, LSTMLayer) else layer.rnn)
            return [(w, b + c)]
    raise AssertionError(f"a layer without ONNX operators: {type(layer).__name__}")


def _apart(gates: Tensor) -> tuple[Tensor, Tensor]:
    """A GRU's r and z, and its candidate."""
    size = len(gates) // 3
    return gates[: 2 * size], gates[2 * size :]


def step(graph: Graph, layer: RecurrentLayer, of_input: list[str], state: str) -> str:
    """One position: W x + b [rows, size] of each of ``input_weights``, state [rows, state_size] → the next state."""
    hidden = layer.hidden_size
    match layer:
        case GRULayer():  # PyTorch's form, whose z keeps the state
            _, u, _, c = weights_of(layer.gru)
            gates, past = (graph.linear(state, *part) for part in zip(_apart(u), _apart(c), strict=True))
            r, z = graph.split(graph("Sigmoid", graph("Add", of_input[0], gates)), hidden, hidden)
            candidate = graph("Tanh", graph("Add", of_input[1], graph("Mul", r, past)))
            return graph("Add", candidate, graph("Mul", z, graph("Sub", state, candidate)))
        case ChoLayer():
            u_gates, u_candidate = _apart(layer.U)
            gates = graph("Add", of_input[0], graph.linear(state, u_gates))
            r, z = graph.split(graph("Sigmoid", gates), hidden, hidden)
            past = graph.linear(graph("Mul", r, state), u_candidate)
            candidate = graph("Tanh", graph("Add", of_input[1], past))
            return graph("Add", state, graph("Mul", z, graph("Sub", candidate, state)))
        case LSTMLayer():
            _, u, _, _ = weights_of(layer.lstm)
            h, cell = graph.split(state, hidden, hidden)
            i, f, g, o = graph.split(graph("Add", *of_input, graph.linear(h, u)), *[hidden] * 4)
            written = graph("Mul", graph("Sigmoid", i), graph("Tanh", g))
            cell = graph("Add", graph("Mul", graph("Sigmoid", f), cell), written)
            return graph.concat(graph("Mul", graph("Sigmoid", o), graph("Tanh", cell)), cell)
        case SimpleLayer():
            _, u, _, _ = weights_of(layer.rnn)
            return graph("Tanh", graph("Add", *of_input, graph.linear(state, u)))
    raise AssertionError(f"a layer without ONNX operators: {type(layer).__name__}")


def parts_of(graph: Graph, layer: RecurrentLayer, state: str) -> list[str]:
    """state [rows, state_size] → h, of an LSTM h and c, [rows, hidden] each."""
    hidden = layer.hidden_size
    return [state] if layer.state_size == hidden else graph.split(state, hidden, hidden)


def whole(graph: Graph, layer: DirectedLayer, x: str, lengths: str) -> tuple[str, list[str]]:
    """A whole source in both directions: x [src_len, batch, input], lengths [batch] int32
    → outputs [src_len, batch, directions × hidden]; the final h, of an LSTM also c, [batch, directions × hidden] each.

    Other than PyTorch's, outputs beyond a sentence's end are 0.
    """
    directions = layer.by_direction()
    kinds = list(directions.values())
    names = {("forwards",): "forward", ("backwards",): "reverse", ("forwards", "backwards"): "bidirectional"}
    operator, weights = zip(*map(_operands, kinds), strict=True)
    # [directions, gates × hidden, …]; of the biases those of the inputs, then those of the states
    w, u, b = (graph.constant(np.stack([part.detach().numpy() for part in parts])) for parts in zip(*weights, strict=True))
    attributes: dict[str, Any] = {"hidden_size": kinds[0].hidden_size, "direction": names[tuple(directions)]}
    if operator[0] == "GRU":
        attributes["linear_before_reset"] = int(isinstance(kinds[0], GRULayer))
    finals = 2 if operator[0] == "LSTM" else 1
    outputs, *final = graph.several(operator[0], 1 + finals, x, w, u, b, lengths, **attributes)
    # [src_len, directions, batch, hidden] → [src_len, batch, directions × hidden]
    outputs = graph("Reshape", graph("Transpose", outputs, perm=[0, 2, 1, 3]), graph.constant([0, 0, -1]))
    # [directions, batch, hidden] → [batch, directions × hidden]
    shape = graph.constant([0, -1])
    return outputs, [graph("Reshape", graph("Transpose", last, perm=[1, 0, 2]), shape) for last in final]


def position_by_position(
    graph: Graph, name: str, layer: DirectedLayer, of_input: Callable[[Tensor, Tensor], str], real: str
) -> tuple[str, list[str]]:
    """What ``whole`` gives, with products in 8 bits, for which ONNX Runtime has no such operator. ``of_input`` gives W x + b
    [src_len, batch, size] for W and b; real [src_len, batch, 1] is True at real tokens: beyond, the state stays as it is, and
    outputs have no meaning.
    """
    outputs, finals = [], []
    for direction, one in layer.by_direction().items():
        start = graph("Expand", graph.constant(np.zeros((1, one.state_size), np.float32)), graph("Shape", real, start=1))
        inputs = [of_input(*weights) for weights in input_weights(one)]
        body = _position(f"{name}.{direction}", one)
        last, output = graph.scan(body, start, [*inputs, real], backwards=direction == "backwards")
        outputs.append(output)
        finals.append(parts_of(graph, one, last))
    return graph.concat(*outputs), [graph.concat(*parts) for parts in zip(*finals, strict=True)]


def _position(name: str, layer: RecurrentLayer) -> Graph:
    """state, W x + b of each of ``input_weights``, real [batch, 1] → the next state, output [batch, hidden]."""
    graph = Graph(name, quantised=True)
    before = graph.input(f"{name}.before", np.float32, ["batch", layer.state_size])
    inputs = [
        graph.input(f"{name}.input{number}", np.float32, ["batch", len(bias)])
        for number, (_, bias) in enumerate(input_weights(layer))
    ]
    real = graph.input(f"{name}.real", np.bool_, ["batch", 1])
    found = step(graph, layer, inputs, before)
    graph.output(f"{name}.after", graph("Where", real, found, before), np.float32, ["batch", layer.state_size])
    graph.output(f"{name}.output", parts_of(graph, layer, found)[0], np.float32, ["batch", layer.hidden_size])
    return graph


def _operands(layer: RecurrentLayer) -> tuple[str, tuple[Tensor, Tensor, Tensor]]:
    """ONNX's operator and its W, R and B."""
    match layer:
        case GRULayer():
            w, u, b, c = (_reordered(part, 1, 0, 2) for part in weights_of(layer.gru))  # z, r, candidate
            return "GRU", (w, u, torch.cat([b, c]))
        case ChoLayer():
            # ONNX's z keeps the state, as PyTorch's: σ(−a) = 1 − σ(a).
            w, u, b = (_reordered(_negated_update(part), 1, 0, 2) for part in (layer.W, layer.U, layer.b))
            return "GRU", (w, u, torch.cat([b, torch.zeros_like(b)]))
        case LSTMLayer():
            w, u, b, c = (_reordered(part, 0, 3, 1, 2) for part in weights_of(layer.lstm))  # i, o, f, candidate
            return "LSTM", (w, u, torch.cat([b, c]))
        case SimpleLayer():
            w, u, b, c = weights_of(layer.rnn)
            return "RNN", (w, u, torch.cat([b, c]))
    raise AssertionError(f"a layer without an ONNX operator: {type(layer).__name__}")


def _reordered(gates: Tensor, *order: int) -> Tensor:
    parts = gates.detach().chunk(len(order))
    return torch.cat([parts[place] for place in order])


def _negated_update(gates: Tensor) -> Tensor:
    r, z, candidate = gates.detach().chunk(3)
    return torch.cat([r, -z, candidate])
