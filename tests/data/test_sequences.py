"""Sequences end to end are the lists they were made of."""

import numpy as np
import pytest

from nmt.data.sequences import Sequences

LISTS = [[3, 1, 4], [], [1], [5, 9], []]


@pytest.mark.parametrize("lists", [LISTS, [[]], [], [[7]]])
def test_lists_come_back(lists: list[list[int]]) -> None:
    sequences = Sequences.of(lists)
    assert len(sequences) == len(lists)
    assert sequences.tolist() == lists
    assert sequences.lengths.tolist() == [len(one) for one in lists]
    assert sequences.begun_by(8).tolist() == [[8, *one] for one in lists]
    assert sequences.ended_by(8).tolist() == [[*one, 8] for one in lists]


@pytest.mark.parametrize("indices", [[], [0], [1, 4], [4, 3, 2, 1, 0], [3, 3, 0]])
def test_taking_and_joining_are_those_of_lists(indices: list[int]) -> None:
    taken = Sequences.of(LISTS).take(np.array(indices, dtype=np.int64))
    assert taken.tolist() == [LISTS[i] for i in indices]
    assert Sequences.joined([taken, Sequences.of(LISTS)]).tolist() == [*taken.tolist(), *LISTS]
