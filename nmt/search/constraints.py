"""What a translation must begin with, and what it must not hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.data.sequences import pad


@dataclass(frozen=True)
class Constraints:
    """What a call asks for in ids, beside the settings of the search.

    ``forbidden``: tokens that do not come. ``prefixes``, one a sentence (or none at all): what its translations begin
    with, whatever else is asked for.
    """

    forbidden: Sequence[int] = ()
    prefixes: Sequence[Sequence[int]] = ()

    def prefix_table(self, sentences: int) -> np.ndarray:
        """The prefixes, [sentences, longest], PAD after the last token of each."""
        assert len(self.prefixes) in (0, sentences)
        return pad(self.prefixes)[0] if self.prefixes else np.zeros((sentences, 0), dtype=np.int64)


UNCONSTRAINED = Constraints()


def repetitions(written: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Which tokens would complete an n-gram of this ``order`` that a row has already.

    ``written`` [rows, length] is what each row has written. Returns rows and tokens, [found] each: one of them for each
    place where a row has had its last order - 1 tokens before.
    """
    rows, length = written.shape
    places = max(length - order + 1, 0)
    again = np.ones((rows, places), dtype=bool)
    if places:
        for offset in range(order - 1):
            again &= written[:, offset : offset + places] == written[:, places + offset, None]
    row, place = again.nonzero()
    return row, written[row, place + order - 1]
