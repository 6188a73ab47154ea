"""Minimum-Bayes-risk decoding: the translation that is most like all those that the model might give."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from nmt.errors import StrEnum, UserError
from nmt.search.base import Decode, Model, SearchStrategy, at_least
from nmt.search.beam import Beam
from nmt.search.chrf import pairwise_chrf
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History
from nmt.search.sampling import Sampling


class Proposing(StrEnum):
    """The search that finds the candidates."""

    sampling = "sampling"
    beam = "beam"


@dataclass
class MBR(SearchStrategy):
    """Minimum-Bayes-risk decoding (Eikema & Aziz 2020; Freitag et al. 2022).

    Of ``candidates`` translations that another search finds (``candidates_by``: ``sampling`` with ``temperature``,
    ``top_k``, ``top_p`` and ``seed``, see ``Sampling``, or a ``beam`` of that size), those with the greatest expected
    utility are taken. The utility of a translation, were another one right, is its sentence chrF2 against that (Popović
    2015; see ``nmt.search.chrf``). The expectation is over the candidates: each sample weighs the same, as often as it
    was drawn; what a beam found weighs by its probability (Kumar & Byrne 2004). The score is that expected chrF2, 0 to
    100. Equal texts are one candidate, with their weights together.
    """

    candidates: int = 32
    candidates_by: Proposing = Proposing.sampling
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def check(self) -> None:
        at_least("candidates", self.candidates, 1)
        if self.n_best > self.candidates:
            raise UserError(f"`n_best` must be at most `candidates` ({self.candidates}), but is {self.n_best} instead")
        self._proposing()

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
        """All candidates, for ``rank`` to choose from. See ``SearchStrategy``."""
        return self._proposing()(
            model, source, source_mask, constraints=constraints, with_attention=with_attention, history=history
        )

    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        """See ``SearchStrategy``."""
        numbers: dict[str, int] = {}
        number = [numbers.setdefault(text, len(numbers)) for text in decode([one.tokens for one in hypotheses])]
        weights = np.bincount(number, self._weights(hypotheses))
        utility = pairwise_chrf(list(numbers)) @ weights
        best = np.argsort(-utility, kind="stable")[: self.n_best]
        return [(number.index(text), float(utility[text])) for text in best.tolist()]

    def score_of_whole(self, scores: Sequence[float]) -> float:
        """The mean: a part's score is in percent."""
        return sum(scores) / len(scores)

    def _proposing(self) -> Beam | Sampling:
        """The search for candidates, which also checks its own settings."""
        common = {setting.name: getattr(self, setting.name) for setting in fields(SearchStrategy)} | {"n_best": self.candidates}
        if self.candidates_by == Proposing.beam:
            return Beam(**common, beam_size=self.candidates)
        return Sampling(**common, temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, seed=self.seed)

    def _weights(self, hypotheses: list[Hypothesis]) -> np.ndarray:
        """What each counts in the expectation; they sum to 1."""
        if self.candidates_by == Proposing.sampling:
            return np.full(len(hypotheses), 1 / len(hypotheses))
        log_prob = np.array([one.log_prob for one in hypotheses])
        weights = np.exp(log_prob - log_prob.max())
        normalised: np.ndarray = weights / weights.sum()
        return normalised
