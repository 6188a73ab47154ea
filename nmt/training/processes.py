"""The processes that train one model: what all of them decide together, and the case of a single one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nmt.models.torch_model import resolve_device

T = TypeVar("T")
R = TypeVar("R")


class Processes(ABC):
    """The ``size`` processes that train one model; this is number ``rank``. All must call each method at the same place."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size

    @property
    def is_leader(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    @abstractmethod
    def device(self, name: str) -> torch.device:
        """The device of this process by its name in the configuration: with ``cuda`` one for each process."""

    @abstractmethod
    def parallel(self, module: nn.Module, example: Any) -> nn.Module:
        """``module``, whose gradients are those of all processes, averaged. All start from the leader's weights.

        ``module(example)`` must give the loss first.
        """

    @abstractmethod
    def exchanging(self, module: nn.Module, now: bool) -> AbstractContextManager[None]:
        """Forward and backward of a ``parallel`` module: unless ``now``, its gradients are added up here until it is time."""

    @abstractmethod
    def diverge(self, *seed: int) -> None:
        """Give each process random numbers of its own; a single one goes on with those it has."""

    @abstractmethod
    def largest(self, value: int) -> int:
        """The largest of the processes' values."""

    @abstractmethod
    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum of the processes' tensors, on their devices. Waits for no GPU."""

    @abstractmethod
    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""

    @abstractmethod
    def broadcast(self, value: T) -> T:
        """The leader's value."""

    @abstractmethod
    def wait(self) -> None:
        """Until all have come here."""

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The others enter the block when the leader has left it, and find in the cache what it made."""
        if not self.is_leader:
            self.wait()
        yield
        if self.is_leader:
            self.wait()

    def agree_on(self, value: object) -> bool:
        """Whether all processes have the same value."""
        return all(other == value for other in self.gather(value))

    def map(self, function: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
        """``function(items)``, one result an item, each process having done its share."""
        results: list[Any] = [None] * len(items)
        for rank, share in enumerate(self.gather(function(items[self.rank :: self.size]))):
            results[rank :: self.size] = share
        return results


class OneProcess(Processes):
    """Without torchrun: nothing to agree on."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def device(self, name: str) -> torch.device:
        return resolve_device(name)

    def parallel(self, module: nn.Module, example: Any) -> nn.Module:
        return module

    def exchanging(self, module: nn.Module, now: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def diverge(self, *seed: int) -> None:
        pass

    def largest(self, value: int) -> int:
        return value

    def add_up(self, tensor: Tensor) -> Tensor:
        return tensor

    def gather(self, value: T) -> list[T]:
        return [value]

    def broadcast(self, value: T) -> T:
        return value

    def wait(self) -> None:
        pass


ONE_PROCESS = OneProcess()
