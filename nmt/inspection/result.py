"""All that there is to see of one translation, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.inspection.run import Activations
from nmt.inspection.tree import Node
from nmt.translation import TranslatedHypothesis


@dataclass(kw_only=True)
class Inspection(Activations):
    """A sentence, its translations, best first, and how the model came to them.

    The tensors (see ``Activations``) are those of the best hypothesis: src_len counts ``source_pieces``, tgt_len the pieces of
    ``hypotheses[0]``, end marks included. ``tree`` is what the search considered, the root first.
    """

    source: str
    source_pieces: list[str]
    hypotheses: list[TranslatedHypothesis]
    tree: list[Node]

    @property
    def target_pieces(self) -> list[str]:
        """The pieces of the best translation."""
        return self.hypotheses[0].pieces
