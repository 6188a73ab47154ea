"""The bins share the sentences among them."""

import numpy
import pytest

from nmt.evaluation.lengths import BINS, length_bins, lengths_of

GENERATOR = numpy.random.default_rng(1)


@pytest.mark.parametrize(
    "lengths",
    [
        [3],
        [0, 0, 0],
        [1, 2],
        [5] * 50 + [9],
        list(range(100)),
        GENERATOR.poisson(12, 1000).tolist(),
        GENERATOR.geometric(0.1, 77).tolist(),
    ],
)
def test_every_sentence_is_in_one_bin_and_no_bin_is_empty(lengths: list[int]) -> None:
    bins = length_bins(numpy.array(lengths))
    assert (sum(one.members.astype(int) for one in bins) == 1).all()
    assert 1 <= len(bins) <= BINS
    for one in bins:
        assert one.sentences > 0
        assert one.members.tolist() == [one.low <= length <= one.high for length in lengths]
    assert (bins[0].low, bins[-1].high) == (min(lengths), max(lengths))


def test_bins_are_about_equally_full_and_adjoin() -> None:
    bins = length_bins(numpy.arange(1000))
    assert [one.sentences for one in bins] == [200] * 5
    assert [one.label for one in bins] == ["0–199", "200–399", "400–599", "600–799", "800–999"]


def test_a_bin_of_one_length_is_called_by_it() -> None:
    assert [one.label for one in length_bins(numpy.array([4, 4, 4]))] == ["4"]


def test_length_is_in_words_or_where_there_are_none_in_characters() -> None:
    assert lengths_of(["a  b c", "", " x "], unspaced=False).tolist() == [3, 0, 1]
    assert lengths_of(["我有 猫。", ""], unspaced=True).tolist() == [4, 0]
