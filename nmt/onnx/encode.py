"""The function ``encode``: from a batch of sources to what the decoder may know of them, and what it starts from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nmt.models.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    MultiHeadAttention,
    NoAttention,
    NoContext,
)
from nmt.models.bridge import HandOver, SummaryBridge
from nmt.models.decoder import RecurrentDecoder
from nmt.models.encoder import RecurrentEncoder
from nmt.models.seq2seq import Seq2Seq
from nmt.onnx.graph import Graph
from nmt.onnx.layers import whole


def encode_graph(model: Seq2Seq) -> Graph:
    """source [batch, src_len] int64 with lengths [batch] int32 → keys and values (see ``_memory``), initial
    [batch, layers, state_size].
    """
    encoder, decoder = model.encoder, model.decoder
    assert isinstance(encoder, RecurrentEncoder) and isinstance(decoder, RecurrentDecoder)
    graph = Graph("encode")
    source = graph.input("source", np.int64, ["batch", "src_len"])
    lengths = graph.input("lengths", np.int32, ["batch"])
    # [batch, src_len] → [src_len, batch, embedding]
    states = graph("Gather", graph.constant(encoder.embedding.matrix.weight), graph("Transpose", source, perm=[1, 0]))
    finals = []
    for i, (layer, norm) in enumerate(zip(encoder.layers, encoder.norms, strict=True)):
        above, final = whole(graph, layer, states, lengths)  # type: ignore[arg-type]
        states = graph.norm(graph("Add", states, above) if encoder.residual and i > 0 else above, norm)
        # [batch, size] each → [batch, 1, state_size]
        finals.append(graph("Unsqueeze", graph.concat(*final), graph.constant([1])))
    states = graph("Transpose", states, perm=[1, 0, 2])
    summary = _summary(graph, encoder, states, lengths)
    keys, values = _memory(graph, decoder.attention, states, summary)
    graph.output("keys", keys, np.float32, ["batch", "key_size", "positions"])
    graph.output("values", values, np.float32, ["batch", "positions", "value_size"])
    initial = _initial(graph, decoder, summary, finals)
    graph.output("initial", initial, np.float32, ["batch", "layers", "state_size"])
    return graph


def _summary(graph: Graph, encoder: RecurrentEncoder, states: str, lengths: str) -> str:
    """Each direction's state where it has read the whole sentence: [batch, src_len, memory_size] → [batch, memory_size]."""
    names = encoder.direction.names
    ends = []
    for part, name in zip(_halves(graph, states, len(names)), names, strict=True):
        if name == "forwards":
            last = graph("Sub", graph("Cast", lengths, to=7), graph.constant([1]))  # 7: int64
            ends.append(graph("GatherND", part, graph("Unsqueeze", last, graph.constant([1])), batch_dims=1))
        else:
            ends.append(graph("Gather", part, graph.constant(np.array(0)), axis=1))
    return graph.concat(*ends)


def _halves(graph: Graph, states: str, directions: int) -> list[str]:
    return graph.several("Split", 2, states, axis=-1) if directions == 2 else [states]


def _memory(graph: Graph, attention: Attention, states: str, summary: str) -> tuple[str, str]:
    """What ``attend`` multiplies with: keys [batch, key_size, positions], values [batch, positions, value_size].

    The positions are those of the source, with several heads one head after another: the query's matrix and the output's are
    multiplied into keys and values, a sentence at a time and not a step at a time.
    """

    def transposed(keys: str) -> str:
        return graph("Transpose", keys, perm=[0, 2, 1])

    def times(matrix: Tensor) -> str:
        return graph("MatMul", states, graph.constant(matrix))

    match attention:
        case DotAttention():
            return transposed(states), states
        case GeneralAttention() | AdditiveAttention():
            return transposed(times(attention.key.weight.T)), states
        case MultiHeadAttention():
            size = attention.query.weight.shape[0] // attention.heads
            query, key = (linear.weight.unflatten(0, (attention.heads, size)) for linear in (attention.query, attention.key))
            value = attention.value.weight.unflatten(0, (attention.heads, size))
            output = attention.output.weight.unflatten(1, (attention.heads, size))
            # score = q · k / √d with q = Q x and k = K s: x · (Qᵀ K s / √d)
            folded = torch.einsum("hdq,hdm->hmq", query, key) / size**0.5
            # context = Σ_h O_h (V_h s)
            spread = torch.einsum("ohd,hdm->hmo", output, value)
            keys, values = (graph("Concat", *map(times, heads), axis=1) for heads in (folded, spread))
            return transposed(keys), values
        case NoAttention():
            values = graph("Unsqueeze", summary, graph.constant([1]))
            return transposed(values), values
        case NoContext():
            nothing = graph("Slice", states, graph.constant([0]), graph.constant([0]), graph.constant([2]))
            return transposed(nothing), nothing
    raise AssertionError(f"an attention without ONNX operators: {type(attention).__name__}")


def _initial(graph: Graph, decoder: RecurrentDecoder, summary: str, finals: list[str]) -> str:
    match decoder.bridge:
        case SummaryBridge():
            weights = decoder.bridge.project
            shape = graph.constant([0, decoder.bridge.layers, -1])
            return graph("Reshape", graph("Tanh", graph.linear(summary, weights.weight, weights.bias)), shape)
        case HandOver():
            return graph("Concat", *finals, axis=1)
    raise AssertionError(f"a bridge without ONNX operators: {type(decoder.bridge).__name__}")
