"""What turns a log-probability into a score: pure functions, after GNMT (Wu et al. 2016, arXiv:1609.08144),
equation 14.

score(Y, X) = log P(Y | X) / length_penalty(|Y|) + coverage_penalty(attention)
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nmt.errors import StrEnum

Length = TypeVar("Length", float, np.ndarray)

# An attention sum of 0 has no logarithm; this one is far below any that matters and keeps scores finite.
SMALLEST_COVERAGE = 1e-10


class LengthPenalty(StrEnum):
    """``gnmt``: ((5 + length) / 6) ** alpha. ``plain``: length ** alpha; for alpha 1 a score is the mean a token."""

    gnmt = "gnmt"
    plain = "plain"


def length_penalty(length: Length, alpha: float, form: LengthPenalty = LengthPenalty.gnmt) -> Length:
    """((5 + length) / 6) ** alpha (GNMT, Wu et al. 2016), or the plain length ** alpha.

    ``length`` is a count of tokens, the end mark included. 1 for alpha 0 and for one token; rises with the length
    for alpha > 0, so that dividing a (negative) log-probability by it favours longer sentences.
    """
    penalty: Length = (length if form == LengthPenalty.plain else (5 + length) / 6) ** alpha
    return penalty


def coverage_penalty(attention_sum: np.ndarray, source_mask: np.ndarray, beta: float) -> np.ndarray:
    """GNMT (Wu et al. 2016): beta * sum over source positions of log(min(attention received, 1)).

    ``attention_sum`` [..., src_len] is the attention that each source position got over all target steps,
    ``source_mask`` (broadcast against it) is True at real tokens. Returns [...]: never above 0, and 0 if
    every position got 1 or more.
    """
    logs = np.log(attention_sum.clip(SMALLEST_COVERAGE, 1.0))
    penalty: np.ndarray = beta * np.where(source_mask, logs, 0.0).sum(-1)
    return penalty


@dataclass(frozen=True)
class Scoring:
    """The weights of both penalties: ``alpha`` and the ``form`` of the length penalty, ``beta`` of the coverage penalty."""

    alpha: float = 0.0
    form: LengthPenalty = LengthPenalty.gnmt
    beta: float = 0.0

    def by_length(self, log_prob: np.ndarray, length: float | np.ndarray) -> np.ndarray:
        """log_prob / length_penalty"""
        scores: np.ndarray = log_prob / length_penalty(np.asarray(length, dtype=float), self.alpha, self.form)
        return scores


BY_LOG_PROB = Scoring()
