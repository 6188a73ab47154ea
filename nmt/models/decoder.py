"""The recurrent decoders: where the attention is asked, and what the layers are fed with.

Two of them run a whole target layer by layer; where a step needs the context of the step before, two can only go token by
token. What they have in common stands in ``RecurrentDecoder``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.models.attention import Attention, Memory
from nmt.models.base import Decoder, Encoded
from nmt.models.bridge import Bridge
from nmt.models.context_gate import ContextGate
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.layer_norm import LayerNorm
from nmt.models.recurrent import LayerFunction, RecurrentLayer
from nmt.models.stepwise import RepeatedLinear

Layers = Sequence[LayerFunction]


@dataclass
class DecoderState:
    """What the decoder carries from one token to the next: recurrent [rows, layers, state_size], and feed [rows, feed_size],
    the readout before, of size 0 where it is not fed back.
    """

    recurrent: Tensor
    feed: Tensor

    def select(self, rows: Tensor) -> DecoderState:
        """The state of these rows (indices [n], int64, repeats allowed)."""
        return DecoderState(self.recurrent[rows], self.feed[rows])


class RecurrentDecoder(Decoder):
    """Recurrent layers and a readout, t = tanh(W [state; context; embedding]) (deep output, Bahdanau et al. 2015, A.2.2), or
    with a layer norm as its ``activation``.

    Dropout sits before each layer but the first, on the context and on the readout. With ``residual`` connections from the
    second layer on, and with ``layer_norm`` after each. With ``lexical``, a projection L, attention answers with
    Σ_s a_s (v_s + L e_s), the e_s being the source's embeddings: what a word means by itself need not pass through the encoder
    (Gehring et al. 2017, https://arxiv.org/abs/1705.03122, equation 2). With a context ``gate`` W reads [state; embedding], and
    the gate adds the context. ``feed_size`` is the size of what the state feeds back.
    """

    def __init__(
        self,
        embedding: Embedding,
        layers: list[RecurrentLayer],
        attention: Attention,
        bridge: Bridge,
        readout: nn.Linear,
        activation: nn.Module,
        dropout: Dropout,
        *,
        residual: bool,
        layer_norm: bool,
        lexical: nn.Linear | None = None,
        gate: ContextGate | None = None,
        feed_size: int = 0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.attention = attention
        self.bridge = bridge
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(LayerNorm(layer.hidden_size) if layer_norm else nn.Identity() for layer in layers)
        self.readout = readout
        self.activation = activation
        self.dropout = dropout
        self.residual = residual
        self.lexical = lexical
        self.gate = gate
        self.feed_size = feed_size

    def prepare(self, encoded: Encoded) -> Memory:
        """Keys and values of the attention, and the state to start from."""
        keys, values = self.attention.prepare(encoded.states)
        if self.lexical is not None:
            values = values + self.lexical(encoded.words)
        return Memory(keys, values, encoded.mask, encoded.summary, self.bridge(encoded).float())

    def start(self, memory: Memory, width: int) -> DecoderState:
        recurrent = memory.initial.repeat_interleave(width, dim=0)
        return DecoderState(recurrent, recurrent.new_zeros(len(recurrent), self.feed_size))

    @abstractmethod
    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        """See ``Decoder``."""

    def recurrent_layers(self) -> list[RecurrentLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def context_gate(self) -> ContextGate | None:
        return self.gate

    def attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """query [rows, length, hidden] → context [rows, length, context_size], weights [rows, length, src_len] or None."""
        # The rows of one sentence share its keys:
        # [sentences × width, length, hidden] → [sentences, width × length, hidden] and back
        rows, length, size = query.shape
        context, weights = self.attention.attend(query.reshape(memory.mask.shape[0], -1, size), memory)
        context = self.dropout(context).reshape(rows, length, -1).to(query.dtype)
        return context, None if weights is None else weights.reshape(rows, length, -1)

    def one_by_one(self) -> Layers:
        """The layers, to be called at one position after another; without gradients there is nothing to spare."""
        layers = self.recurrent_layers()
        return [layer.one_by_one() for layer in layers] if torch.is_grad_enabled() else layers

    def first(self, layers: Layers, inputs: Tensor, state: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The lowest of the ``layers``: inputs [rows, length, size], state [rows, layers, state_size]
        → hidden [rows, length, hidden], its state after the last position in a list, for ``above`` to go on.
        """
        hidden, last = layers[0](inputs, state[:, 0])
        return self.norms[0](hidden), [last]

    def above(
        self, layers: Layers, hidden: Tensor, context: Tensor, state: Tensor, after: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The layers over the lowest, each on [what is below; context]
        → hidden [rows, length, hidden] of the top, the states [rows, layers, state_size] after the last position.
        """
        for i, (layer, norm) in enumerate(zip(layers[1:], self.norms[1:], strict=True), start=1):
            outputs, last = layer(torch.cat([self.dropout(hidden), context.to(hidden.dtype)], dim=-1), state[:, i])
            hidden = norm(hidden + self.dropout(outputs) if self.residual else outputs)
            after = [*after, last]
        return hidden, torch.stack(after, dim=1)

    def read_out(self, readout: Callable[[Tensor], Tensor], *parts: Tensor) -> Tensor:
        """State, context and, where it reads them, embeddings [rows, length, size] → features [rows, length, feature_size]."""
        hidden, context, *words = (part.to(parts[0].dtype) for part in parts)
        everything = torch.cat([hidden, context, *words], dim=-1)
        if self.gate is None:
            read = readout(everything)
        else:
            read = self.gate(everything, context, readout(torch.cat([hidden, *words], dim=-1)))
        features: Tensor = self.dropout(self.activation(read))
        return features


class FirstLayerDecoder(RecurrentDecoder):
    """The lowest layer asks the attention, as in GNMT (Wu et al. 2016, section 3); the layers above see [below; context].

    Other than there nothing feeds back from the context into the lowest layer, so a whole target is one call a layer. With
    ``NoContext`` it is the plain stack of Sutskever et al. (2014).
    """

    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        embedded = self.embedding(tokens)
        hidden, after = self.first(self.recurrent_layers(), embedded, state.recurrent)
        context, weights = self.attend(self.dropout(hidden), memory)
        hidden, recurrent = self.above(self.recurrent_layers(), hidden, context, state.recurrent, after)
        return self.read_out(self.readout, hidden, context, embedded), DecoderState(recurrent, state.feed), weights


class SummaryDecoder(RecurrentDecoder):
    """Every layer and the readout see the sentence's summary at every step (Cho et al. 2014, section 2.2).

    The context is the same at all steps, but for dropout, so a whole target is one call a layer.
    """

    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        embedded = self.embedding(tokens)
        context, weights = self.attend(embedded, memory)
        hidden, after = self.first(self.recurrent_layers(), torch.cat([embedded, context], dim=-1), state.recurrent)
        hidden, recurrent = self.above(self.recurrent_layers(), hidden, context, state.recurrent, after)
        return self.read_out(self.readout, hidden, context, embedded), DecoderState(recurrent, state.feed), weights


class PreviousStateDecoder(RecurrentDecoder):
    """The top state of the step before asks the attention; all layers see its answer (Bahdanau et al. 2015, 3.1, A.2.2)."""

    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        embedded, recurrent = self.embedding(tokens), state.recurrent
        hidden_size = self.layers[-1].hidden_size
        layers = self.one_by_one()
        steps = []
        for word in embedded.split(1, dim=1):
            context, weights = self.attend(recurrent[:, -1:, :hidden_size].to(word.dtype), memory)
            hidden, after = self.first(layers, torch.cat([word, context], dim=-1), recurrent)
            hidden, recurrent = self.above(layers, hidden, context, recurrent, after)
            steps.append((hidden, context, weights))
        hidden, context, weights = joined(steps)
        return self.read_out(self.readout, hidden, context, embedded), DecoderState(recurrent, state.feed), weights


class InputFeedingDecoder(RecurrentDecoder):
    """The top state asks the attention; the readout h̃ = tanh(W [context; state]) is fed to the lowest layer at the next step
    (Luong et al. 2015, section 3.3).
    """

    def forward(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState, Tensor | None]:
        embedded, recurrent, feed = self.embedding(tokens), state.recurrent, state.feed.unsqueeze(1)
        nothing = feed[..., :0]
        layers, readout = self.one_by_one(), RepeatedLinear(self.readout.weight, self.readout.bias)
        steps = []
        for word in embedded.split(1, dim=1):
            hidden, after = self.first(layers, torch.cat([word, feed.to(word.dtype)], dim=-1), recurrent)
            hidden, recurrent = self.above(layers, hidden, nothing, recurrent, after)
            context, weights = self.attend(self.dropout(hidden), memory)
            feed = self.read_out(readout, hidden, context)
            steps.append((feed, context, weights))
        features, _, weights = joined(steps)
        return features, DecoderState(recurrent, feed.squeeze(1)), weights


def joined(steps: list[tuple[Tensor, Tensor, Tensor | None]]) -> tuple[Tensor, Tensor, Tensor | None]:
    """What was made step by step, [rows, 1, size] each, as [rows, length, size]."""
    hidden, context, weights = zip(*steps, strict=True)
    return torch.cat(hidden, dim=1), torch.cat(context, dim=1), None if weights[0] is None else torch.cat(weights, dim=1)
