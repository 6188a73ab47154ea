"""Bins of a test set by the length of the source or of the reference, about equally full."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

BINS = 5


@dataclass(frozen=True)
class LengthBin:
    """The sentences of the test set that are ``low`` to ``high`` long; ``members`` [sentences] is True at these."""

    low: int
    high: int
    members: "numpy.ndarray"

    @property
    def label(self) -> str:
        return f"{self.low}–{self.high}" if self.low < self.high else str(self.low)

    @property
    def sentences(self) -> int:
        return int(self.members.sum())


def lengths_of(texts: Sequence[str], unspaced: bool) -> "numpy.ndarray":
    """The length of each of the ``texts`` [sentences]: words between spaces, or characters where the language has no spaces."""
    return numpy.array([len("".join(text.split())) if unspaced else len(text.split()) for text in texts])


def length_bins(lengths: "numpy.ndarray", bins: int = BINS) -> list[LengthBin]:
    """At most ``bins``, from the shortest ``lengths`` [sentences] to the longest, split at their quantiles.

    Sentences of one length stay together, so that there may be fewer bins. No bin is empty, and each sentence is in one.
    """
    ordered = numpy.sort(lengths)
    last = numpy.ceil(len(ordered) * numpy.arange(1, bins + 1) / bins).astype(int) - 1
    found = []
    low = int(ordered[0])
    for high in numpy.unique(ordered[last]).tolist():
        found.append(LengthBin(low, high, (lengths >= low) & (lengths <= high)))
        low = high + 1
    return found
