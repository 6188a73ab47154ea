"""How things are drawn, on the page and in the picture alike: pieces, and the units of a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from nmt.inspection import words

if TYPE_CHECKING:  # translating at a prompt needs no PyTorch
    from torch import Tensor

    from nmt.inspection.result import Inspection

UNITS = 128  # rows of a heat map at most, and
CELLS = 400_000  # pixels of all heat maps together: a page's pictures stay below a megabyte


def shown_piece(piece: str) -> str:
    """A piece as it is drawn: SentencePiece's mark of a space as a lighter one."""
    return piece.replace("▁", "␣")


def shown(pieces: Sequence[str]) -> list[str]:
    """Pieces as they are drawn."""
    return list(map(shown_piece, pieces))


def attention_words(inspection: Inspection) -> str:
    """What there is to see of the attention."""
    if inspection.attention is None:
        return words.NO_ATTENTION
    return words.ATTENTION.format(high=float(inspection.attention.max()))


def gate_maps(inspection: Inspection) -> int:
    """How many heat maps of gates there are."""
    encoder = len(gate_names(inspection.encoder_gates)) * inspection.encoder_states.shape[0] * len(inspection.directions)
    return encoder + len(gate_names(inspection.decoder_gates)) * inspection.decoder_states.shape[0]


def gate_names(gates: dict[str, Tensor]) -> list[str]:
    """Those that are gates, and open or shut: not the candidate."""
    return [name for name in gates if name in words.GATES]


def sorted_units(values: Tensor, maps: int) -> numpy.ndarray:
    """values [length, hidden] of one of so many ``maps`` → [units, length], the highest mean on top; of very many units a
    sample at equal steps.
    """
    by_unit = values.T.numpy()
    order = numpy.argsort(-by_unit.mean(axis=1), kind="stable")
    most = max(8, min(UNITS, CELLS // (maps * by_unit.shape[1])))
    if len(order) > most:
        order = order[numpy.linspace(0, len(order) - 1, most).round().astype(int)]
    return numpy.asarray(by_unit[order])
