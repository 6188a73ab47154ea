"""One step of a search: the hypotheses that still grow, and how they may go on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import StepOutput, best_of
from nmt.search.constraints import repetitions
from nmt.tokenizer import BOS, EOS, PAD


@dataclass
class Live:
    """The hypotheses that still grow, and what is known of their sentences."""

    sentences: np.ndarray
    """[sentences]: the number of each in the batch."""
    source_mask: np.ndarray
    minimum: np.ndarray
    limit: np.ndarray
    longest_penalty: np.ndarray
    """[sentences]: the length penalty at the limit, float64."""
    prefix: np.ndarray
    """[sentences, longest]: what each must begin with, then PAD."""
    slots: np.ndarray
    tokens: np.ndarray
    """[rows]: what the model reads next."""
    log_prob: np.ndarray
    """[sentences, width] float64, for its sums not to depend on rounding; -inf where there is no hypothesis."""
    entry: np.ndarray
    """[rows]: where the history has the last token."""
    attention_sum: np.ndarray
    """[rows, src_len], if there is a coverage penalty; else [rows, 0]."""
    written: np.ndarray | None
    """[rows, steps]: all tokens so far, if no n-gram may come again."""

    def select(
        self, sentences: np.ndarray, rows: np.ndarray, tokens: np.ndarray, log_prob: np.ndarray, entry: np.ndarray
    ) -> "Live":
        """These sentences [n], with hypotheses [n, width] that continue these rows."""
        rows, tokens = rows.ravel(), tokens.ravel()
        of_sentences = self.sentences, self.source_mask, self.minimum, self.limit, self.longest_penalty, self.prefix, self.slots
        if len(sentences) < len(self.sentences):
            of_sentences = tuple(array[sentences] for array in of_sentences)
        return Live(
            *of_sentences,
            tokens,
            log_prob,
            entry.ravel(),
            self.attention_sum[rows],
            None if self.written is None else np.concatenate([self.written[rows], tokens[:, None]], axis=1),
        )


@dataclass
class Step:
    """What a strategy chooses from: the continuations of the ``live`` hypotheses with token ``number``, counted from 1.

    What may not come next has log-probability -inf. The others' stays as the model gives it. ``forbidden`` tokens never
    come, nor does one that completes a second n-gram of the order ``no_repeat_ngram`` (0: all may); but a token of the
    prefix comes whatever it is.
    """

    number: int
    output: StepOutput[Any]
    live: Live
    forbidden: np.ndarray
    no_repeat_ngram: int

    @property
    def slots(self) -> int:
        """The most hypotheses that any of the sentences may still bring forth."""
        return int(self.live.slots.max())

    def likeliest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """At least the ``count`` likeliest of the permitted tokens of each hypothesis, likeliest first, and their
        log-probabilities, [sentences, width, count or more] each.
        """
        shape = (*self.live.log_prob.shape, -1)
        if len(self._forced()[0]):  # of a forced token, which may be unlikely, only the whole distribution tells
            log_prob = self.log_prob()
            tokens, log_prob = best_of(log_prob.reshape(-1, log_prob.shape[-1]), count)
            return tokens.reshape(shape), log_prob.reshape(shape)
        # The model is asked for as many more as any row may not have. PAD, BOS and, at first, EOS are the 3.
        rows, repeated = self._repeated()
        more = 3 + len(self.forbidden) + (int(np.bincount(rows).max()) if len(rows) else 0)
        tokens, log_prob = self.output.best(count + more)
        out = tokens < EOS  # PAD or BOS
        if (self.live.minimum >= self.number).any():
            out |= (tokens == EOS) & self._too_short()[:, None]
        if len(self.forbidden):
            out |= np.isin(tokens, self.forbidden)
        if len(rows):
            out |= np.isin(_cells(np.arange(len(tokens))[:, None], tokens), _cells(rows, repeated))
        if not out.any():
            return tokens[:, :count].reshape(shape), log_prob[:, :count].reshape(shape)
        return tokens.reshape(shape), np.where(out, -np.inf, log_prob).reshape(shape)

    def log_prob(self) -> np.ndarray:
        """Of each token as the next one, [sentences, width, vocab]."""
        log_prob = self.output.log_prob()
        rows, forced = self._forced()
        of_forced = log_prob[rows, forced]
        if ((of_forced == -np.inf) & (self.live.tokens[rows] != PAD)).any():  # free rows have no probabilities
            raise UserError(
                "prefixes must consist of pieces that the model can write, but a piece of one is not in its shortlist: "
                "translate with `shortlist=false`"
            )
        log_prob[:, [PAD, BOS]] = -np.inf
        log_prob[:, self.forbidden] = -np.inf
        log_prob[self._too_short(), EOS] = -np.inf
        log_prob[self._repeated()] = -np.inf
        log_prob[rows] = -np.inf
        log_prob[rows, forced] = of_forced
        return log_prob.reshape(*self.live.log_prob.shape, -1)

    def _too_short(self) -> np.ndarray:
        """Whether each row, which has number - 1 pieces, must not end yet."""
        return np.repeat(self.live.minimum >= self.number, self.live.log_prob.shape[1])

    def _repeated(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and tokens that would complete an n-gram a second time, [found] each."""
        return _NONE if self.live.written is None else repetitions(self.live.written, self.no_repeat_ngram)

    def _forced(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows that are within their prefix, and the token that each must write now, [found] each."""
        if self.number > self.live.prefix.shape[1]:
            return _NONE
        tokens = np.repeat(self.live.prefix[:, self.number - 1], self.live.log_prob.shape[1])
        rows = np.flatnonzero(tokens != PAD)
        return rows, tokens[rows]


@dataclass
class Candidates:
    """What a strategy chose, [sentences, candidates] each; the earlier ones get the slots.

    A candidate continues the hypothesis in ``row``, which is one of its sentence, with ``token``, and has ``log_prob`` then:
    -inf if it is none.
    """

    row: np.ndarray
    token: np.ndarray
    log_prob: np.ndarray


_NOTHING = np.zeros(0, dtype=np.int64)
_NONE = _NOTHING, _NOTHING


def _cells(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """One number for a row and a token."""
    cells: np.ndarray = rows * 2**32 + tokens
    return cells
