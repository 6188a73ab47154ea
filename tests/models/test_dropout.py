"""Dropout's laws: the right share, the same mean, the same mask where it is shared, nothing in evaluation."""

import torch

from nmt.models.dropout import Dropout


def test_share_and_scale() -> None:
    torch.manual_seed(1)
    dropped = Dropout(0.3)(torch.ones(400, 500))
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert abs((dropped == 0).float().mean().item() - 0.3) < 0.005
    assert abs((dropped == 0).float().mean(0).std().item() - (0.3 * 0.7 / 400) ** 0.5) < 0.002  # columns are independent


def test_nearly_all_can_be_dropped() -> None:
    assert Dropout(0.999999)(torch.ones(1000)).count_nonzero() < 10


def test_mask_is_shared_along_the_named_dimension() -> None:
    dropped = Dropout(0.5, shared=1)(torch.ones(20, 7, 30))
    assert (dropped == dropped[:, :1]).all()
    assert 0.4 < (dropped == 0).float().mean() < 0.6


def test_seed_gives_the_same_mask_and_another_call_another() -> None:
    dropout = Dropout(0.5)
    torch.manual_seed(3)
    first, second = dropout(torch.ones(100)), dropout(torch.ones(100))
    torch.manual_seed(3)
    assert (dropout(torch.ones(100)) == first).all()
    assert (first != second).any()


def test_evaluation_and_zero_change_nothing() -> None:
    inputs = torch.randn(5, 5)
    assert Dropout(0.5).eval()(inputs) is inputs
    assert Dropout(0.0)(inputs) is inputs
