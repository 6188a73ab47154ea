"""The translator's network: its configuration, its parts put together, and the protocol that search sees."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nmt.errors import UserError
from nmt.models.attention import AttentionKind, Memory, build_attention
from nmt.models.decoder import Decoder, DecoderState
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding, embedding_matrix
from nmt.models.encoder import Encoder
from nmt.models.recurrent import Cell


@dataclass
class ModelConfig:
    """The architecture. It is flat because it is saved with the model, in config.json.

    ``encoder_hidden_size`` is a direction's; the decoder sees twice that. ``dropout`` sits between layers, on what attention
    is given and gives, and on the readout.
    """

    cell: Cell = Cell.gru
    attention: AttentionKind = AttentionKind.multihead
    attention_heads: int = 4
    embedding_size: int = 256
    hidden_size: int = 256
    encoder_hidden_size: int = 128
    encoder_layers: int = 2
    decoder_layers: int = 2
    dropout: float = 0.3
    embedding_dropout: float = 0.3
    word_dropout: float = 0.1
    variational_dropout: bool = False
    tie_embeddings: bool = True

    def __post_init__(self) -> None:
        sizes = ("attention_heads", "embedding_size", "hidden_size", "encoder_hidden_size", "encoder_layers", "decoder_layers")
        for name in sizes:
            if getattr(self, name) < 1:
                raise UserError(f"`model.{name}` must be at least 1, but is {getattr(self, name)} instead")
        for name in ("dropout", "embedding_dropout", "word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"`model.{name}` must be at least 0 and below 1, but is {getattr(self, name)} instead")


@dataclass
class StepOutput:
    """One decoding step: logits [rows, vocab] in fp32, the next state, attention [rows, src_len] or None."""

    logits: Tensor
    state: DecoderState
    attention: Tensor | None


class Seq2Seq(nn.Module):
    """Encoder, decoder and the output projection, which is the target embedding when embeddings are tied."""

    def __init__(self, encoder: Encoder, decoder: Decoder, output: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.output = output

    def encode(self, source: Tensor, source_mask: Tensor) -> Memory:
        """source, source_mask [batch, src_len] → what the decoder may know of them."""
        states, summary = self.encoder(source, source_mask)
        return self.decoder.attention.prepare(states, source_mask, summary)

    def features(self, source: Tensor, source_mask: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing up to the output projection: target_in [batch, tgt_len] → [batch, tgt_len, embedding_size]."""
        memory = self.encode(source, source_mask)
        features: Tensor = self.decoder(target_in, self.decoder.start(memory, width=1), memory)[0]
        return features

    def forward(self, source: Tensor, source_mask: Tensor, target_in: Tensor) -> Tensor:
        """Teacher forcing: logits [batch, tgt_len, vocab] of each next token."""
        logits: Tensor = self.output(self.features(source, source_mask, target_in))
        return logits

    def start(self, memory: Memory, width: int) -> DecoderState:
        """The state before the first token, ``width`` rows a sentence."""
        return self.decoder.start(memory, width)

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> StepOutput:
        """One token a row: tokens [rows] → logits [rows, vocab], the next state, attention [rows, src_len] or None."""
        features, state, weights = self.decoder(tokens.unsqueeze(1), state, memory)
        logits = self.output(features.squeeze(1)).float()
        return StepOutput(logits, state, None if weights is None else weights.squeeze(1))


def build(config: ModelConfig, source_vocab: int, target_vocab: int, joint: bool) -> Seq2Seq:
    """The network that the configuration describes, with fresh weights.

    With ``tie_embeddings`` the output projection is the target embedding (Press & Wolf 2017), and the source embedding
    too when both sides share one vocabulary (``joint``).
    """
    memory_size = 2 * config.encoder_hidden_size
    target_matrix = embedding_matrix(target_vocab, config.embedding_size)
    shared = 1 if config.variational_dropout else None
    source_matrix = target_matrix if config.tie_embeddings and joint else embedding_matrix(source_vocab, config.embedding_size)
    encoder = Encoder(
        Embedding(source_matrix, Dropout(config.embedding_dropout, shared), config.word_dropout),
        config.embedding_size,
        config.encoder_hidden_size,
        config.encoder_layers,
        Dropout(config.dropout, shared),
    )
    decoder = Decoder(
        Embedding(target_matrix, Dropout(config.embedding_dropout, shared), config.word_dropout),
        config.embedding_size,
        config.hidden_size,
        config.decoder_layers,
        Dropout(config.dropout, shared),
        build_attention(config.attention, config.hidden_size, memory_size, config.attention_heads),
        memory_size,
    )
    output = nn.Linear(config.embedding_size, target_vocab)
    nn.init.zeros_(output.bias)
    if config.tie_embeddings:
        output.weight = target_matrix.weight
    return Seq2Seq(encoder, decoder, output)
