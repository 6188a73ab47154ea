"""The two penalties of GNMT."""

import math

import numpy as np
import pytest

from nmt.search.scoring import LengthPenalty, coverage_penalty, length_penalty


@pytest.mark.parametrize("form", LengthPenalty)
def test_no_length_penalty_at_alpha_zero(form: LengthPenalty) -> None:
    assert [length_penalty(float(length), 0.0, form) for length in range(1, 50)] == [1.0] * 49


@pytest.mark.parametrize("form", LengthPenalty)
@pytest.mark.parametrize("alpha", [0.2, 0.6, 1.0, 2.0])
def test_length_penalty_is_one_for_one_token_and_rises(alpha: float, form: LengthPenalty) -> None:
    penalties = length_penalty(np.arange(1.0, 100.0), alpha, form)
    assert penalties[0] == 1
    assert (np.diff(penalties) > 0).all()


def test_length_penalty_is_the_paper_s() -> None:
    assert length_penalty(7.0, 0.6) == pytest.approx((5 + 7) ** 0.6 / (5 + 1) ** 0.6)


def test_the_plain_length_penalty_is_the_length_so_that_a_score_is_a_mean() -> None:
    assert length_penalty(7.0, 1.0, LengthPenalty.plain) == 7
    assert length_penalty(9.0, 0.5, LengthPenalty.plain) == 3


def test_a_covered_source_costs_nothing_and_padding_never_does() -> None:
    attention = np.array([[1.0, 1.7, 1.2, 0.0]])
    mask = np.array([[True, True, True, False]])
    assert coverage_penalty(attention, mask, 0.7).item() == 0


def test_coverage_penalty_is_the_paper_s() -> None:
    attention = np.array([[[0.5, 1.5, 0.25], [0.1, 0.2, 0.3]]])
    mask = np.ones((1, 1, 3), dtype=bool)
    expected = [math.log(0.5 * 0.25), math.log(0.1 * 0.2 * 0.3)]
    assert coverage_penalty(attention, mask, 0.4)[0].tolist() == pytest.approx([0.4 * value for value in expected])


def test_more_attention_never_lowers_the_coverage_penalty() -> None:
    generator = np.random.default_rng(1)
    attention = generator.random((200, 6))
    more = attention + generator.random((200, 6))
    mask = np.ones((200, 6), dtype=bool)
    assert (coverage_penalty(more, mask, 0.3) >= coverage_penalty(attention, mask, 0.3)).all()
    assert (coverage_penalty(attention, mask, 0.3) < 0).all()


def test_a_position_without_any_attention_has_a_finite_penalty() -> None:
    mask = np.ones((1, 2), dtype=bool)
    assert np.isfinite(coverage_penalty(np.array([[0.0, 1.0]]), mask, 1.0)).all()
