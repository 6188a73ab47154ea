"""The function ``step``: from the last token of each row to the likeliest next ones, and the state after it."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nmt.models.attention import AdditiveAttention, NoAttention, NoContext
from nmt.models.decoder import FirstLayerDecoder, InputFeedingDecoder, PreviousStateDecoder, RecurrentDecoder, SummaryDecoder
from nmt.models.recurrent import RecurrentLayer
from nmt.models.seq2seq import Seq2Seq
from nmt.onnx.graph import Graph, quantise
from nmt.onnx.layers import input_weights, step

LARGEST_TABLE = 2**24
"""Values: tables of products with all embeddings may have so many, or they are multiplied at every step."""


def step_graph(model: Seq2Seq, quantised: bool, shortlisted: bool = False) -> Graph:
    """tokens and parents [rows] int64 (of which row of ``states`` each goes on), state0 … [rows before, state_size] of each
    layer, feed [rows before, feed_size], keys and values of ``encode``, mask [batch, 1, 1, src_len] (0 at real tokens, else
    −∞), width [3] = (batch, width, −1), heads [4] = (batch, width, heads, src_len), count [1]
    → next_tokens and next_log_prob [rows, count], likeliest first; logits [rows, vocab] and normaliser [rows, 1];
    next_state0 …, next_feed; attention [batch, width, heads, src_len].

    If it is ``shortlisted``, vocab are the candidates [candidates] int64, which come with what ``project_graph`` gives for them.
    """
    decoder = model.decoder
    assert isinstance(decoder, RecurrentDecoder)
    graph = Graph("step", quantised)
    built = _Step(graph, decoder)
    features, attention = built.run()
    built.finish()
    logits = _shortlisted(graph, features) if shortlisted else graph.linear(features, model.output.weight, model.output.bias)
    top, tokens = graph.several("TopK", 2, logits, graph.input("count", np.int64, [1]), axis=-1)
    if shortlisted:
        tokens = graph("Gather", graph.input("candidates", np.int64, ["candidates"]), tokens)
    highest = graph("ReduceMax", top, axes=[1])
    normaliser = graph("Log", graph("ReduceSum", graph("Exp", graph("Sub", logits, highest)), graph.constant([1])))
    normaliser = graph("Add", normaliser, highest)
    graph.output("next_tokens", tokens, np.int64, ["rows", "count"])
    graph.output("next_log_prob", graph("Sub", top, normaliser), np.float32, ["rows", "count"])
    vocab = "candidates" if shortlisted else len(model.output.weight)
    # Their difference is made only by those who want all of it: what is an output is computed at every step.
    graph.output("logits", logits, np.float32, ["rows", vocab])
    graph.output("normaliser", normaliser, np.float32, ["rows", 1])
    if attention is not None:
        graph.output("attention", attention, np.float32, ["batch", "width", "heads", "src_len"])
    return graph


def project_graph(model: Seq2Seq) -> Graph:
    """candidates [candidates] int64 → levels [feature_size, candidates] int8, scale and bias [candidates]: the part of the
    output projection that is theirs, in 8 bits.
    """
    graph = Graph("project", quantised=True)
    candidates = graph.input("candidates", np.int64, ["candidates"])
    levels, scale = quantise(model.output.weight)
    chosen = graph("Transpose", graph("Gather", graph.constant(levels), candidates), perm=[1, 0])
    graph.output("levels", chosen, np.int8, [levels.shape[1], "candidates"])
    for name, values in (("scale", scale), ("bias", model.output.bias)):
        graph.output(name, graph("Gather", graph.constant(values), candidates), np.float32, ["candidates"])
    return graph


def _shortlisted(graph: Graph, features: str) -> str:
    levels = graph.input("levels", np.int8, ["feature_size", "candidates"])
    rest = [graph.input(name, np.float32, ["candidates"]) for name in ("scale", "bias")]
    return graph.quantised_product(features, levels, *rest)


class _Step:
    """A decoder at one position; the parts of ``nmt.models.decoder`` by their names."""

    def __init__(self, graph: Graph, decoder: RecurrentDecoder) -> None:
        self.graph = graph
        self.decoder = decoder
        self.layers: list[RecurrentLayer] = decoder.recurrent_layers()
        self.hidden = self.layers[0].hidden_size
        self.tokens = graph.input("tokens", np.int64, ["rows"])
        parents = graph.input("parents", np.int64, ["rows"])

        def carried(name: str, size: int) -> str:
            return graph("Gather", graph.input(name, np.float32, ["rows_before", size]), parents)

        self.states = [carried(f"state{i}", layer.state_size) for i, layer in enumerate(self.layers)]
        self.feed = carried("feed", decoder.feed_size) if decoder.feed_size else None
        self.after: list[str] = []

    def run(self) -> tuple[str, str | None]:
        """Features [rows, feature_size], and the attention's weights."""
        graph, decoder = self.graph, self.decoder
        match decoder:
            case FirstLayerDecoder():
                hidden = self._first([])
                context, attention = self._attend(hidden)
                hidden = self._above(hidden, context)
                return self._read_out([hidden, *context], with_word=True), attention
            case SummaryDecoder():
                context, attention = self._attend(self.states[-1])
                hidden = self._above(self._first(context), context)
                return self._read_out([hidden, *context], with_word=True), attention
            case PreviousStateDecoder():
                top = self.states[-1]
                query = top if self.layers[-1].state_size == self.hidden else graph.split(top, self.hidden, self.hidden)[0]
                context, attention = self._attend(query)
                hidden = self._above(self._first(context), context)
                return self._read_out([hidden, *context], with_word=True), attention
            case InputFeedingDecoder():
                assert self.feed is not None
                hidden = self._above(self._first([self.feed]), [])
                context, attention = self._attend(hidden)
                self.feed = self._read_out([hidden, *context], with_word=False)
                return self.feed, attention
        raise AssertionError(f"a decoder without ONNX operators: {type(decoder).__name__}")

    def finish(self) -> None:
        """The state after the step."""
        for i, (state, layer) in enumerate(zip(self.after, self.layers, strict=True)):
            self.graph.output(f"next_state{i}", state, np.float32, ["rows", layer.state_size])
        if self.feed is not None:
            self.graph.output("next_feed", self.feed, np.float32, ["rows", self.decoder.feed_size])

    def _word(self, weight: Tensor, bias: Tensor | None) -> str:
        """W e + b of the tokens' embeddings e: looked up in a table of all of them, if that is not too large."""
        graph, matrix = self.graph, self.decoder.embedding.matrix.weight
        if len(matrix) * len(weight) > LARGEST_TABLE:
            return graph.linear(graph("Gather", graph.constant(matrix), self.tokens), weight, bias)
        table = matrix @ weight.T if bias is None else matrix @ weight.T + bias
        return graph("Gather", graph.constant(table), self.tokens)

    def _first(self, others: list[str]) -> str:
        """The lowest layer on the word and [rows, size] each of the ``others`` → its output after the norm."""
        weight, bias = input_weights(self.layers[0])
        word_size = self.decoder.embedding.matrix.weight.shape[1]
        of_input = self._word(weight[:, :word_size], bias)
        if others:
            of_input = self.graph("Add", of_input, self.graph.linear(self.graph.concat(*others), weight[:, word_size:]))
        return self._layer(0, of_input)

    def _above(self, hidden: str, context: list[str]) -> str:
        """The layers over the lowest, each on [what is below; context]."""
        for i in range(1, len(self.layers)):
            of_input = self.graph.linear(self.graph.concat(hidden, *context), *input_weights(self.layers[i]))
            hidden = self._layer(i, of_input, hidden if self.decoder.residual else None)
        return hidden

    def _layer(self, number: int, of_input: str, residual: str | None = None) -> str:
        layer = self.layers[number]
        state = step(self.graph, layer, of_input, self.states[number])
        self.after.append(state)
        h = state if layer.state_size == self.hidden else self.graph.split(state, self.hidden, self.hidden)[0]
        return self.graph.norm(h if residual is None else self.graph("Add", residual, h), self.decoder.norms[number])

    def _attend(self, query: str) -> tuple[list[str], str | None]:
        """query [rows, hidden] → the context [rows, context_size], in a list that is empty if there is none, and the weights."""
        graph, attention = self.graph, self.decoder.attention
        if isinstance(attention, NoContext):
            return [], None
        values = graph.input("values", np.float32, ["batch", "positions", "value_size"])
        width = graph.input("width", np.int64, [3])
        flat = graph.constant([-1, attention.context_size])
        if isinstance(attention, NoAttention):
            # [batch, 1, size] → [batch, width, size]
            _, rows, _ = graph.several("Split", 3, width, axis=0)
            shape = graph("Concat", graph.constant([1]), rows, graph.constant([1]), axis=0)
            return [graph("Reshape", graph("Expand", values, shape), flat)], None
        keys = graph.input("keys", np.float32, ["batch", "key_size", "positions"])
        heads = graph.input("heads", np.int64, [4])
        mask = graph.input("mask", np.float32, ["batch", 1, 1, "src_len"])
        if isinstance(attention, AdditiveAttention):
            asked = graph.linear(query, attention.query.weight, attention.query.bias)
            scores = graph("MatMul", graph("Tanh", self._sums(asked, keys, width)), graph.constant(attention.energy.weight.T))
        else:
            scores = graph("MatMul", graph("Reshape", query, width), keys)
        weights = graph("Softmax", graph("Add", graph("Reshape", scores, heads), mask), axis=-1)
        together = graph("Reshape", weights, graph.constant([0, 0, -1]))
        return [graph("Reshape", graph("MatMul", together, values), flat)], weights

    def _sums(self, asked: str, keys: str, width: str) -> str:
        """asked [rows, size], keys [batch, size, src_len] → all sums [batch, width, src_len, size]."""
        graph = self.graph
        asked = graph("Unsqueeze", graph("Reshape", asked, width), graph.constant([2]))
        return graph("Add", asked, graph("Unsqueeze", graph("Transpose", keys, perm=[0, 2, 1]), graph.constant([1])))

    def _read_out(self, parts: list[str], with_word: bool) -> str:
        """tanh(W [parts; word])"""
        weight, bias = self.decoder.readout.weight, self.decoder.readout.bias
        if not with_word:
            return self.graph("Tanh", self.graph.linear(self.graph.concat(*parts), weight, bias))
        rest = weight.shape[1] - self.decoder.embedding.matrix.weight.shape[1]
        read = self.graph.linear(self.graph.concat(*parts), weight[:, :rest])
        return self.graph("Tanh", self.graph("Add", read, self._word(weight[:, rest:], bias)))
