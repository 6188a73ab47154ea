"""Beam search, all sentences and hypotheses of a batch at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import Decode, Model, SearchStrategy, as_found, at_least
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.loop import decode
from nmt.search.record import History
from nmt.search.scoring import LengthPenalty, Scoring
from nmt.search.step import Candidates, Step


@dataclass
class Beam(SearchStrategy):
    """Beam search with ``beam_size`` slots a sentence.

    At each step the continuations of all live hypotheses compete by log_prob for the slots. One that ends
    (end mark, or length limit) leaves with its slot, so beam size 1 is greedy search, and a sentence is done
    when its slots are used up, or sooner by the exact rule of ``nmt.search.loop.decode``. Ended hypotheses
    are ranked by log_prob / length penalty + coverage penalty (see ``nmt.search.scoring``): ``length_penalty``
    is the alpha of the length penalty (0: none), whose form is GNMT's ((5 + length) / 6) ** alpha or, with
    ``length_penalty_form=plain``, length ** alpha; ``coverage_penalty`` is GNMT's beta (0: none; a model
    without attention can have none).
    """

    beam_size: int = 5
    length_penalty: float = 1.0
    length_penalty_form: LengthPenalty = LengthPenalty.gnmt
    coverage_penalty: float = 0.0

    def check(self) -> None:
        at_least("beam_size", self.beam_size, 1)
        at_least("length_penalty", self.length_penalty, 0)
        at_least("coverage_penalty", self.coverage_penalty, 0)
        if self.n_best > self.beam_size:
            raise UserError(
                f"`n_best` must be at most `beam_size` ({self.beam_size}), as a beam finds no more "
                f"translations than it has slots, but is {self.n_best} instead"
            )

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
            best_continuations,
            model,
            source,
            source_mask,
            width=1,
            slots=self.beam_size,
            constraints=constraints,
            scoring=Scoring(self.length_penalty, self.length_penalty_form, self.coverage_penalty),
            with_attention=with_attention,
            history=history,
        )

    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        """See ``SearchStrategy``."""
        return as_found(hypotheses)


def best_continuations(step: Step) -> Candidates:
    """The ``step.slots`` best continuations of each sentence's hypotheses, best first.

    No hypothesis has more than ``slots`` among them, so the best of each are enough to find them. At the
    first step there is one hypothesis a sentence, and its best continuations fill the beam.
    """
    token, log_prob = step.likeliest(step.slots)
    total = step.live.log_prob[:, :, None] + log_prob
    sentences, _, of_each = total.shape
    # [sentences, width, of each] -> [sentences, width * of each]
    total = total.reshape(sentences, -1)
    best = np.argsort(-total, axis=1, kind="stable")[:, : step.slots]
    best += np.arange(sentences)[:, None] * total.shape[1]
    return Candidates(best // of_each, token.ravel()[best], total.ravel()[best])
