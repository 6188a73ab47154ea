"""The function ``encode``: from a batch of sources to what the decoder may know of them, and what it starts from."""

from __future__ import annotations

from functools import partial

import numpy as np

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
from nmt.onnx.layers import of_word, position_by_position, whole


def encode_graph(model: Seq2Seq, quantised: bool) -> Graph:
    """source [batch, src_len] int64, lengths [batch] int32, in 8 bits also mask [batch, src_len], True at real tokens
    → keys and values (see ``_memory``), initial [batch, layers, state_size].
    """
    encoder, decoder = model.encoder, model.decoder
    assert isinstance(encoder, RecurrentEncoder) and isinstance(decoder, RecurrentDecoder)
    graph = Graph("encode", quantised)
    source = graph.input("source", np.int64, ["batch", "src_len"])
    lengths = graph.input("lengths", np.int32, ["batch"])
    states, finals = _layers(graph, encoder, graph("Transpose", source, perm=[1, 0]), lengths)
    states = graph("Transpose", states, perm=[1, 0, 2])
    summary = _summary(graph, encoder, states, lengths)
    words = None
    if decoder.lexical is not None:
        words = of_word(graph, encoder.embedding.vectors(), source, decoder.lexical.weight, None)
    for name, (value, shape) in _memory(graph, decoder.attention, states, words, summary).items():
        graph.output(name, value, np.float32, shape)
    initial = _initial(graph, decoder, summary, finals)
    graph.output("initial", initial, np.float32, ["batch", "layers", "state_size"])
    return graph


def _layers(graph: Graph, encoder: RecurrentEncoder, tokens: str, lengths: str) -> tuple[str, list[str]]:
    """tokens [src_len, batch] → the top layer's states [src_len, batch, memory_size], all final ones [batch, 1, state_size]."""
    embedding = encoder.embedding.vectors()
    if graph.quantised:
        mask = graph.input("mask", np.bool_, ["batch", "src_len"])
        real = graph("Unsqueeze", graph("Transpose", mask, perm=[1, 0]), graph.constant([2]))
    states, finals = "", []
    for i, (layer, norm) in enumerate(zip(encoder.layers, encoder.norms, strict=True)):
        if graph.quantised:
            of_input = partial(graph.linear, states) if i else partial(of_word, graph, embedding, tokens)
            above, final = position_by_position(graph, f"layer{i}", layer, of_input, real)  # type: ignore[arg-type]
        else:
            below = states if i else graph("Gather", graph.constant(embedding), tokens)
            above, final = whole(graph, layer, below, lengths)  # type: ignore[arg-type]
        states = graph.norm(graph("Add", states, above) if encoder.residual and i else above, norm)
        # [batch, size] each → [batch, 1, state_size]
        finals.append(graph("Unsqueeze", graph.concat(*final), graph.constant([1])))
    return states, finals


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


def _memory(
    graph: Graph, attention: Attention, states: str, words: str | None, summary: str
) -> dict[str, tuple[str, list[int | str]]]:
    """What ``attend`` multiplies with, and the shapes: keys [batch, heads, head_size, src_len], with ``AdditiveAttention``
    [batch, 1, src_len, hidden], values [batch, heads, src_len, value_size]; without keys values [batch, value_size].

    ``words`` is what the source's words add to the values, if anything.
    """
    heads, as_keys, as_values = 1, [0, 2, 3, 1], [0, 2, 1, 3]
    match attention:
        case NoAttention():
            return {"values": (summary, ["batch", "value_size"])}
        case NoContext():
            return {}
        case DotAttention():
            keys, values = states, states
        case GeneralAttention():
            keys, values = graph.linear(states, attention.key.weight), states
        case AdditiveAttention():
            keys, values = graph.linear(states, attention.key.weight), states
            as_keys = as_values
        case MultiHeadAttention():
            keys, values = (graph.linear(states, part.weight) for part in (attention.key, attention.value))
            heads = attention.heads
        case _:
            raise AssertionError(f"an attention without ONNX operators: {type(attention).__name__}")
    if words is not None:
        values = graph("Add", values, words)

    def by_head(projected: str, order: list[int]) -> str:
        # [batch, src_len, heads × size] → [batch, src_len, heads, size], and in the order
        return graph("Transpose", graph("Reshape", projected, graph.constant([0, 0, heads, -1])), perm=order)

    return {
        "keys": (by_head(keys, as_keys), ["batch", heads, "key_rows", "key_columns"]),
        "values": (by_head(values, as_values), ["batch", heads, "src_len", "value_size"]),
    }


def _initial(graph: Graph, decoder: RecurrentDecoder, summary: str, finals: list[str]) -> str:
    match decoder.bridge:
        case SummaryBridge():
            weights = decoder.bridge.project
            shape = graph.constant([0, decoder.bridge.layers, -1])
            return graph("Reshape", graph("Tanh", graph.linear(summary, weights.weight, weights.bias)), shape)
        case HandOver():
            return graph("Concat", *finals, axis=1)
    raise AssertionError(f"a bridge without ONNX operators: {type(decoder.bridge).__name__}")
