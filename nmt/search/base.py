"""What a search asks of a model, what it gives back, and the settings that every search has.

A search keeps its books in NumPy, on the host: a few numbers a hypothesis. What is as large as the vocabulary stays with the
model, whatever computes it, unless a search asks for all of it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from nmt.errors import StrEnum, UserError
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History
from nmt.tokenizer import PAD

if TYPE_CHECKING:
    from typing_extensions import Self

Decode = Callable[[Sequence[Sequence[int]]], list[str]]
"""Gives the text of each sequence of tokens."""
MemoryT = TypeVar("MemoryT", bound="Memory")
StateT = TypeVar("StateT", bound="State")
StateT_co = TypeVar("StateT_co", bound="State", covariant=True)


class Memory(Protocol):
    """The encoded source: one entry a sentence, never repeated for the rows of a beam."""

    def select(self, sentences: np.ndarray) -> "Self":
        """The memory of these ``sentences`` [n] (int64), with the padded source length unchanged."""


class State(Protocol):
    """The decoder's state: one entry a row."""

    def select(self, rows: np.ndarray) -> "Self":
        """The state of these ``rows`` [n] (int64; a row may come several times)."""


class StepOutput(Protocol[StateT_co]):
    """What one decoder step gives."""

    @property
    def state(self) -> StateT_co:
        """The state after the step."""

    @property
    def attention(self) -> np.ndarray | None:
        """[rows, src_len], each row sums to 1 and is 0 on padding; None if the model has no attention."""

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` likeliest next tokens of each row (all, if there are fewer), likeliest first, and their
        log-probabilities: [rows, count] each.
        """

    def log_prob(self) -> np.ndarray:
        """The log-probability of every token as the next one, [rows, vocab] fp32, for the caller to write into."""


class Model(Protocol[MemoryT, StateT]):
    """All that a search knows of a model. Rows are sentence-major: row = sentence * width + place."""

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> MemoryT:
        """``source`` [sentences, src_len] int64 with the end mark, ``source_mask`` True at real tokens."""

    def start(self, memory: MemoryT, width: int) -> StateT:
        """The state before the first step, for sentences * width rows."""

    def step(self, tokens: np.ndarray, state: StateT, memory: MemoryT) -> StepOutput[StateT]:
        """Reads the ``tokens`` [rows] written last (BOS at first); rows / sentences is the width. A row with PAD is free: what
        comes of it does not matter.
        """


_ENDLESS = 2**31  # tokens: longer than any translation, and what NumPy can count


@dataclass
class SearchStrategy(ABC):
    """A search is its settings: the knobs are fields and calling it is the algorithm.

    ``max_length_ratio``, ``max_length_offset``: a target has at most ratio * source length + offset tokens,
    the end mark included; at that length it is cut. ``min_length_ratio``, ``min_length_offset``: it has at
    least ratio * source length + offset pieces. The source length counts pieces without the end mark.
    ``n_best``: translations a sentence. ``no_repeat_ngram``: no sequence of so many pieces comes twice in a
    translation (0: it may). ``forbidden_pieces``: pieces of the target's vocabulary that never come.
    """

    max_length_ratio: float = 2.0
    max_length_offset: int = 10
    min_length_ratio: float = 0.0
    min_length_offset: int = 0
    n_best: int = 1
    no_repeat_ngram: int = 0
    forbidden_pieces: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_types(self)
        at_least("max_length_ratio", self.max_length_ratio, 0)
        at_least("max_length_offset", self.max_length_offset, 0)
        at_least("min_length_ratio", self.min_length_ratio, 0)
        at_least("min_length_offset", self.min_length_offset, 0)
        at_least("n_best", self.n_best, 1)
        at_least("no_repeat_ngram", self.no_repeat_ngram, 0)
        if self.min_length_ratio > self.max_length_ratio:
            raise UserError(
                f"`min_length_ratio` must be at most `max_length_ratio` ({self.max_length_ratio}), "
                f"but is {self.min_length_ratio} instead"
            )
        self.check()

    @abstractmethod
    def check(self) -> None:
        """Raises UserError if a setting of this strategy is out of range."""

    @abstractmethod
    def __call__(
        self,
        model: Model[Any, Any],
        source: np.ndarray,
        source_mask: np.ndarray,
        *,
        constraints: Constraints = UNCONSTRAINED,
        with_attention: bool = False,
        history: History | None = None,
    ) -> list[list[Hypothesis]]:
        """Translates a batch.

        ``source`` [sentences, src_len] int64: pieces and the end mark, padded; ``source_mask`` the same
        shape, True at real tokens. Returns for each sentence its hypotheses, best first, at most ``n_best``
        unless ``rank`` is to choose among more, and at least one. ``constraints`` are those of this call, the
        ids of ``forbidden_pieces`` among them. An empty ``history`` that is given is filled with all that the
        search considered.

        Raises UserError for a sentence without any translation: the model's probabilities are NaN, or the
        settings permit none.
        """

    @abstractmethod
    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        """Which of the hypotheses that were found for a sentence are its translations: the places of at most
        ``n_best``, best first, and the score of each.

        Here a strategy may go by their texts, which ``decode`` gives; most leave them as found.
        """

    def score_of_whole(self, scores: Sequence[float]) -> float:
        """The score of a translation in parts, from theirs: the sum, as of logarithms."""
        return sum(scores)

    def length_bounds(
        self, source_mask: np.ndarray, constraints: Constraints = UNCONSTRAINED
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least number of pieces and the greatest of tokens, end mark included: [sentences] int64 each.

        No translation of a source that has pieces is empty, and the greatest always leaves room for the end
        mark after the least and after the prefix: where it asks for something else, these win.
        """
        pieces = np.maximum(source_mask.sum(1) - 1, 0)
        # 100 * 0.07 is a hair above 7 in binary and would be rounded up to 8.
        hair = 1e-9
        minimum = np.ceil(pieces * self.min_length_ratio + self.min_length_offset - hair)
        limit = np.floor(pieces * self.max_length_ratio + self.max_length_offset + hair)
        minimum, limit = (np.minimum(length, _ENDLESS).astype(np.int64) for length in (minimum, limit))
        minimum = np.maximum(minimum, np.minimum(pieces, 1))
        begun = (constraints.prefix_table(len(pieces)) != PAD).sum(1)
        return minimum, np.maximum(limit, np.maximum(minimum, begun) + 1)


def best_of(log_prob: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``StepOutput.best`` out of ``StepOutput.log_prob`` [rows, vocab]."""
    count = min(count, log_prob.shape[1])
    tokens = np.argpartition(log_prob, -count, axis=1)[:, -count:]
    order = np.argsort(-np.take_along_axis(log_prob, tokens, axis=1), axis=1, kind="stable")
    tokens = np.take_along_axis(tokens, order, axis=1)
    return tokens, np.take_along_axis(log_prob, tokens, axis=1)


def as_found(hypotheses: list[Hypothesis]) -> list[tuple[int, float]]:
    """``rank`` of a strategy that finds them in the order of their scores."""
    return [(place, one.score) for place, one in enumerate(hypotheses)]


def at_least(name: str, value: float, least: float) -> None:
    """Raises UserError if the setting ``name`` is below ``least``."""
    if value < least:
        raise UserError(f"`{name}` must be at least {least}, but is {value} instead")


def check_types(settings: SearchStrategy) -> None:
    """Raises UserError if a setting is not of its kind; settings may come from a file."""
    for setting in fields(settings):
        name, default, value = setting.name, setting.default, getattr(settings, setting.name)
        whole = type(value) is int
        if type(default) is int and not whole:
            raise UserError(f"`{name}` must be a whole number, but is {value!r} instead")
        if whole and value >= 2**63:
            raise UserError(f"`{name}` must be below 2**63, but is {value} instead")
        if type(default) is float and not whole and not (type(value) is float and math.isfinite(value)):
            raise UserError(f"`{name}` must be a finite number, but is {value!r} instead")
        if isinstance(default, StrEnum) and value not in list(type(default)):
            raise UserError(f"`{name}` must be one of {', '.join(type(default))}, but is {value!r} instead")
        if setting.default_factory is list and not (type(value) is list and all(type(one) is str for one in value)):
            raise UserError(f"`{name}` must be a list of text, but is {value!r} instead")
