"""Axes hold their numbers, and their ticks are few and round."""

import math

import pytest

from nmt.pages.axis import name_axis, number_axis, round_step

RANGES = [(0, 1), (36.1, 37.9), (-3, 8000), (0.00012, 0.00019), (5, 5), (0, 0), (-2, -2), (1e6, 3.2e6)]


@pytest.mark.parametrize("numbers", RANGES)
def test_every_number_has_a_place_between_the_ends(numbers: tuple[float, float]) -> None:
    axis = number_axis(numbers, 10, 110)
    for number in numbers:
        assert 10 - 1e-6 <= axis.pixel(number) <= 110 + 1e-6
    assert axis.pixel(axis.low) == 10 and axis.pixel(axis.high) == 110


@pytest.mark.parametrize("numbers", RANGES)
def test_ticks_are_few_differ_and_say_where_they_are(numbers: tuple[float, float]) -> None:
    axis = number_axis(numbers, 0, 1)
    assert 2 <= len(axis.ticks) <= 9
    assert len({name for _, name in axis.ticks}) == len(axis.ticks)
    step = axis.ticks[1][0] - axis.ticks[0][0]
    for tick, name in axis.ticks:
        assert float(name.replace(",", "")) == pytest.approx(tick, abs=step / 1e6)


def test_pixels_may_run_upwards() -> None:
    axis = number_axis([0, 10], 100, 0)
    assert axis.pixel(0) == 100 > axis.pixel(5) > axis.pixel(10) == 0


def test_an_axis_of_nothing_still_is_one() -> None:
    assert number_axis([], 0, 1).ticks


@pytest.mark.parametrize("width", [1e-9, 0.03, 1, 6, 6.0001, 12, 59, 61, 7e12])
def test_steps_are_one_two_or_five_times_a_power_of_ten(width: float) -> None:
    step = round_step(width)
    assert any(math.isclose(step / 10 ** round(math.log10(step / factor)), factor) for factor in (1, 2, 5))
    assert width / step <= 6.0001 and width / step > 2


def test_names_stand_in_the_middle_of_equal_shares() -> None:
    axis = name_axis(["a", "b"], 0, 100)
    assert [(axis.pixel(number), name) for number, name in axis.ticks] == [(25, "a"), (75, "b")]
