"""chrF (Popović 2015) of every text of a few against every other, as sacreBLEU counts it, but by arrays."""

from collections.abc import Sequence

import numpy as np

ORDER = 6  # the longest n-grams, in characters
BETA = 2  # recall counts so many times as much as precision


def pairwise_chrf(texts: Sequence[str]) -> np.ndarray:
    """chrF2 in percent of each text (rows) with each as its reference (columns): [texts, texts].

    What sacreBLEU's ``sentence_chrf`` gives for the pair: n-grams of 1 to 6 characters without white space, precision
    and recall each averaged over the orders that both texts have n-grams of; 0 if there are none.
    """
    bare = ["".join(text.split()) for text in texts]
    owner = np.repeat(np.arange(len(bare)), [len(text) for text in bare])
    code_points = np.frombuffer("".join(bare).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    characters = _numbered(code_points)
    starts, grams = np.arange(len(characters)), characters
    precision, recall, orders = np.zeros((3, len(bare), len(bare)))
    for order in range(1, ORDER + 1):
        if order > 1:
            # An n-gram is one of n - 1 and the character after it, where that is of the same text still.
            ends = starts + order - 1
            within = ends < len(owner)
            within[within] = owner[ends[within]] == owner[starts[within]]
            starts = starts[within]
            grams = _numbered(grams[within] * (len(characters) + 1) + characters[starts + order - 1])
        if not len(starts):
            break
        counts = _counts(owner[starts], grams, len(bare))
        totals = counts.sum(axis=1)
        both = (totals > 0)[:, None] & (totals > 0)
        matches = _matches(counts.astype(np.int32))
        precision += np.divide(matches, totals[:, None], out=np.zeros_like(precision), where=both)
        recall += np.divide(matches, totals, out=np.zeros_like(recall), where=both)
        orders += both
    # The means' common denominator, the number of orders, is taken in at the end.
    weighted = (BETA**2 * precision + recall) * orders
    score = (1 + BETA**2) * precision * recall
    return 100 * np.divide(score, weighted, out=np.zeros_like(score), where=weighted > 0)


def _numbered(values: np.ndarray) -> np.ndarray:
    """Equal values as equal numbers from 0 on."""
    numbers: np.ndarray = np.unique(values, return_inverse=True)[1]
    return numbers.astype(np.int64)


def _counts(owner: np.ndarray, grams: np.ndarray, texts: int) -> np.ndarray:
    """How often each text has each n-gram, [texts, n-grams]."""
    kinds = int(grams.max()) + 1
    return np.bincount(owner * kinds + grams, minlength=texts * kinds).reshape(texts, kinds)


def _matches(counts: np.ndarray) -> np.ndarray:
    """How many n-grams two texts have in common, [texts, texts]: the sum of the lesser counts.

    Not by matrix products: NumPy's take all cores, whatever ``num_threads`` says, and wait for one another.
    """
    return np.array([np.minimum(counts, row).sum(axis=1) for row in counts])
