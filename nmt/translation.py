"""A translation as a value: what ``nmt.translator`` gives and others show, score or serve."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nmt.sentences import join_sentences


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


@dataclass
class ForcedTarget:
    """A target that was given, and how likely the model holds it.

    ``pieces`` end with the end mark ``</s>``. ``log_probs`` are theirs, each given the source and the pieces before it (natural
    logarithm); ``log_prob`` is the sum.
    """

    text: str
    pieces: list[str]
    log_probs: list[float]

    @property
    def log_prob(self) -> float:
        return sum(self.log_probs)


def joined(source: str, parts: Sequence[Translation], score_of_whole: Callable[[Sequence[float]], float]) -> Translation:
    """The translations of a source's parts as one of the whole, with the score that a search makes of theirs
    (``SearchStrategy.score_of_whole``); log-probabilities add up.

    The second best is the second best of every part that has one, and so on. Parts without hypotheses add nothing.
    """
    parts = [part for part in parts if part.hypotheses]
    best = max((len(part.hypotheses) for part in parts), default=0)
    return Translation(
        source,
        [piece for part in parts for piece in part.source_pieces],
        [
            _joined([part.hypotheses[min(rank, len(part.hypotheses) - 1)] for part in parts], score_of_whole)
            for rank in range(best)
        ],
    )


def _joined(
    parts: Sequence[TranslatedHypothesis], score_of_whole: Callable[[Sequence[float]], float]
) -> TranslatedHypothesis:
    weights = [part.attention for part in parts if part.attention is not None]
    return TranslatedHypothesis(
        text=join_sentences(part.text for part in parts),
        pieces=[piece for part in parts for piece in part.pieces],
        log_prob=sum(part.log_prob for part in parts),
        score=score_of_whole([part.score for part in parts]),
        finished=all(part.finished for part in parts),
        attention=_block_diagonal(weights) if weights else None,  # no part sees another
        repeating=any(part.repeating for part in parts),
    )


def _block_diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    """Blocks [rows, columns] down the diagonal, 0 elsewhere."""
    whole = np.zeros(np.sum([block.shape for block in blocks], axis=0), dtype=np.float32)
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole
