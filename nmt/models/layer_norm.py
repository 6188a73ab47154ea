"""Layer normalisation whose gradients survive bf16 on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class LayerNorm(nn.Module):
    """γ (x − mean) / √(variance + ε) + β over the features (Ba et al. 2016), computed in the type of γ and β.

    Of bf16 inputs PyTorch (2.13) adds up the gradients of γ and β in bf16 on a CPU: over thousands of tokens they come
    out at half of their length, and the later tokens hardly count.
    """

    def __init__(self, size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x [..., size] → the same shape and type."""
        return functional.layer_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, self.bias, self.eps).to(x.dtype)
