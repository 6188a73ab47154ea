"""The moving average against its recurrence; applying it leaves the model's own weights as they were."""

import torch
from torch import nn

from nmt.training.averaging import WeightAverage


def test_average_follows_its_recurrence() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.5)
    expected = model.weight.detach().clone()
    for step in range(1, 20):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 2))
        average.update(step)
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
    average.update(1)
    assert torch.equal(average.averages[0], model.weight)
