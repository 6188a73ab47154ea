"""What ``training.precision=auto`` is depends on the device; what is named is what is taken."""

import pytest
import torch

from nmt.training.config import Precision
from nmt.training.precision import has_bf16, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True, "avx2": True}, False),
        ({"neon": True}, False),
    ],
)
def test_auto_is_bf16_where_the_processor_has_it(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_bf16(CPU) is expected
    assert resolve_precision(Precision.auto, CPU) is (Precision.bf16 if expected else Precision.fp32)
    assert [resolve_precision(named, CPU) for named in (Precision.fp32, Precision.bf16)] == [Precision.fp32, Precision.bf16]


def test_auto_is_fp32_where_pytorch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision(Precision.auto, CPU) is Precision.fp32


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), Precision.fp32), ((8, 0), Precision.bf16)])
def test_auto_is_bf16_on_a_gpu_that_has_it(
    capability: tuple[int, int], expected: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision(Precision.auto, torch.device("cuda")) is expected
