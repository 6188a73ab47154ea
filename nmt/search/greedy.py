"""Greedy search: the likeliest piece, step by step."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import Decode, Model, SearchStrategy, as_found
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.loop import decode
from nmt.search.record import History
from nmt.search.step import Candidates, Step


@dataclass
class Greedy(SearchStrategy):
    """One hypothesis a sentence, always continued with its likeliest piece. Its score is its log_prob."""

    def check(self) -> None:
        if self.n_best != 1:
            raise UserError(f"`n_best` must be 1 for greedy search (beam search finds more), but is {self.n_best} instead")

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
        """See ``SearchStrategy``."""
        return decode(
            self,
            likeliest,
            model,
            source,
            source_mask,
            width=1,
            slots=1,
            constraints=constraints,
            with_attention=with_attention,
            history=history,
        )

    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        """See ``SearchStrategy``."""
        return as_found(hypotheses)


def likeliest(step: Step) -> Candidates:
    """Each hypothesis goes on with its likeliest token."""
    token, log_prob = step.likeliest(1)
    best = log_prob.argmax(-1)
    row = np.arange(best.size).reshape(best.shape)
    best += row * token.shape[-1]
    return Candidates(row, token.ravel()[best], step.live.log_prob + log_prob.ravel()[best])
