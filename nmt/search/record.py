"""What a search has written: the tokens of every step, and each sentence's best ended hypotheses."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nmt.errors import UserError
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

    tokens: list[Tensor] = field(default_factory=list)
    parents: list[Tensor] = field(default_factory=list)
    log_prob: list[Tensor] = field(default_factory=list)
    score: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)
    ends: list[list[tuple[int, int]]] = field(default_factory=list)

    def append(self, tokens: Tensor, parents: Tensor, log_prob: Tensor, score: Tensor, attention: Tensor | None) -> None:
        """[sentences, candidates] each, ``attention`` [sentences, candidates, src_len]."""
        self.tokens.append(tokens.flatten())
        self.parents.append(parents.flatten())
        self.log_prob.append(log_prob.flatten())
        self.score.append(score.flatten())
        if attention is not None:
            self.attention.append(attention.flatten(0, 1))

    def trace(self, end: Tensor, entry: Tensor) -> tuple[Tensor, Tensor | None]:
        """The hypotheses whose last token is ``entry`` [n] of table ``end`` [n] (tables count from 1).

        Returns tokens [n, tables], PAD after the last, and attention [n, tables, src_len] if it was kept.
        """
        tokens, attention = [], []
        for table in range(len(self.tokens), 0, -1):
            written = end >= table
            here = torch.where(written, entry, 0)
            tokens.append(torch.where(written, self.tokens[table - 1][here], PAD))
            if self.attention:
                attention.append(self.attention[table - 1][here])
            entry = torch.where(written, self.parents[table - 1][here], entry)
        # [tables of (n)] -> [n, tables], first token first
        backwards = torch.stack(tokens, dim=1)
        return backwards.flip(1), torch.stack(attention, dim=1).flip(1) if attention else None


@dataclass
class Kept:
    """The best ended hypotheses of each sentence, [sentences, n_best], best first.

    A hypothesis ends with ``entry`` of table ``end``; a free place has end 0 and scores -inf.
    """

    score: Tensor
    log_prob: Tensor
    end: Tensor
    entry: Tensor
    finished: Tensor

    @classmethod
    def none(cls, sentences: int, n_best: int, like: Tensor) -> "Kept":
        """No hypotheses yet; scores have the type and device of ``like``."""
        worst = like.new_full((sentences, n_best), -torch.inf)
        zero = torch.zeros_like(worst, dtype=torch.long)
        return cls(worst, worst.clone(), zero, zero.clone(), zero.bool())

    def offer(self, sentences: Tensor, step: int, score: Tensor, log_prob: Tensor, finished: Tensor) -> None:
        """Takes over what is better than the kept: candidates of one step, [len(sentences), candidates] each.

        A candidate that scores -inf is none. Of equal scores the earlier is the better.
        """
        places = torch.arange(score.numel(), device=score.device).view_as(score)
        new = Kept(score, log_prob, torch.full_like(places, step), places, finished)
        merged_score = torch.cat([self.score[sentences], score], dim=1)
        best = merged_score.sort(dim=1, descending=True, stable=True).indices[:, : self.score.size(1)]
        for kept, offered in zip(self._tensors(), new._tensors(), strict=True):
            kept[sentences] = torch.cat([kept[sentences], offered], dim=1).gather(1, best)

    def worst(self, sentences: Tensor) -> Tensor:
        """The score to beat, [len(sentences)]; -inf while there are free places."""
        return self.score[sentences, -1]

    def ends(self) -> list[list[tuple[int, int]]]:
        """Of each sentence the (table, entry) of its hypotheses, best first."""
        rows = zip(self.end.tolist(), self.entry.tolist(), strict=True)
        return [[place for place in zip(*row, strict=True) if place[0]] for row in rows]

    def hypotheses(self, history: History, source_mask: Tensor) -> list[list[Hypothesis]]:
        """Reads the kept hypotheses out: outer list by sentence, inner list best first."""
        tokens, attention = history.trace(self.end.flatten(), self.entry.flatten())
        attention = None if attention is None else attention.cpu()
        n_best, source_mask = self.score.size(1), source_mask.cpu()
        rows = zip(*(tensor.flatten().tolist() for tensor in self._tensors()), tokens.tolist(), strict=True)
        result: list[list[Hypothesis]] = [[] for _ in range(self.score.size(0))]
        for place, (score, log_prob, end, _, finished, written) in enumerate(rows):
            if end:
                sentence = place // n_best
                weights = None if attention is None else attention[place, :end][:, source_mask[sentence]]
                pieces = written[: end - 1] if finished else written[:end]
                result[sentence].append(Hypothesis(pieces, log_prob, score, weights, finished))
        if not all(result):
            raise UserError(
                "The model must give the next pieces probabilities, but gives none instead: its weights hold "
                "NaN or infinity (a training that diverged, or a damaged file)"
            )
        return result

    def _tensors(self) -> tuple[Tensor, ...]:
        return self.score, self.log_prob, self.end, self.entry, self.finished
