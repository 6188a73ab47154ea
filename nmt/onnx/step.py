"""The function ``step``: from the last token of each row to the likeliest next ones, and the state after it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nmt.models.attention import AdditiveAttention, MultiHeadAttention, NoAttention, NoContext
from nmt.models.decoder import FirstLayerDecoder, InputFeedingDecoder, PreviousStateDecoder, RecurrentDecoder, SummaryDecoder
from nmt.models.recurrent import RecurrentLayer
from nmt.models.seq2seq import Seq2Seq
from nmt.onnx.graph import Graph, quantise
from nmt.onnx.layers import input_weights, of_word, parts_of, step


def step_graph(model: Seq2Seq, quantised: bool, shortlisted: bool = False) -> Graph:
    """tokens and parents [rows] int64 (of which row of ``states`` each goes on), state0 … [rows before, state_size] of each
    layer, feed [rows before, feed_size], keys and values of ``encode``, mask [batch, 1, 1, src_len] (0 at real tokens, else
    −∞), cells [batch, width] (the row at each place of a sentence), places [rows, 2] (the sentence of each row, and its place
    there), count [1]
    → next_tokens and next_log_prob [rows, count], likeliest first; log_prob [rows, vocab]; next_state0 …, next_feed; attention
    [batch, heads, width, src_len].

    If it is ``shortlisted``, vocab are the candidates, by their numbers among them, for which ``project_graph`` gives levels,
    scale and bias.
    """
    decoder = model.decoder
    assert isinstance(decoder, RecurrentDecoder)
    graph = Graph("step", quantised)
    built = _Step(graph, decoder)
    features, attention = built.run()
    built.finish()
    logits = _shortlisted(graph, features) if shortlisted else graph.linear(features, model.output.weight, model.output.bias)
    log_prob = graph("LogSoftmax", logits, axis=-1)
    top, tokens = graph.several("TopK", 2, log_prob, graph.input("count", np.int64, [1]), axis=-1)
    graph.output("next_tokens", tokens, np.int64, ["rows", "count"])
    graph.output("next_log_prob", top, np.float32, ["rows", "count"])
    graph.output("log_prob", log_prob, np.float32, ["rows", "vocab"])
    if attention is not None:
        graph.output("attention", attention, np.float32, ["batch", "heads", "width", "src_len"])
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
        self.tokens = graph.input("tokens", np.int64, ["rows"])
        parents = graph.input("parents", np.int64, ["rows"])

        def carried(name: str, size: int) -> str:
            return graph("Gather", graph.input(name, np.float32, ["rows_before", size]), parents)

        self.states = [carried(f"state{i}", layer.state_size) for i, layer in enumerate(self.layers)]
        self.feed = carried("feed", decoder.feed_size) if decoder.feed_size else None
        self.after: list[str] = []

    def run(self) -> tuple[str, str | None]:
        """Features [rows, feature_size], and the attention's weights."""
        match self.decoder:
            case FirstLayerDecoder():
                hidden = self._first([])
                context, attention = self._attend(hidden)
                hidden = self._above(hidden, context)
                return self._read_out(hidden, context, with_word=True), attention
            case SummaryDecoder() | PreviousStateDecoder():
                query, *_ = parts_of(self.graph, self.layers[-1], self.states[-1])
                context, attention = self._attend(query)
                hidden = self._above(self._first(context), context)
                return self._read_out(hidden, context, with_word=True), attention
            case InputFeedingDecoder():
                assert self.feed is not None
                hidden = self._above(self._first([self.feed]), [])
                context, attention = self._attend(hidden)
                self.feed = self._read_out(hidden, context, with_word=False)
                return self.feed, attention
        raise AssertionError(f"a decoder without ONNX operators: {type(self.decoder).__name__}")

    def finish(self) -> None:
        """The state after the step."""
        for i, (state, layer) in enumerate(zip(self.after, self.layers, strict=True)):
            self.graph.output(f"next_state{i}", state, np.float32, ["rows", layer.state_size])
        if self.feed is not None:
            self.graph.output("next_feed", self.feed, np.float32, ["rows", self.decoder.feed_size])

    def _word(self, weight: Tensor, bias: Tensor | None) -> str:
        return of_word(self.graph, self.decoder.embedding.vectors(), self.tokens, weight, bias)

    def _first(self, others: list[str]) -> str:
        """The lowest layer on the word and [rows, size] each of the ``others`` → its output after the norm."""
        word_size = self.decoder.embedding.matrix.embedding_dim
        of_input = []
        for weight, bias in input_weights(self.layers[0]):
            of_input.append(self._word(weight[:, :word_size], bias))
            if others:
                rest = weight[:, word_size:] if self.feed else self._for_context(weight[:, word_size:])
                of_input[-1] = self.graph("Add", of_input[-1], self.graph.linear(self.graph.concat(*others), rest))
        return self._layer(0, of_input)

    def _above(self, hidden: str, context: list[str]) -> str:
        """The layers over the lowest, each on [what is below; context]."""
        for i in range(1, len(self.layers)):
            below = self.graph.concat(hidden, *context)
            of_input = [
                self.graph.linear(below, self._for_context(weight) if context else weight, bias)
                for weight, bias in input_weights(self.layers[i])
            ]
            hidden = self._layer(i, of_input, hidden if self.decoder.residual else None)
        return hidden

    def _layer(self, number: int, of_input: list[str], residual: str | None = None) -> str:
        layer = self.layers[number]
        state = step(self.graph, layer, of_input, self.states[number])
        self.after.append(state)
        h, *_ = parts_of(self.graph, layer, state)
        return self.graph.norm(h if residual is None else self.graph("Add", residual, h), self.decoder.norms[number])

    def _attend(self, query: str) -> tuple[list[str], str | None]:
        """query [rows, hidden] → in a list, which is empty if there is none, the context, as ``_for_context`` has it
        [rows, heads × value_size], and the weights [batch, heads, width, src_len].
        """
        graph, attention = self.graph, self.decoder.attention
        if isinstance(attention, NoContext):
            return [], None
        places = graph.input("places", np.int64, ["rows", 2])
        if isinstance(attention, NoAttention):
            values = graph.input("values", np.float32, ["batch", "value_size"])
            sentences = graph("Gather", places, graph.constant([0]), axis=1)
            return [graph("GatherND", values, sentences)], None
        heads, asked = 1, query
        if isinstance(attention, MultiHeadAttention):
            heads, (size, _) = attention.heads, attention.query.weight.shape
            asked = graph.linear(query, attention.query.weight / (size / heads) ** 0.5)
        elif isinstance(attention, AdditiveAttention):
            asked = graph.linear(query, attention.query.weight, attention.query.bias)
        keys = graph.input("keys", np.float32, ["batch", heads, "key_rows", "key_columns"])
        values = graph.input("values", np.float32, ["batch", heads, "src_len", "value_size"])
        mask = graph.input("mask", np.float32, ["batch", 1, 1, "src_len"])
        # [rows, heads × size] → [batch, width, heads × size]
        asked = graph("Gather", asked, graph.input("cells", np.int64, ["batch", "width"]))
        if isinstance(attention, AdditiveAttention):
            scores = self._additive(asked, keys, attention)
        else:
            asked = graph("Reshape", asked, graph.constant([0, 0, heads, -1]))
            scores = graph("MatMul", graph("Transpose", asked, perm=[0, 2, 1, 3]), keys)
        weights = graph("Softmax", graph("Add", scores, mask), axis=-1)
        # [batch, heads, width, size] → [batch, width, heads, size] → [rows, heads, size] → [rows, heads × size]
        found = graph("GatherND", graph("Transpose", graph("MatMul", weights, values), perm=[0, 2, 1, 3]), places)
        return [graph("Reshape", found, graph.constant([0, -1]))], weights

    def _additive(self, asked: str, keys: str, attention: AdditiveAttention) -> str:
        """asked [batch, width, hidden], keys [batch, 1, src_len, hidden] → scores [batch, 1, width, src_len]."""
        graph = self.graph
        sums = graph("Add", graph("Unsqueeze", asked, graph.constant([2])), keys)
        scores = graph("MatMul", graph("Tanh", sums), graph.constant(attention.energy.weight.T))
        return graph("Transpose", scores, perm=[0, 3, 1, 2])

    def _for_context(self, weight: Tensor) -> Tensor:
        """The same matrix [out, … + context_size] for the answers of the heads, side by side: their output matrix is in it."""
        attention = self.decoder.attention
        if not isinstance(attention, MultiHeadAttention):
            return weight
        rest = weight.shape[1] - attention.context_size
        return torch.cat([weight[:, :rest], weight[:, rest:] @ attention.output.weight], dim=1)

    def _read_out(self, hidden: str, context: list[str], with_word: bool) -> str:
        """The activation of W [hidden; context; word], or of what the gate makes of W [hidden; word] and the context."""
        graph, gate, activation = self.graph, self.decoder.gate, self.decoder.activation
        if gate is None:
            read = self._of_parts(self.decoder.readout, hidden, context, with_word)
        else:
            target = self._of_parts(self.decoder.readout, hidden, [], with_word)
            source = graph.linear(graph.concat(*context), self._for_context(gate.source.weight))
            share = graph("Sigmoid", self._of_parts(gate.share, hidden, context, with_word))
            read = graph("Add", target, graph("Mul", share, graph("Sub", source, target)))
        return graph("Tanh", read) if isinstance(activation, nn.Tanh) else graph.norm(read, activation)

    def _of_parts(self, linear: nn.Linear, hidden: str, context: list[str], with_word: bool) -> str:
        """W [hidden; context; word] + b."""
        word_size = self.decoder.embedding.matrix.embedding_dim if with_word else 0
        weight, of_the_word = linear.weight.split([linear.weight.shape[1] - word_size, word_size], dim=1)
        weight = self._for_context(weight) if context else weight
        read = self.graph.linear(self.graph.concat(hidden, *context), weight, None if with_word else linear.bias)
        return self.graph("Add", read, self._word(of_the_word, linear.bias)) if with_word else read
