"""The loop of all searches: step the model, let the strategy choose, keep what ended, drop what is done."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import Model, SearchStrategy
from nmt.search.constraints import Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History, Kept
from nmt.search.scoring import BY_LOG_PROB, Scoring, coverage_penalty, length_penalty
from nmt.search.step import Candidates, Live, Step
from nmt.tokenizer import BOS, EOS, PAD


def decode(
    strategy: SearchStrategy,
    choose: Callable[[Step], Candidates],
    model: Model[Any, Any],
    source: np.ndarray,
    source_mask: np.ndarray,
    *,
    width: int,
    slots: int,
    constraints: Constraints,
    scoring: Scoring = BY_LOG_PROB,
    with_attention: bool = False,
    history: History | None = None,
) -> list[list[Hypothesis]]:
    """Runs a search: ``choose`` is asked at every step how the hypotheses go on.

    It begins with ``width`` equal hypotheses a sentence and keeps at most ``slots``; a hypothesis that ends
    gives its slot up. See ``SearchStrategy.__call__`` for the rest.

    A sentence is done when nothing that it could still find would be kept, and this rule is exact: it gives
    what a search to the last step would give. Log-probabilities only fall from step to step, so a hypothesis
    with log_prob l ends with one of at most l <= 0; for alpha >= 0 the length penalty, in either form, is
    positive and rises with the length, so it divides by at most the penalty of the longest length allowed; for
    beta >= 0 the coverage penalty is at most 0. Its score is thus at most l / length_penalty(limit), and once
    that does not exceed the worst of n_best kept scores for the best live hypothesis, it does for none: the
    sentence leaves the batch, and its rows with it. Constraints only take continuations away: the bound holds
    for those that are left.
    """
    if not len(source):
        return []
    memory = model.encode(source, source_mask)
    state = model.start(memory, width)
    live = begin(strategy, constraints, source_mask, width, slots, scoring)
    forbidden = np.array(constraints.forbidden, dtype=np.int64)
    assert len(forbidden) == len(strategy.forbidden_pieces)
    kept = Kept.none(len(source), strategy.n_best)
    history = History() if history is None else history
    for number in count(1):
        output = model.step(live.tokens, state, memory)
        candidates = in_slots(choose(Step(number, output, live, forbidden, strategy.no_repeat_ngram)), live)
        if scoring.beta > 0:
            live.attention_sum += required(output.attention)
        attention = output.attention if with_attention else None
        of_candidates = None if attention is None else attention[candidates.row]
        growing, score = settle(number, candidates, live, kept, scoring)
        history.append(candidates.token, live.entry[candidates.row], candidates.log_prob, score, of_candidates)
        sentences, entry = survivors(growing, live, kept)
        if not len(sentences):
            break
        rows = candidates.row.ravel()[entry]
        state = output.state.select(rows.ravel())
        memory = memory.select(sentences) if len(sentences) < len(growing) else memory
        log_prob = growing.ravel()[entry]
        tokens = np.where(log_prob > -np.inf, candidates.token.ravel()[entry], PAD)
        live = live.select(sentences, rows, tokens, log_prob, entry)
    history.ends = kept.ends()
    if not all(history.ends):
        raise UserError(nothing_found(constrained=bool(strategy.no_repeat_ngram or len(forbidden))))
    return kept.hypotheses(history, source_mask)


def begin(
    strategy: SearchStrategy, constraints: Constraints, source_mask: np.ndarray, width: int, slots: int, scoring: Scoring
) -> Live:
    """The hypotheses before the first step: ``width`` a sentence, all empty."""
    sentences, src_len = source_mask.shape
    minimum, limit = strategy.length_bounds(source_mask, constraints)
    rows = np.zeros(sentences * width, dtype=np.int64)
    return Live(
        sentences=np.arange(sentences),
        source_mask=source_mask,
        minimum=minimum,
        limit=limit,
        longest_penalty=length_penalty(limit.astype(float), scoring.alpha, scoring.form),
        prefix=constraints.prefix_table(sentences),
        slots=np.full_like(limit, slots),
        tokens=rows + BOS,
        log_prob=np.zeros((sentences, width)),
        entry=rows,
        attention_sum=np.zeros((len(rows), src_len if scoring.beta > 0 else 0), dtype=np.float32),
        written=np.zeros((len(rows), 0), dtype=np.int64) if strategy.no_repeat_ngram else None,
    )


def required(attention: np.ndarray | None) -> np.ndarray:
    """The attention that the coverage penalty needs."""
    if attention is None:
        raise UserError("`coverage_penalty` must be 0 for a model without attention, but is above 0 instead")
    return attention


def nothing_found(constrained: bool) -> str:
    """What to say if a sentence has no translation at all."""
    or_else = ", or `no_repeat_ngram` and `forbidden_pieces` permit no translation of some sentence" if constrained else ""
    return (
        "The model must give the next pieces probabilities, but gives none instead: its weights hold "
        f"NaN or infinity (a training that diverged, or a damaged file){or_else}"
    )


def in_slots(candidates: Candidates, live: Live) -> Candidates:
    """Only the candidates for which their sentence has a slot."""
    in_slot = np.arange(candidates.log_prob.shape[1]) < live.slots[:, None]
    return Candidates(candidates.row, candidates.token, np.where(in_slot, candidates.log_prob, -np.inf))


def settle(
    number: int, candidates: Candidates, live: Live, kept: Kept, scoring: Scoring
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
    score[ended] = scoring.by_length(log_prob[ended], number)
    if scoring.beta > 0:
        # [rows, src_len] -> [sentences, width, src_len]
        attention_sum = live.attention_sum.reshape(*live.log_prob.shape, -1)
        penalty = coverage_penalty(attention_sum, live.source_mask[:, None], scoring.beta)
        score += penalty.ravel()[candidates.row]
    kept.offer(live.sentences, number, score, log_prob, finished)
    return np.where(ended, -np.inf, log_prob), score


def survivors(growing: np.ndarray, live: Live, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """What goes on: the sentences [remaining], and their candidates as entries [remaining, new width] of the last table.

    The order stays, but a sentence with fewer than ``width`` has its free places last.
    """
    going = np.flatnonzero(growing.max(axis=1) / live.longest_penalty > kept.worst(live.sentences))
    first = going[:, None] * growing.shape[1]
    gone = growing[going] == -np.inf
    if not gone.any():
        return going, first + np.arange(growing.shape[1])
    order = np.argsort(gone, axis=1, kind="stable")
    width = growing.shape[1] - int(gone.sum(axis=1).min())
    return going, first + order[:, :width]
