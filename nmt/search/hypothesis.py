"""What a search finds."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Hypothesis:
    """One translation of one sentence.

    ``tokens`` without BOS and EOS; ``log_prob`` the model's log-probability (natural logarithm, summed, the
    end mark's included); ``score`` the log_prob after penalties, which is what hypotheses are ranked by:
    higher is better. ``attention`` [steps, src_len]: steps is len(tokens) + 1, the end mark
    having its row, and src_len is the sentence's own length, its end mark included; None if not asked for or
    if the model has none. ``finished`` is False if the hypothesis was cut at the maximal length: then it has
    no end mark, neither in log_prob nor in attention. ``repeating``: it ran to that length in a loop, of which tokens
    and attention have the first round only, but log_prob and score all.
    """

    tokens: list[int]
    log_prob: float
    score: float
    attention: np.ndarray | None = None
    finished: bool = True
    repeating: bool = False
