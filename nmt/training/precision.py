"""Whether products in bf16 pay on the device at hand."""

from collections.abc import Mapping

import torch

from nmt.training.config import Precision


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for products in bf16; without them these take several times as long as in fp32.

    Of CPUs only x86 is known. A PyTorch without ``torch.cpu.get_capabilities`` does not tell, and the answer is no.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """``auto`` is bf16 where the device has instructions for it, else fp32; what is named is what is taken."""
    if precision is not Precision.auto:
        return precision
    return Precision.bf16 if has_bf16(device) else Precision.fp32
