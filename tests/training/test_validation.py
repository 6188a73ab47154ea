"""Which sentences a validation translates; what it measures is tested with the job and the loop."""

from itertools import pairwise

import pytest

from nmt.training.validation import evenly


@pytest.mark.parametrize(
    ("texts", "limit", "chosen"), [("abc", 9, "abc"), ("abc", 3, "abc"), ("abcdefghij", 4, "acfh"), ("abcd", 1, "a")]
)
def test_of_many_sentences_some_at_equal_distances_are_translated(texts: str, limit: int, chosen: str) -> None:
    assert evenly(list(texts), limit) == list(chosen)


def test_sorted_sentences_are_translated_from_one_end_to_the_other() -> None:
    chosen = [int(text) for text in evenly([str(length) for length in range(7001)], 2000)]
    gaps = {after - before for before, after in pairwise(chosen)}
    assert len(chosen) == 2000 and gaps == {3, 4} and chosen[-1] >= 6996
