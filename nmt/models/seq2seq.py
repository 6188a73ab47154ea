"""The translator's network: its parts put together, and the protocol that search sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nmt.models.attention import Attention, NoContext, build_attention
from nmt.models.base import Decoder, Encoder
from nmt.models.bridge import Bridge, HandOver, SummaryBridge
from nmt.models.cells import build_layer
from nmt.models.config import Architecture, BridgeKind, ModelConfig, Readout, Wiring
from nmt.models.context_gate import ContextGate
from nmt.models.decoder import FirstLayerDecoder, InputFeedingDecoder, PreviousStateDecoder, RecurrentDecoder, SummaryDecoder
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding, embedding_matrix
from nmt.models.encoder import RecurrentEncoder
from nmt.models.layer_norm import LayerNorm
from nmt.models.transformer import TransformerDecoder, TransformerEncoder


@dataclass
class StepOutput:
    """One decoding step: logits [rows, vocab] in fp32, the next state, attention [rows, src_len] or None."""

    logits: Tensor
    state: Any
    attention: Tensor | None


class Seq2Seq(nn.Module):
    """Encoder, decoder and the output projection, which is the target embedding when embeddings are tied."""

    def __init__(self, encoder: Encoder, decoder: Decoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned; what is shared counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def encode(self, source: Tensor, source_mask: Tensor) -> Any:
        """source, source_mask [batch, src_len] → what the decoder may know of them."""
        return self.decoder.prepare(self.encoder(source, source_mask))

    def features(self, source: Tensor, source_mask: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing up to the output projection: target_in [batch, tgt_len] → [batch, tgt_len, feature_size]."""
        memory = self.encode(source, source_mask)
        features: Tensor = self.decoder(target_in, self.decoder.start(memory, width=1), memory)[0]
        return features

    def forward(self, source: Tensor, source_mask: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing: logits [batch, tgt_len, vocab] of each next token."""
        logits: Tensor = self.output(self.features(source, source_mask, target_in))
        return logits

    def start(self, memory: Any, width: int) -> Any:
        """The state before the first token, ``width`` rows a sentence."""
        return self.decoder.start(memory, width)

    def step(self, tokens: Tensor, state: Any, memory: Any) -> StepOutput:
        """One token a row: tokens [rows] → logits [rows, vocab], the next state, attention [rows, src_len] or None."""
        features, state, weights = self.decoder(tokens.unsqueeze(1), state, memory)
        logits = self.output(features.squeeze(1)).float()
        return StepOutput(logits, state, None if weights is None else weights.squeeze(1))


def build(config: ModelConfig, source_vocab: int, target_vocab: int, joint: bool) -> Seq2Seq:
    """The network that the configuration describes, with fresh weights.

    With ``tie_embeddings`` the output projection is the target embedding (Press & Wolf 2017), and the source embedding
    too when both sides share one vocabulary (``joint``).
    """
    target_matrix = embedding_matrix(target_vocab, config.embedding_size)
    source_matrix = target_matrix if config.tie_embeddings and joint else embedding_matrix(source_vocab, config.embedding_size)
    source, target = (
        Embedding(matrix, Dropout(config.embedding_dropout), config.word_dropout, config.input_scale)
        for matrix in (source_matrix, target_matrix)
    )
    families = {Architecture.recurrent: _recurrent, Architecture.transformer: _transformer}
    encoder, decoder = families[config.architecture](config, source, target, Dropout(config.dropout))
    output = nn.Linear(config.feature_size, target_vocab)
    nn.init.zeros_(output.bias)
    if config.tie_embeddings:
        output.weight = target_matrix.weight
    return Seq2Seq(encoder, decoder, output)


def _transformer(config: ModelConfig, source: Embedding, target: Embedding, dropout: Dropout) -> tuple[Encoder, Decoder]:
    sizes = config.embedding_size, config.attention_heads, config.feedforward_size
    return (
        TransformerEncoder(source, *sizes, config.encoder_layers, dropout),
        TransformerDecoder(target, *sizes, config.decoder_layers, dropout),
    )


def _recurrent(config: ModelConfig, source: Embedding, target: Embedding, dropout: Dropout) -> tuple[Encoder, Decoder]:
    encoder = RecurrentEncoder(
        source,
        config.cell,
        config.direction,
        config.embedding_size,
        config.encoder_size,
        config.encoder_layers,
        dropout,
        residual=config.residual,
        layer_norm=config.layer_norm,
        with_final=config.bridge is BridgeKind.hand_over,
        with_states=config.wiring is not Wiring.state_only,
    )
    return encoder, _recurrent_decoder(config, target, dropout)


def _recurrent_decoder(config: ModelConfig, embedding: Embedding, dropout: Dropout) -> RecurrentDecoder:
    attention = _attention(config)
    word, hidden, context, feature = config.embedding_size, config.hidden_size, attention.context_size, config.feature_size
    kind: type[RecurrentDecoder]
    # The sizes are of what the lowest layer, the layers above and the readout read, and of what is fed back.
    match config.wiring:
        case Wiring.first_layer | Wiring.state_only:
            kind, first, above, read, feed = FirstLayerDecoder, word, hidden + context, hidden + context + word, 0
        case Wiring.summary:
            kind, first, above, read, feed = SummaryDecoder, word + context, hidden + context, hidden + context + word, 0
        case Wiring.previous_state:
            kind, first, above, read, feed = PreviousStateDecoder, word + context, hidden + context, hidden + context + word, 0
        case Wiring.input_feeding:
            kind, first, above, read, feed = InputFeedingDecoder, word + feature, hidden, hidden + context, feature
    gated = config.context_gate and config.has_attention
    return kind(
        embedding,
        [build_layer(config.cell, first if i == 0 else above, hidden) for i in range(config.decoder_layers)],
        attention,
        _bridge(config),
        nn.Linear(read - context if gated else read, feature),
        LayerNorm(feature) if config.readout is Readout.layer_norm else nn.Tanh(),
        dropout,
        residual=config.residual,
        layer_norm=config.layer_norm,
        lexical=nn.Linear(word, context, bias=False) if config.lexical_values and config.has_attention else None,
        gate=ContextGate(read, context, feature) if gated else None,
        feed_size=feed,
    )


def _attention(config: ModelConfig) -> Attention:
    if config.wiring is Wiring.state_only:
        return NoContext()
    return build_attention(config.attention, config.hidden_size, config.memory_size, config.attention_heads)


def _bridge(config: ModelConfig) -> Bridge:
    match config.bridge:
        case BridgeKind.summary:
            return SummaryBridge(config.memory_size, config.decoder_layers, config.cell.state_parts * config.hidden_size)
        case BridgeKind.hand_over:
            return HandOver()
