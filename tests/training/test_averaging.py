"""The moving average against its recurrence; applying it leaves the model's own weights as they were."""

import torch
from torch import nn

from nmt.training.averaging import WeightAverage

FINITE = torch.tensor(True)


def test_average_follows_its_recurrence() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.5)
    expected = model.weight.detach().clone()
    for step in range(1, 20):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 2))
        average.update(step, FINITE)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    torch.testing.assert_close(average.averages[0], expected)


def test_applied_swaps_and_gives_back() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.9)
    own = model.weight.detach().clone()
    average.averages[0].fill_(7.0)
    with average.applied():
        assert (model.weight == 7).all()
    assert torch.equal(model.weight, own) and (average.averages[0] == 7).all()


def test_decay_zero_is_no_average() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.0)
    with torch.no_grad():
        model.weight.fill_(3.0)
    average.update(1, FINITE)
    assert torch.equal(average.averages[0], model.weight)


def test_an_update_that_was_skipped_leaves_the_average_on_every_device() -> None:
    model = nn.Linear(2, 2)
    average, on_device = WeightAverage(model, decay=0.5), WeightAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.add_(1.0)
    before = average.averages[0].clone()
    average.update(20, ~FINITE)
    on_device._lerp(torch.tensor(0.0))
    assert torch.equal(average.averages[0], before) and torch.equal(on_device.averages[0], before)
    average.update(20, FINITE)
    on_device._lerp(FINITE * 0.5)
    torch.testing.assert_close(average.averages, on_device.averages)
