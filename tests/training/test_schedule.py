"""Schedules: the warm-up, the peak and the way down."""

from itertools import pairwise

import pytest

from nmt.errors import UserError
from nmt.training.schedule import SCHEDULES, Cosine, InverseSquareRoot, Schedule, WarmupStableDecay


@pytest.mark.parametrize("kind", list(SCHEDULES.values()))
def test_warm_up_is_linear_and_nothing_exceeds_the_peak(kind: type[Schedule]) -> None:
    schedule = kind(warmup_steps=10)
    factors = [schedule(step, 100) for step in range(1, 101)]
    assert factors[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert max(factors) == factors[9] == 1
    assert all(later <= earlier for earlier, later in pairwise(factors[9:]))


def test_inverse_square_root() -> None:
    assert InverseSquareRoot(warmup_steps=100)(400, 1000) == pytest.approx(0.5)


def test_cosine_is_half_way_in_the_middle_and_final_at_the_end_and_after() -> None:
    schedule = Cosine(warmup_steps=10, final=0.2)
    assert schedule(60, 110) == pytest.approx(0.6)
    assert schedule(110, 110) == schedule(200, 110) == pytest.approx(0.2)


def test_the_stable_rate_depends_on_the_end_only_while_it_descends() -> None:
    schedule = WarmupStableDecay(warmup_steps=10, decay_steps=40)
    assert [schedule(step, 100) for step in range(10, 62)] == [1.0] * 52
    assert schedule(71, 100) == pytest.approx(0.5) and 0 < schedule(100, 100) < 0.02 and schedule(120, 100) == 0
    assert schedule(71, 200) == 1
    assert WarmupStableDecay(warmup_steps=10, decay_steps=400)(111, 110) == 0


def test_decay_steps_must_be_positive() -> None:
    with pytest.raises(UserError, match="`schedule.decay_steps` must be at least 1, but is 0 instead"):
        WarmupStableDecay(decay_steps=0)


def test_warm_up_must_be_positive() -> None:
    with pytest.raises(UserError, match="`schedule.warmup_steps` must be at least 1, but is 0 instead"):
        Cosine(warmup_steps=0)
