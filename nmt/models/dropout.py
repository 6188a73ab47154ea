"""Dropout whose mask costs little on a CPU, of single values or of whole tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """Zero values with probability ``p`` in training and scale the rest by 1 / (1 − p) (Srivastava et al. 2014).

    ``shared`` names a dimension along which the mask is the same: features, where whole tokens are dropped.

    PyTorch draws one number of its generator a value, which takes a tenth of a training step on a CPU; here four
    16-bit numbers come out of each draw, so p is rounded to a multiple of 2⁻¹⁶.
    """

    def __init__(self, p: float, shared: int | None = None) -> None:
        super().__init__()
        self.p = p
        self.shared = shared

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs of any shape → the same shape and type."""
        if not self.training or self.p == 0:
            return inputs
        shape = list(inputs.shape)
        if self.shared is not None:
            shape[self.shared] = 1
        elif inputs.device.type != "cpu":
            return functional.dropout(inputs, self.p)
        return inputs * keep_mask(shape, self.p, inputs.device).to(inputs.dtype).mul_(1 / (1 - self.p))


def keep_mask(shape: list[int], p: float, device: torch.device) -> Tensor:
    """A boolean tensor whose values are True with probability 1 − p, to 2⁻¹⁶."""
    count = 1
    for size in shape:
        count *= size
    # [draws] int64 → [4 × draws] int16, cut to count
    draws = torch.empty((count + 3) // 4, dtype=torch.int64, device=device).random_(-(2**63), None)
    return (draws.view(torch.int16)[:count] >= min(round(p * 2**16), 2**16 - 1) - 2**15).view(shape)
