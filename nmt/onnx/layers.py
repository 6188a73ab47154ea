"""The recurrent layers in ONNX: a whole source at once, and one position of a target."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nmt.models.cells import LSTMLayer, SimpleLayer
from nmt.models.encoder import DirectedLayer
from nmt.models.gru import ChoLayer, GRULayer
from nmt.models.recurrent import RecurrentLayer, weights_of
from nmt.onnx.graph import Graph


def input_weights(layer: RecurrentLayer) -> tuple[Tensor, Tensor]:
    """The matrix and the bias that a layer's input meets: [gates × hidden, input] and [gates × hidden]."""
    match layer:
        case GRULayer():
            w, _, b, _ = weights_of(layer.gru)
            return w, b
        case ChoLayer():
            return layer.W, layer.b
        case LSTMLayer() | SimpleLayer():
            w, _, b, c = weights_of(layer.lstm if isinstance(layer, LSTMLayer) else layer.rnn)
            return w, b + c
    raise AssertionError(f"a layer without ONNX operators: {type(layer).__name__}")


def step(graph: Graph, layer: RecurrentLayer, of_input: str, state: str) -> str:
    """One position: W x + b [rows, gates × hidden] of ``input_weights``, state [rows, state_size] → the next state."""
    hidden = layer.hidden_size
    match layer:
        case GRULayer():
            _, u, _, c = weights_of(layer.gru)
            return _gru_step(graph, of_input, graph.linear(state, u, c), state, hidden)
        case ChoLayer():
            return _cho_step(graph, of_input, layer.U, state, hidden)
        case LSTMLayer():
            _, u, _, _ = weights_of(layer.lstm)
            h, cell = graph.split(state, hidden, hidden)
            i, f, g, o = graph.split(graph("Add", of_input, graph.linear(h, u)), *[hidden] * 4)
            written = graph("Mul", graph("Sigmoid", i), graph("Tanh", g))
            cell = graph("Add", graph("Mul", graph("Sigmoid", f), cell), written)
            return graph.concat(graph("Mul", graph("Sigmoid", o), graph("Tanh", cell)), cell)
        case SimpleLayer():
            _, u, _, _ = weights_of(layer.rnn)
            return graph("Tanh", graph("Add", of_input, graph.linear(state, u)))
    raise AssertionError(f"a layer without ONNX operators: {type(layer).__name__}")


def _gru_step(graph: Graph, of_input: str, of_state: str, h: str, hidden: int) -> str:
    """PyTorch's form, whose z keeps the state; the parts [rows, 3 × hidden] of the gates r, z and the candidate."""
    gates_x, candidate_x = graph.split(of_input, 2 * hidden, hidden)
    gates_h, candidate_h = graph.split(of_state, 2 * hidden, hidden)
    r, z = graph.split(graph("Sigmoid", graph("Add", gates_x, gates_h)), hidden, hidden)
    candidate = graph("Tanh", graph("Add", candidate_x, graph("Mul", r, candidate_h)))
    return graph("Add", candidate, graph("Mul", z, graph("Sub", h, candidate)))


def _cho_step(graph: Graph, of_input: str, u: Tensor, h: str, hidden: int) -> str:
    gates_x, candidate_x = graph.split(of_input, 2 * hidden, hidden)
    r, z = graph.split(graph("Sigmoid", graph("Add", gates_x, graph.linear(h, u[: 2 * hidden]))), hidden, hidden)
    past = graph.linear(graph("Mul", r, h), u[2 * hidden :])
    candidate = graph("Tanh", graph("Add", candidate_x, past))
    return graph("Add", h, graph("Mul", z, graph("Sub", candidate, h)))


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
