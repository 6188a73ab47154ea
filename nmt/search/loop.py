"""The loop of all searches: step the model, let the strategy choose, keep what ended, drop what is done."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import Model, SearchStrategy, StepOutput
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History, Kept
from nmt.search.scoring import coverage_penalty, length_penalty
from nmt.tokenizer import BOS, EOS, PAD


@dataclass
class Live:
    """The hypotheses that still grow, and what is known of their sentences."""

    sentences: np.ndarray
    """[sentences]: the number of each in the batch."""
    source_mask: np.ndarray
    minimum: np.ndarray
    limit: np.ndarray
    slots: np.ndarray
    tokens: np.ndarray
    """[rows]: what the model reads next."""
    log_prob: np.ndarray
    """[sentences, width] float64, for its sums not to depend on rounding; -inf where there is no hypothesis."""
    entry: np.ndarray
    """[rows]: where the history has the last token."""
    attention_sum: np.ndarray
    """[rows, src_len], if there is a coverage penalty; else [rows, 0]."""

    def select(
        self, sentences: np.ndarray, rows: np.ndarray, tokens: np.ndarray, log_prob: np.ndarray, entry: np.ndarray
    ) -> "Live":
        """These sentences [n], with hypotheses [n, width] that continue these rows."""
        return Live(
            self.sentences[sentences],
            self.source_mask[sentences],
            self.minimum[sentences],
            self.limit[sentences],
            self.slots[sentences],
            tokens.ravel(),
            log_prob,
            entry.ravel(),
            self.attention_sum[rows.ravel()],
        )


@dataclass
class Step:
    """What a strategy chooses from: the continuations of the ``live`` hypotheses with token ``number``, counted from 1.

    What may not come next has log-probability -inf. The others' stays as the model gives it.
    """

    number: int
    output: StepOutput[Any]
    live: Live

    @property
    def slots(self) -> int:
        """The most hypotheses that any of the sentences may still bring forth."""
        return int(self.live.slots.max())

    def likeliest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """At least the ``count`` likeliest of the permitted tokens of each hypothesis, likeliest first, and their
        log-probabilities, [sentences, width, count or more] each.
        """
        # As many more as may not come: PAD, BOS and, at first, EOS.
        tokens, log_prob = self.output.best(count + 3)
        forbidden = (tokens == PAD) | (tokens == BOS) | (tokens == EOS) & self._too_short()[:, None]
        shape = (*self.live.log_prob.shape, -1)
        return tokens.reshape(shape), np.where(forbidden, -np.inf, log_prob).reshape(shape)

    def log_prob(self) -> np.ndarray:
        """Of each token as the next one, [sentences, width, vocab]."""
        log_prob = self.output.log_prob()
        log_prob[:, [PAD, BOS]] = -np.inf
        log_prob[self._too_short(), EOS] = -np.inf
        return log_prob.reshape(*self.live.log_prob.shape, -1)

    def _too_short(self) -> np.ndarray:
        """Whether each row, which has number - 1 pieces, must not end yet."""
        return np.repeat(self.live.minimum >= self.number, self.live.log_prob.shape[1])


@dataclass
class Candidates:
    """What a strategy chose, [sentences, candidates] each; the earlier ones get the slots.

    A candidate continues the hypothesis at ``place`` (< width) of its sentence with ``token``, and has
    ``log_prob`` then: -inf if it is none.
    """

    place: np.ndarray
    token: np.ndarray
    log_prob: np.ndarray


def decode(
    strategy: SearchStrategy,
    choose: Callable[[Step], Candidates],
    model: Model[Any, Any],
    source: np.ndarray,
    source_mask: np.ndarray,
    *,
    width: int,
    slots: int,
    alpha: float = 0.0,
    beta: float = 0.0,
    with_attention: bool = False,
    history: History | None = None,
) -> list[list[Hypothesis]]:
    """Runs a search: ``choose`` is asked at every step how the hypotheses go on.

    It begins with ``width`` equal hypotheses a sentence and keeps at most ``slots``; a hypothesis that ends
    gives its slot up. ``alpha`` and ``beta`` weigh the length and the coverage penalty. See
    ``SearchStrategy.__call__`` for the rest.

    A sentence is done when nothing that it could still find would be kept, and this rule is exact: it gives
    what a search to the last step would give. Log-probabilities only fall from step to step, so a hypothesis
    with log_prob l ends with one of at most l <= 0; for alpha >= 0 the length penalty rises with the length,
    so it divides by at most the penalty of the longest length allowed; for beta >= 0 the coverage penalty is
    at most 0. Its score is thus at most l / length_penalty(limit, alpha), and once that does not exceed the
    worst of n_best kept scores for the best live hypothesis, it does for none: the sentence leaves the batch,
    and its rows with it.
    """
    if not len(source):
        return []
    memory = model.encode(source, source_mask)
    state = model.start(memory, width)
    live = begin(strategy, source_mask, width, slots, coverage=beta > 0)
    kept = Kept.none(len(source), strategy.n_best)
    history = History() if history is None else history
    for number in count(1):
        output = model.step(live.tokens, state, memory)
        candidates = in_slots(choose(Step(number, output, live)), live)
        if beta > 0:
            live.attention_sum += required(output.attention)
        rows = row_numbers(candidates.place, live.log_prob.shape[1])
        attention = output.attention if with_attention else None
        growing, score = settle(number, candidates, live, kept, alpha, beta)
        history.append(
            candidates.token, live.entry[rows], candidates.log_prob, score, None if attention is None else attention[rows]
        )
        entry = survivors(growing, live, kept, alpha)
        if not len(entry):
            break
        sentences, rows = entry[:, 0] // growing.shape[1], rows.ravel()[entry]
        state = output.state.select(rows.ravel())
        memory = memory.select(sentences) if len(sentences) < len(growing) else memory
        tokens, log_prob = candidates.token.ravel()[entry], growing.ravel()[entry]
        live = live.select(sentences, rows, tokens, log_prob, entry)
    history.ends = kept.ends()
    return kept.hypotheses(history, source_mask)


def begin(strategy: SearchStrategy, source_mask: np.ndarray, width: int, slots: int, coverage: bool) -> Live:
    """The hypotheses before the first step: ``width`` a sentence, all empty."""
    sentences, src_len = source_mask.shape
    minimum, limit = strategy.length_bounds(source_mask)
    rows = np.zeros(sentences * width, dtype=np.int64)
    return Live(
        sentences=np.arange(sentences),
        source_mask=source_mask,
        minimum=minimum,
        limit=limit,
        slots=np.full_like(limit, slots),
        tokens=rows + BOS,
        log_prob=np.zeros((sentences, width)),
        entry=rows,
        attention_sum=np.zeros((len(rows), src_len if coverage else 0), dtype=np.float32),
    )


def required(attention: np.ndarray | None) -> np.ndarray:
    """The attention that the coverage penalty needs."""
    if attention is None:
        raise UserError("`coverage_penalty` must be 0 for a model without attention, but is above 0 instead")
    return attention


def row_numbers(place: np.ndarray, width: int) -> np.ndarray:
    """The row that holds the hypothesis at ``place`` [sentences, candidates] of its sentence."""
    rows: np.ndarray = place + np.arange(len(place))[:, None] * width
    return rows


def in_slots(candidates: Candidates, live: Live) -> Candidates:
    """Only the candidates for which their sentence has a slot."""
    in_slot = np.arange(candidates.log_prob.shape[1]) < live.slots[:, None]
    return Candidates(candidates.place, candidates.token, np.where(in_slot, candidates.log_prob, -np.inf))


def settle(
    number: int, candidates: Candidates, live: Live, kept: Kept, alpha: float, beta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Offers the candidates that ended, and takes their slots away.

    Returns, [sentences, candidates] each, the log_prob of those that go on and the score of those that ended;
    -inf for the others.
    """
    log_prob = candidates.log_prob
    finished = candidates.token == EOS
    ended = (log_prob > -np.inf) & (finished | (live.limit == number)[:, None])
    score = np.full_like(log_prob, -np.inf)
    if not ended.any():
        return log_prob, score
    live.slots -= ended.sum(1)
    score[ended] = log_prob[ended] / length_penalty(number, alpha)
    if beta > 0:
        # [rows, src_len] -> [sentences, width, src_len]
        attention_sum = live.attention_sum.reshape(*live.log_prob.shape, -1)
        penalty = coverage_penalty(attention_sum, live.source_mask[:, None], beta)
        score += np.take_along_axis(penalty, candidates.place, axis=1)
    kept.offer(live.sentences, number, score, log_prob, finished)
    return np.where(ended, -np.inf, log_prob), score


def survivors(growing: np.ndarray, live: Live, kept: Kept, alpha: float) -> np.ndarray:
    """What goes on: the remaining sentences' candidates, as entries [remaining, new width] of the last table.

    The order stays, but a sentence with fewer than ``width`` has its free places last.
    """
    bound = growing.max(axis=1) / length_penalty(live.limit.astype(float), alpha)
    going = np.flatnonzero(bound > kept.worst(live.sentences))
    if not len(going):
        return going
    gone = growing[going] == -np.inf
    order = np.argsort(gone, axis=1, kind="stable")
    width = growing.shape[1] - int(gone.sum(axis=1).min())
    entries: np.ndarray = order[:, :width] + going[:, None] * growing.shape[1]
    return entries
