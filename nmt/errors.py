"""Mistakes by the user, told in one sentence, and the enum base that Python 3.10 lacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class StrEnum(str, Enum):
    """``enum.StrEnum`` of Python 3.11, as much of it as the configuration needs."""

    def __str__(self) -> str:
        return str(self.value)


class UserError(Exception):
    """Something the user gave is wrong. The message is one sentence that names the key or file, the rule and what was found."""


_NO_MEMORY = (
    *("DefaultCPUAllocator", "CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"),
    *("Failed to allocate memory", "bad allocation", "std::bad_alloc"),
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy, PyTorch on a GPU or a CPU, ONNX Runtime or one of CUDA's libraries could not get the memory that it
    asked for.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds.isdisjoint({"MemoryError", "OutOfMemoryError"}) or any(sign in str(error) for sign in _NO_MEMORY)


@contextmanager
def enough_memory(rule: str) -> Iterator[None]:
    """If what is done in the block finds too little memory, that is a ``UserError`` which says the ``rule``."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(rule) from error


def check_range(name: str, value: int | None, least: int, bits: int) -> None:
    """Raises ``UserError`` unless ``value`` is None, or at least ``least`` and below 2**bits, which the libraries can count."""
    if value is not None and not least <= value < 2**bits:
        rule = f"at least {least}" if value < least else f"below 2**{bits}"
        raise UserError(f"`{name}` must be {rule}, but is {value} instead")


class UsageError(UserError):
    """The command line itself is wrong (exit code 2)."""
