"""A translation as a value: what ``nmt.translator`` gives and others show, score or serve."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class TranslatedHypothesis:
    """One translation of a source, with its pieces.

    ``log_prob`` is the sum over the pieces, ``score`` what the search ranks by; higher is better.
    ``attention`` [tgt_len, src_len], if asked for and the model has one, has a row for each of ``pieces`` and
    a column for each of the translation's ``source_pieces``; the end mark ``</s>`` is the last of both. A
    hypothesis that the length limit cut (``finished`` is False) has no end mark. ``repeating``: it came to that limit
    because it wrote the same again and again, three times or more; what is here ends with the first time, but
    ``log_prob`` and ``score`` are those of all that was written.
    """

    text: str
    pieces: list[str]
    log_prob: float
    score: float
    finished: bool
    attention: np.ndarray | None = None
    repeating: bool = False


@dataclass
class Translation:
    """A source and its translations, best first. A blank source has the text "" and no hypotheses."""

    source: str
    source_pieces: list[str] = field(default_factory=list)
    hypotheses: list[TranslatedHypothesis] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The best translation: one line, without a line break."""
        return self.hypotheses[0].text if self.hypotheses else ""

    @property
    def repeating(self) -> bool:
        """Whether the best translation was cut for its repetitions."""
        return bool(self.hypotheses) and self.hypotheses[0].repeating

    def __str__(self) -> str:
        return self.text
