"""The context gate is its equation."""

import torch

from nmt.models.context_gate import ContextGate


def test_the_gate_is_its_equation() -> None:
    torch.manual_seed(1)
    gate = ContextGate(read_size=7, context_size=3, feature_size=5)
    read, context, target = torch.randn(2, 4, 7), torch.randn(2, 4, 3), torch.randn(2, 4, 5)
    share = 1 / (1 + torch.exp(-(read @ gate.share.weight.T + gate.share.bias)))
    expected = (1 - share) * target + share * (context @ gate.source.weight.T)
    torch.testing.assert_close(gate(read, context, target), expected)
