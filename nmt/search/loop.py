"""The loop of all searches: step the model, let the strategy choose, keep what ended, drop what is done."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.search.base import Model, SearchStrategy
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History, Kept
from nmt.search.scoring import coverage_penalty, length_penalty
from nmt.tokenizer import BOS, EOS, PAD


@dataclass
class Step:
    """What a strategy chooses from."""

    number: int
    """Of the token to be chosen, from 1."""
    next_log_prob: Tensor
    """[sentences, width, vocab]: of each token as the next one, -inf if it is forbidden."""
    log_prob: Tensor
    """[sentences, width]: of the hypotheses so far, -inf where there is none."""
    sentences: Tensor
    """[sentences]: the number of each remaining sentence in the batch."""
    slots: int
    """The most hypotheses that any of the sentences may still bring forth."""


@dataclass
class Candidates:
    """What a strategy chose, [sentences, candidates] each; the earlier ones get the slots.

    A candidate continues the hypothesis at ``place`` (< width) of its sentence with ``token``, and has
    ``log_prob`` then: -inf if it is none.
    """

    place: Tensor
    token: Tensor
    log_prob: Tensor


@dataclass
class Live:
    """The hypotheses that still grow, and what is known of their sentences."""

    sentences: Tensor
    source_mask: Tensor
    minimum: Tensor
    limit: Tensor
    slots: Tensor
    tokens: Tensor
    """[rows]: what the model reads next."""
    log_prob: Tensor
    """[sentences, width] float64, for its sums not to depend on rounding."""
    entry: Tensor
    """[rows]: where the history has the last token."""
    attention_sum: Tensor
    """[rows, src_len], if there is a coverage penalty; else [rows, 0]."""

    def select(self, sentences: Tensor, rows: Tensor, tokens: Tensor, log_prob: Tensor, entry: Tensor) -> "Live":
        """These sentences [n], with hypotheses [n, width] that continue these rows."""
        return Live(
            self.sentences[sentences],
            self.source_mask[sentences],
            self.minimum[sentences],
            self.limit[sentences],
            self.slots[sentences],
            tokens.flatten(),
            log_prob,
            entry.flatten(),
            self.attention_sum[rows.flatten()],
        )


def decode(
    strategy: SearchStrategy,
    choose: Callable[[Step], Candidates],
    model: Model[Any, Any],
    source: Tensor,
    source_mask: Tensor,
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
    with torch.inference_mode():
        memory = model.encode(source, source_mask)
        state = model.start(memory, width)
        live = begin(strategy, source_mask, width, slots, coverage=beta > 0)
        kept = Kept.none(len(source), strategy.n_best, live.log_prob)
        history = History() if history is None else history
        for number in count(1):
            output = model.step(live.tokens, state, memory)
            if beta > 0:
                live.attention_sum += required(output.attention)
            candidates = in_slots(choose(permitted(number, output.logits, live)), live)
            rows = row_numbers(candidates.place, live.log_prob.size(1))
            weights = None if output.attention is None or not with_attention else output.attention[rows]
            growing, score = settle(number, candidates, live, kept, alpha, beta)
            history.append(candidates.token, live.entry[rows], candidates.log_prob, score, weights)
            entry = survivors(growing, live, kept, alpha)
            if not entry.numel():
                break
            sentences, rows = entry[:, 0] // growing.size(1), rows.flatten()[entry]
            state = output.state.select(rows.flatten())
            memory = memory.select(sentences) if len(sentences) < len(growing) else memory
            tokens, log_prob = candidates.token.flatten()[entry], growing.flatten()[entry]
            live = live.select(sentences, rows, tokens, log_prob, entry)
        history.ends = kept.ends()
        return kept.hypotheses(history, source_mask)


def begin(strategy: SearchStrategy, source_mask: Tensor, width: int, slots: int, coverage: bool) -> Live:
    """The hypotheses before the first step: ``width`` a sentence, all empty."""
    sentences, src_len = source_mask.shape
    minimum, limit = strategy.length_bounds(source_mask)
    rows = torch.zeros(sentences * width, dtype=torch.long, device=source_mask.device)
    return Live(
        sentences=torch.arange(sentences, device=source_mask.device),
        source_mask=source_mask,
        minimum=minimum,
        limit=limit,
        slots=torch.full_like(limit, slots),
        tokens=rows + BOS,
        log_prob=torch.zeros(sentences, width, dtype=torch.float64, device=source_mask.device),
        entry=rows,
        attention_sum=torch.zeros(len(rows), src_len if coverage else 0, device=source_mask.device),
    )


def permitted(number: int, logits: Tensor, live: Live) -> Step:
    """What may come next. The probability of what may not is lost: log_prob is what the model gives."""
    # Of the whole vocabulary: on a CPU that costs less than PyTorch's logsumexp.
    log_prob = logits.log_softmax(-1)
    log_prob[:, [PAD, BOS]] = -torch.inf
    # [rows, vocab] -> [sentences, width, vocab]
    log_prob = log_prob.view(*live.log_prob.shape, -1)
    # There are number - 1 pieces: too few for some to end.
    log_prob[:, :, EOS].masked_fill_((live.minimum >= number)[:, None], -torch.inf)
    return Step(number, log_prob, live.log_prob, live.sentences, int(live.slots.max()))


def required(attention: Tensor | None) -> Tensor:
    """The attention that the coverage penalty needs."""
    if attention is None:
        raise UserError("`coverage_penalty` must be 0 for a model without attention, but is above 0 instead")
    return attention


def row_numbers(place: Tensor, width: int) -> Tensor:
    """The row that holds the hypothesis at ``place`` [sentences, candidates] of its sentence."""
    return place + torch.arange(len(place), device=place.device)[:, None] * width


def in_slots(candidates: Candidates, live: Live) -> Candidates:
    """Only the candidates for which their sentence has a slot."""
    log_prob = candidates.log_prob
    in_slot = torch.arange(log_prob.size(1), device=log_prob.device) < live.slots[:, None]
    return Candidates(candidates.place, candidates.token, log_prob.masked_fill(~in_slot, -torch.inf))


def settle(number: int, candidates: Candidates, live: Live, kept: Kept, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Offers the candidates that ended, and takes their slots away.

    Returns, [sentences, candidates] each, the log_prob of those that go on and the score of those that ended;
    -inf for the others.
    """
    log_prob = candidates.log_prob
    finished = candidates.token == EOS
    ended = (log_prob > -torch.inf) & (finished | (live.limit == number)[:, None])
    score = torch.full_like(log_prob, -torch.inf)
    if ended.any():
        live.slots -= ended.sum(1)
        score = log_prob / length_penalty(number, alpha)
        if beta > 0:
            # [rows, src_len] -> [sentences, width, src_len]
            attention_sum = live.attention_sum.view(*live.log_prob.shape, -1)
            penalty = coverage_penalty(attention_sum, live.source_mask[:, None], beta)
            score += penalty.gather(1, candidates.place)
        score = score.masked_fill(~ended, -torch.inf)
        kept.offer(live.sentences, number, score, log_prob, finished)
    return log_prob.masked_fill(ended, -torch.inf), score


def survivors(growing: Tensor, live: Live, kept: Kept, alpha: float) -> Tensor:
    """What goes on: the remaining sentences' candidates, as entries [remaining, new width] of the last table.

    The order stays, but a sentence with fewer than ``width`` has its free places last.
    """
    bound = growing.amax(1) / length_penalty(live.limit.double(), alpha)
    going = (bound > kept.worst(live.sentences)).nonzero().squeeze(1)
    if not len(going):
        return going
    alive = growing[going] > -torch.inf
    order = alive.byte().sort(dim=1, descending=True, stable=True).indices
    width = int(alive.sum(1).max())
    return order[:, :width] + going[:, None] * growing.size(1)
