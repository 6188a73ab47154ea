"""What the training benchmark measures: sizes, and a row a system and setting."""

from __future__ import annotations

from dataclasses import dataclass

LANGUAGES = ("en", "de")  # source and target


@dataclass(frozen=True)
class Scale:
    """The sizes that all systems share, and how long each is measured.

    Of the first round's ``updates`` come the validation loss and the first figures; each round after it has fewer.
    A figure is that of a ``window`` of updates; the first window of a run warms up and does not count. The rate of a matrix
    product is the best in ``product_seconds``.
    """

    pieces: int = 8000
    embedding: int = 256
    hidden: int = 512
    encoders: tuple[int, int] = (512, 256)
    wirings: tuple[tuple[str, str], ...] = (
        ("general", "first_layer"),
        ("general", "input_feeding"),
        ("additive", "previous_state"),
    )
    precisions: tuple[str, ...] = ("fp32", "bf16")
    sentences: int = 64
    dropout: float = 0.2
    rounds: int = 2
    updates: int = 300
    later_updates: int = 80
    window: int = 20
    product_seconds: float = 2.0


FULL = Scale()
QUICK = Scale(
    pieces=400,
    embedding=16,
    hidden=32,
    encoders=(32, 16),
    wirings=(("general", "first_layer"),),
    precisions=("fp32",),
    sentences=8,
    rounds=1,
    updates=6,
    later_updates=6,
    window=2,
    product_seconds=0.1,
)


@dataclass(frozen=True)
class Row:
    """One system in one setting. ``encoder`` is the hidden size of a direction.

    ``wiring`` is `first_layer` (a whole target at once), `input_feeding` or `previous_state`, as in ``model.wiring``.
    ``own_shape``: with embeddings that are tied to the output projection, as `nmt` has them if it is not told otherwise;
    the other systems project from the decoder's size, so `nmt` does too where it is held against them.
    """

    system: str
    encoder: int
    attention: str
    wiring: str
    precision: str = "fp32"
    own_shape: bool = False

    @property
    def shape(self) -> tuple[int, str, str, bool]:
        """What decides how large the products are."""
        return self.encoder, self.attention, self.wiring, self.own_shape

    @property
    def name(self) -> str:
        """For the table, and a folder's name."""
        shape = ["own shape"] if self.own_shape else []
        return ", ".join([self.system, str(self.encoder), self.attention, self.wiring, self.precision, *shape])


def our_rows(scale: Scale) -> list[Row]:
    """The rows of `nmt`."""
    rows = [
        Row("nmt", encoder, attention, wiring, precision)
        for encoder in scale.encoders
        for attention, wiring in scale.wirings
        for precision in scale.precisions
    ]
    own = [Row("nmt", scale.encoders[1], "general", "first_layer", precision, own_shape=True) for precision in scale.precisions]
    return rows + own


def our_settings(row: Row, scale: Scale) -> list[str]:
    """The overrides of ``nmt train`` that make the row; the rest of the recipe is the default."""
    shape = [] if row.own_shape else [f"model.readout_size={scale.hidden}", "model.tie_embeddings=false"]
    return [
        f"model.embedding_size={scale.embedding}",
        f"model.hidden_size={scale.hidden}",
        f"model.encoder_hidden_size={row.encoder}",
        f"model.attention={row.attention}",
        f"model.wiring={row.wiring}",
        "model.encoder_layers=1",
        "model.decoder_layers=1",
        "model.embedding_scale=1",
        "model.lexical_values=false",
        "model.readout=tanh",
        "model.context_gate=false",
        "model.residual=false",
        "model.layer_norm=false",
        f"model.dropout={scale.dropout}",
        f"model.embedding_dropout={scale.dropout}",
        "model.word_dropout=0",
        *shape,
        f"training.precision={row.precision}",
        f"training.batch_sentences={scale.sentences}",
        "training.batch_tokens=100000",
        "training.label_smoothing=0",
        "training.subword_alpha=0",
        "training.average=0",
    ]
