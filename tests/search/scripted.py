"""A model whose every probability is known, and the truth about it by enumeration.

``ScriptedDecoder`` meets the protocol of ``nmt.search.base`` with a table instead of a network: the
distribution of the next token, and the attention, are pseudo-random functions of a seed, the source and the
whole prefix. ``Truth`` walks the same table in plain Python floats, with the formulas and the constraints
written out anew, so that it shares no code with the search.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

PAD, BOS, EOS = 0, 1, 2
PIECES = (3, 4, 5)
VOCABULARY = 6

Tokens = tuple[int, ...]


@dataclass
class Table:
    """What follows a prefix: log-probabilities [VOCABULARY] and attention [source length]."""

    seed: int = 0
    sharpness: float = 1.0
    end_bonus: float = 0.0
    _known: dict[tuple[Tokens, Tokens], tuple[list[float], list[float]]] = field(default_factory=dict)

    def __call__(self, source: Tokens, prefix: Tokens) -> tuple[list[float], list[float]]:
        key = (source, prefix)
        if key not in self._known:
            draw = random.Random(repr((self.seed, *key)))
            logits = [draw.gauss(0, self.sharpness) for _ in range(VOCABULARY)]
            logits[EOS] += self.end_bonus
            total = math.log(sum(map(math.exp, logits)))
            weights = [draw.random() ** 3 for _ in source]
            self._known[key] = (
                [logit - total for logit in logits],
                [weight / sum(weights) for weight in weights],
            )
        return self._known[key]


@dataclass
class ScriptedMemory:
    sources: list[Tokens]
    padded_length: int

    def select(self, sentences: np.ndarray) -> "ScriptedMemory":
        return ScriptedMemory([self.sources[sentence] for sentence in sentences.tolist()], self.padded_length)


@dataclass
class ScriptedState:
    prefixes: list[Tokens]

    def select(self, rows: np.ndarray) -> "ScriptedState":
        return ScriptedState([self.prefixes[row] for row in rows.tolist()])


@dataclass
class ScriptedOutput:
    logits: np.ndarray
    state: ScriptedState
    attention: np.ndarray | None
    asked: list[float]

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(count)
        tokens = np.argsort(-self.logits, axis=1, kind="stable")[:, :count]
        return tokens, np.take_along_axis(self._normalised(), tokens, axis=1)

    def log_prob(self) -> np.ndarray:
        self.asked.append(math.inf)
        return self._normalised()

    def _normalised(self) -> np.ndarray:
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        log_prob: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return log_prob


@dataclass
class ScriptedDecoder:
    """The model. ``shift`` is added to all logits, which must not matter; ``rows`` logs how many rows each
    step had, ``asked`` how many tokens' probabilities were wanted: infinity is all.
    """

    table: Table
    shift: float = 0.0
    with_attention: bool = True
    rows: list[int] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> ScriptedMemory:
        sources = [tuple(row[mask].tolist()) for row, mask in zip(source, source_mask, strict=True)]
        return ScriptedMemory(sources, source.shape[1])

    def start(self, memory: ScriptedMemory, width: int) -> ScriptedState:
        return ScriptedState([()] * (len(memory.sources) * width))

    def step(self, tokens: np.ndarray, state: ScriptedState, memory: ScriptedMemory) -> ScriptedOutput:
        width, rest = divmod(len(tokens), len(memory.sources))
        assert rest == 0 and len(tokens) == len(state.prefixes)
        self.rows.append(len(tokens))
        prefixes = [(*prefix, token) for prefix, token in zip(state.prefixes, tokens.tolist(), strict=True)]
        logits, attention = [], []
        for row, prefix in enumerate(prefixes):
            source = memory.sources[row // width]
            assert prefix[0] == BOS
            log_probs, weights = self.table(source, prefix[1:])
            logits.append(log_probs)
            attention.append(weights + [0.0] * (memory.padded_length - len(source)))
        weights_or_none = np.array(attention, dtype=np.float32) if self.with_attention else None
        shifted = np.array(logits, dtype=np.float32) + np.float32(self.shift)
        return ScriptedOutput(shifted, ScriptedState(prefixes), weights_or_none, self.asked)


@dataclass
class Scored:
    tokens: list[int]
    log_prob: float
    score: float
    attention: list[list[float]]
    finished: bool


@dataclass
class Truth:
    """Every target that the settings allow for one source (whose last token is the end mark).

    ``plain``: the length penalty is length ** alpha.
    """

    table: Table
    source: Tokens
    minimum: int
    limit: int
    alpha: float = 0.0
    beta: float = 0.0
    plain: bool = False
    no_repeat: int = 0
    forbidden: Tokens = ()
    prefix: Tokens = ()

    def everything(self) -> list[Scored]:
        """Best first."""
        return sorted(self._from((), 0.0, []), key=lambda scored: -scored.score)

    def score(self, tokens: Tokens, finished: bool) -> Scored:
        """One target, token by token."""
        log_prob, attention = 0.0, []
        for position, token in enumerate((*tokens, EOS) if finished else tokens):
            log_probs, weights = self.table(self.source, tokens[:position])
            log_prob += log_probs[token]
            attention.append(weights)
        return self._scored(tokens, log_prob, attention, finished)

    def allowed(self, written: Tokens) -> list[int]:
        """What may come next."""
        if len(written) < len(self.prefix):
            return [self.prefix[len(written)]]
        pieces = [piece for piece in PIECES if piece not in self.forbidden and not self._repeats((*written, piece))]
        return pieces + [EOS] * (len(written) >= self.minimum)

    def _repeats(self, tokens: Tokens) -> bool:
        """Whether the last n-gram has come before."""
        size = self.no_repeat
        grams = [tokens[start : start + size] for start in range(len(tokens) - size + 1)]
        return size > 0 and len(grams) > 0 and grams[-1] in grams[:-1]

    def _from(self, prefix: Tokens, log_prob: float, attention: list[list[float]]) -> Iterator[Scored]:
        if len(prefix) == self.limit:
            yield self._scored(prefix, log_prob, attention, finished=False)
            return
        log_probs, weights = self.table(self.source, prefix)
        attention = [*attention, weights]
        for token in self.allowed(prefix):
            if token == EOS:
                yield self._scored(prefix, log_prob + log_probs[EOS], attention, finished=True)
            else:
                yield from self._from((*prefix, token), log_prob + log_probs[token], attention)

    def _scored(self, tokens: Tokens, log_prob: float, attention: list[list[float]], finished: bool) -> Scored:
        length = len(tokens) + finished
        coverage = sum(math.log(min(max(sum(column), 1e-10), 1.0)) for column in zip(*attention, strict=True))
        penalty = length**self.alpha if self.plain else (5 + length) ** self.alpha / (5 + 1) ** self.alpha
        return Scored(list(tokens), log_prob, log_prob / penalty + self.beta * coverage, attention, finished)


def batch(sources: list[Tokens]) -> tuple[np.ndarray, np.ndarray]:
    """Pads the sources: ids [sentences, src_len] and the mask that is True at tokens."""
    ids = np.full((len(sources), max(map(len, sources), default=0)), PAD, dtype=np.int64)
    for row, source in zip(ids, sources, strict=True):
        row[: len(source)] = source
    return ids, np.arange(ids.shape[1]) < np.array([len(source) for source in sources], dtype=np.int64)[:, None]


@dataclass(frozen=True)
class Lengths:
    """The four settings of lengths: halves only, so that no rounding can trouble them."""

    ratio: float
    offset: int
    least_ratio: float = 0.0
    least_offset: int = 0

    def settings(self) -> dict[str, Any]:
        return {
            "max_length_ratio": self.ratio,
            "max_length_offset": self.offset,
            "min_length_ratio": self.least_ratio,
            "min_length_offset": self.least_offset,
        }

    def bounds(self, source: Tokens, prefix: Tokens = ()) -> tuple[int, int]:
        """The least pieces and the most tokens, worked out by hand."""
        pieces = len(source) - 1
        minimum = max(-int(-pieces * self.least_ratio // 1) + self.least_offset, min(pieces, 1))
        return minimum, max(int(pieces * self.ratio // 1) + self.offset, minimum + 1, len(prefix) + 1)


def same(found: Sequence[Any], expected: Sequence[Scored]) -> None:
    """Hypotheses are what the truth says."""
    assert [h.tokens for h in found] == [e.tokens for e in expected]
    assert [h.finished for h in found] == [e.finished for e in expected]
    assert [h.log_prob for h in found] == pytest.approx([e.log_prob for e in expected], abs=1e-5)
    assert [h.score for h in found] == pytest.approx([e.score for e in expected], abs=1e-5)


def by_the_book(truth: Truth, beam_size: int, n_best: int) -> list[Scored]:
    """Beam search on lists, to the end, with the definition of a slot and nothing else."""
    live: list[tuple[Tokens, float]] = [((), 0.0)]
    ended: list[Scored] = []
    while live:
        continued = []
        for prefix, log_prob in live:
            log_probs, _ = truth.table(truth.source, prefix)
            continued += [((*prefix, token), log_prob + log_probs[token]) for token in truth.allowed(prefix)]
        continued.sort(key=lambda candidate: -candidate[1])
        live = []
        for tokens, log_prob in continued[: beam_size - len(ended)]:
            finished = tokens[-1] == EOS
            if finished or len(tokens) == truth.limit:
                ended.append(truth.score(tokens[:-1] if finished else tokens, finished))
            else:
                live.append((tokens, log_prob))
    return sorted(ended, key=lambda scored: -scored.score)[:n_best]
