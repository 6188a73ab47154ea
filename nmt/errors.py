"""Mistakes by the user, told in one sentence, and the enum base that Python 3.10 lacks."""

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


class UsageError(UserError):
    """The command line itself is wrong (exit code 2)."""
