"""What a search has written: the tokens of every step, and each sentence's best ended hypotheses."""

from dataclasses import dataclass, field

import numpy as np

from nmt.search.hypothesis import Hypothesis
from nmt.tokenizer import PAD


@dataclass
class History:
    """Back-pointers instead of copied prefixes: a step appends a small table, the end reads them backwards.

    Table t has an entry for every candidate of step t, all sentences in a row: its token, the entry of table
    t - 1 that it continues, its log_prob (-inf: it is none), its score if it ended (else -inf), and, where
    attention is wanted, the attention [src_len] of the step that proposed it. Tables count from 1; the entries
    of the first continue nothing yet.

    ``ends`` has, once the search is done, for each sentence where its hypotheses end, best first: (table, entry).
    """

    tokens: list[np.ndarray] = field(default_factory=list)
    parents: list[np.ndarray] = field(default_factory=list)
    log_prob: list[np.ndarray] = field(default_factory=list)
    score: list[np.ndarray] = field(default_factory=list)
    attention: list[np.ndarray] = field(default_factory=list)
    ends: list[list[tuple[int, int]]] = field(default_factory=list)

    def append(
        self, tokens: np.ndarray, parents: np.ndarray, log_prob: np.ndarray, score: np.ndarray, attention: np.ndarray | None
    ) -> None:
        """[sentences, candidates] each, ``attention`` [sentences, candidates, src_len]."""
        self.tokens.append(tokens.ravel())
        self.parents.append(parents.ravel())
        self.log_prob.append(log_prob.ravel())
        self.score.append(score.ravel())
        if attention is not None:
            self.attention.append(attention.reshape(-1, attention.shape[-1]))

    def trace(self, end: np.ndarray, entry: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The hypotheses whose last token is ``entry`` [n] of table ``end`` [n] (tables count from 1).

        Returns tokens [n, tables], PAD after the last, and attention [n, tables, src_len] if it was kept.
        """
        tokens, attention = [], []
        for table in range(len(self.tokens), 0, -1):
            written = end >= table
            here = np.where(written, entry, 0)
            tokens.append(np.where(written, self.tokens[table - 1][here], PAD))
            if self.attention:
                attention.append(self.attention[table - 1][here])
            entry = np.where(written, self.parents[table - 1][here], entry)
        # [tables of (n)] -> [n, tables], first token first
        return np.stack(tokens[::-1], axis=1), np.stack(attention[::-1], axis=1) if attention else None


@dataclass
class Kept:
    """The best ended hypotheses of each sentence, [sentences, n_best], best first.

    A hypothesis ends with ``entry`` of table ``end``; a free place has end 0 and scores -inf.
    """

    score: np.ndarray
    log_prob: np.ndarray
    end: np.ndarray
    entry: np.ndarray
    finished: np.ndarray

    @classmethod
    def none(cls, sentences: int, n_best: int) -> "Kept":
        """No hypotheses yet."""
        worst = np.full((sentences, n_best), -np.inf)
        zero = np.zeros_like(worst, dtype=np.int64)
        return cls(worst, worst.copy(), zero, zero.copy(), zero.astype(bool))

    def offer(self, sentences: np.ndarray, step: int, score: np.ndarray, log_prob: np.ndarray, finished: np.ndarray) -> None:
        """Takes over what is better than the kept: candidates of one step, [len(sentences), candidates] each.

        A candidate that scores -inf is none. Of equal scores the earlier is the better.
        """
        places = np.arange(score.size).reshape(score.shape)
        new = Kept(score, log_prob, np.full_like(places, step), places, finished)
        pairs = zip(self._arrays(), new._arrays(), strict=True)
        merged = [np.concatenate([kept[sentences], offered], axis=1) for kept, offered in pairs]
        best = np.argsort(-merged[0], axis=1, kind="stable")[:, : self.score.shape[1]]  # by score
        rows = np.arange(len(best))[:, None]
        for kept, both in zip(self._arrays(), merged, strict=True):
            kept[sentences] = both[rows, best]

    def worst(self, sentences: np.ndarray) -> np.ndarray:
        """The score to beat, [len(sentences)]; -inf while there are free places."""
        worst: np.ndarray = self.score[sentences, -1]
        return worst

    def ends(self) -> list[list[tuple[int, int]]]:
        """Of each sentence the (table, entry) of its hypotheses, best first."""
        rows = zip(self.end.tolist(), self.entry.tolist(), strict=True)
        return [[place for place in zip(*row, strict=True) if place[0]] for row in rows]

    def hypotheses(self, history: History, source_mask: np.ndarray) -> list[list[Hypothesis]]:
        """Reads the kept hypotheses out: outer list by sentence, inner list best first."""
        tokens, attention = history.trace(self.end.ravel(), self.entry.ravel())
        n_best = self.score.shape[1]
        rows = zip(*(array.ravel().tolist() for array in self._arrays()), tokens.tolist(), strict=True)
        result: list[list[Hypothesis]] = [[] for _ in self.score]
        for place, (score, log_prob, end, _, finished, written) in enumerate(rows):
            if end:
                sentence = place // n_best
                weights = None if attention is None else attention[place, :end][:, source_mask[sentence]]
                pieces = written[: end - 1] if finished else written[:end]
                result[sentence].append(Hypothesis(pieces, log_prob, score, weights, finished))
        return result

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.score, self.log_prob, self.end, self.entry, self.finished
