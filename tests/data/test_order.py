"""An order is a permutation, found in parts, and random."""

import numpy as np
import pytest

from nmt.data.order import generator, permuted


@pytest.mark.parametrize("count", [*range(1, 20), 255, 256, 257, 65_537])
def test_an_order_is_a_permutation(count: int) -> None:
    order = permuted(np.arange(count), count, generator(1, 0))
    assert sorted(order.tolist()) == list(range(count))


def test_a_part_is_found_without_the_rest() -> None:
    whole = permuted(np.arange(10_000), 10_000, generator(1, 2))
    assert (permuted(np.arange(7000, 7100), 10_000, generator(1, 2)) == whole[7000:7100]).all()
    far = permuted(np.array([10**12 - 1, 5]), 10**12, generator(1, 2))
    assert far.min() >= 0 and far.max() < 10**12


def test_seeds_and_places_give_independent_orders() -> None:
    orders = [permuted(np.arange(3000), 3000, generator(seed, *place)) for seed, place in ((1, (0,)), (1, (1,)), (2, (0,)))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(orders[one], orders[other])[0, 1]) < 0.1  # five standard deviations
    draws = {generator(*place).integers(2**62) for place in ((1,), (1, 0), (1, 0, 0), (1, 0, 0, 0), (0, 1), (1, 1))}
    assert len(draws) == 6


def test_neighbours_are_spread_evenly() -> None:
    count, parts = 100_000, 50
    order = permuted(np.arange(count), count, generator(3, 0))
    found = np.histogram2d(np.arange(count), order, bins=parts)[0]
    expected = count / parts**2
    chi_square = ((found - expected) ** 2 / expected).sum()
    freedom = (parts - 1) ** 2
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5
    assert np.abs(np.diff(order)).mean() == pytest.approx(count / 3, rel=0.02)
