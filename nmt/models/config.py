"""The architecture of a translator, as it is configured and as it is saved. Reading it needs no PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nmt.errors import StrEnum, UserError


class Cell(StrEnum):
    """The recurrent cells that ``model.cell`` can name."""

    gru = "gru"
    gru_cho = "gru_cho"
    lstm = "lstm"
    rnn = "rnn"

    @property
    def state_parts(self) -> int:
        """How many vectors of the hidden size a state holds: h, or h and c."""
        return 2 if self is Cell.lstm else 1


class AttentionKind(StrEnum):
    """The attentions that ``model.attention`` can name."""

    none = "none"
    dot = "dot"
    general = "general"
    additive = "additive"
    multihead = "multihead"


class Wiring(StrEnum):
    """How ``model.wiring`` connects the decoder's layers with the source."""

    first_layer = "first_layer"
    summary = "summary"
    state_only = "state_only"
    previous_state = "previous_state"
    input_feeding = "input_feeding"


class BridgeKind(StrEnum):
    """Where ``model.bridge`` takes the decoder's first state from."""

    summary = "summary"
    hand_over = "hand_over"


class Direction(StrEnum):
    """How ``model.direction`` has the encoder read: from the start, from the end (Sutskever et al. 2014), or both at once."""

    both = "both"
    forwards = "forwards"
    backwards = "backwards"

    @property
    def names(self) -> list[str]:
        """Of the single directions."""
        return ["forwards", "backwards"] if self is Direction.both else [self.value]


class Readout(StrEnum):
    """The last function of the readout, by which ``model.readout`` names it."""

    tanh = "tanh"
    layer_norm = "layer_norm"


class Architecture(StrEnum):
    """The families of networks that ``model.architecture`` can name."""

    recurrent = "recurrent"
    transformer = "transformer"


@dataclass
class ModelConfig:
    """The architecture. It is flat because it is saved with the model, in config.json.

    ``encoder_hidden_size`` is a direction's, None for ``hidden_size`` shared out among the directions. ``readout_size`` is that
    of the readout, which the output projection reads, None for ``embedding_size``, as tied embeddings need it. ``readout`` is its
    last function: a tanh, which bounds it, or a layer norm, which learns its scale. With ``context_gate`` a gate tells, where
    there is attention, how much of the readout is the source's and how much the target's. With ``lexical_values``
    attention, where there is one, answers not with the encoder's states alone, but also with the source's embeddings.
    ``embedding_scale`` times the embeddings is what is read of them, as a matrix small enough to be the output's, too, is a
    small input; a Transformer always takes √embedding_size (Vaswani et al. 2017, section 3.4).
    ``dropout`` sits between layers, on what attention is given and gives, and on the readout. A Transformer is described by
    ``attention_heads``, ``embedding_size`` (of all its states), ``feedforward_size``, the layers, the dropouts and
    ``tie_embeddings``.
    """

    architecture: Architecture = Architecture.recurrent
    cell: Cell = Cell.gru
    attention: AttentionKind = AttentionKind.multihead
    attention_heads: int = 4
    wiring: Wiring = Wiring.first_layer
    bridge: BridgeKind = BridgeKind.summary
    direction: Direction = Direction.both
    embedding_size: int = 256
    hidden_size: int = 256
    encoder_hidden_size: int | None = None
    readout_size: int | None = None
    readout: Readout = Readout.tanh
    context_gate: bool = False
    encoder_layers: int = 2
    decoder_layers: int = 2
    feedforward_size: int = 512
    embedding_scale: float = 1.0
    lexical_values: bool = False
    residual: bool = True
    layer_norm: bool = True
    dropout: float = 0.2
    embedding_dropout: float = 0.2
    word_dropout: float = 0.1
    tie_embeddings: bool = True

    def __post_init__(self) -> None:
        sizes = ("attention_heads", "embedding_size", "hidden_size", "encoder_hidden_size", "encoder_layers", "decoder_layers")
        for name in (*sizes, "readout_size", "feedforward_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"`model.{name}` must be at least 1, but is {getattr(self, name)} instead")
        for name in ("dropout", "embedding_dropout", "word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"`model.{name}` must be at least 0 and below 1, but is {getattr(self, name)} instead")
        if not 0 < self.embedding_scale < math.inf:
            raise UserError(f"`model.embedding_scale` must be a finite number above 0, but is {self.embedding_scale} instead")
        bound = self.tie_embeddings or self.architecture is Architecture.transformer
        if bound and self.feature_size != self.embedding_size:
            raise UserError(
                f"`model.readout_size` must be `embedding_size` ({self.embedding_size}) with tied embeddings "
                f"and in a Transformer, but is {self.readout_size} instead"
            )
        if self.architecture is Architecture.recurrent:
            self._check_recurrent()
        elif self.embedding_size % (2 * self.attention_heads):
            raise UserError(
                f"`model.embedding_size` must be a multiple of 2 × `attention_heads` ({2 * self.attention_heads}) "
                f"in a Transformer, but is {self.embedding_size} instead"
            )

    @property
    def feature_size(self) -> int:
        """The size of what the output projection reads."""
        return self.readout_size or self.embedding_size

    @property
    def input_scale(self) -> float:
        """What multiplies the embeddings that are read."""
        return math.sqrt(self.embedding_size) if self.architecture is Architecture.transformer else self.embedding_scale

    @property
    def encoder_size(self) -> int:
        """The hidden size of one direction of the recurrent encoder."""
        return self.encoder_hidden_size or self.hidden_size // len(self.direction.names)

    @property
    def memory_size(self) -> int:
        """The size of the recurrent encoder's states, all directions side by side."""
        return len(self.direction.names) * self.encoder_size

    @property
    def has_attention(self) -> bool:
        """Whether the decoder tells where it looks."""
        return self.architecture is Architecture.transformer or self.attention is not AttentionKind.none

    def describe(self) -> str:
        """In a few words, for people."""
        if self.architecture is Architecture.transformer:
            return "Transformer"
        return f"{self.cell} with {'no' if self.attention is AttentionKind.none else self.attention} attention"

    def _check_recurrent(self) -> None:
        if self.encoder_hidden_size is None and self.hidden_size % len(self.direction.names):
            raise UserError(f"`model.hidden_size` must be even, as two directions share it, but is {self.hidden_size} instead")
        if self.attention is AttentionKind.multihead and self.hidden_size % self.attention_heads:
            raise UserError(
                f"`model.attention_heads` must divide `hidden_size` ({self.hidden_size}), but is {self.attention_heads} instead"
            )
        if self.attention is AttentionKind.dot and self.hidden_size != self.memory_size:
            raise UserError(
                f"`model.hidden_size` must be the size of the encoder's states ({self.memory_size}) with dot attention, "
                f"but is {self.hidden_size} instead"
            )
        if self.wiring in (Wiring.summary, Wiring.state_only) and self.attention is not AttentionKind.none:
            raise UserError(f"`model.attention` must be none with `wiring={self.wiring}`, but is {self.attention} instead")
        if self.wiring is Wiring.state_only and self.bridge is not BridgeKind.hand_over:
            raise UserError(f"`model.bridge` must be hand_over with `wiring=state_only`, but is {self.bridge} instead")
        if self.bridge is BridgeKind.hand_over:
            for name, wanted in (("decoder_layers", self.encoder_layers), ("hidden_size", self.memory_size)):
                if getattr(self, name) != wanted:
                    raise UserError(
                        f"`model.{name}` must be the encoder's ({wanted}) with `bridge=hand_over`, "
                        f"but is {getattr(self, name)} instead"
                    )
