"""The settings of each command, composed from the dataclasses that stand beside the code they configure.

One module a command, so that translating does not load what training needs.
"""

from nmt.errors import StrEnum, check_range


class Device(StrEnum):
    """Where to compute; ``auto`` is CUDA if there is a device, else the CPU."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def check_at_least_one(name: str, value: int | None) -> None:
    """Raises ``UserError`` unless ``value`` is None or at least 1, and no more than the libraries can count."""
    check_range(name, value, least=1, bits=31)
