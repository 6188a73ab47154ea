"""How things are drawn, on the page and in the picture alike: pieces, and the units of a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from nmt.inspection import words

if TYPE_CHECKING:  # translating at a prompt needs no PyTorch
    from torch import Tensor

    from nmt.inspection.result import Inspection

UNITS = 128  # rows of a heat map at most, and
CELLS = 400_000  # pixels of all heat maps together: a page's pictures stay below a megabyte
_ARROWS = {"forwards": "→", "backwards": "←"}


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


@dataclass(frozen=True)
class Panel:
    """Gates that are drawn together, by their names [length, units]; ``mark`` is the title in a sign or two."""

    title: str
    mark: str
    gates: dict[str, Tensor]


def encoder_panels(inspection: Inspection) -> list[Panel]:
    """Of each layer and direction, the lowest first; none without gates."""
    names = _gate_names(inspection.encoder_gates)
    return [
        Panel(
            f"Layer {layer + 1}, {direction}",
            f"{layer + 1}{_ARROWS[direction]}",
            {name: inspection.encoder_gates[name][layer, place] for name in names},
        )
        for layer in range(inspection.encoder_states.shape[0] if names else 0)
        for place, direction in enumerate(inspection.directions)
    ]


def decoder_panels(inspection: Inspection) -> list[Panel]:
    """Of each layer, the lowest first, and of the readout; none without gates."""
    names = _gate_names(inspection.decoder_gates)
    layers = [
        Panel(f"Layer {layer + 1}", f"{layer + 1}", {name: inspection.decoder_gates[name][layer] for name in names})
        for layer in range(inspection.decoder_states.shape[0] if names else 0)
    ]
    readout = [] if inspection.context_gate is None else [Panel("Readout", "out", {"context": inspection.context_gate})]
    return layers + readout


def meanings(panels: Sequence[Panel]) -> list[str]:
    """What each gate of the ``panels`` is."""
    return [words.GATES[name] for name in dict.fromkeys(name for panel in panels for name in panel.gates)]


def gate_maps(inspection: Inspection) -> int:
    """How many heat maps of gates there are."""
    return sum(len(panel.gates) for panel in encoder_panels(inspection) + decoder_panels(inspection))


def _gate_names(gates: dict[str, Tensor]) -> list[str]:
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
