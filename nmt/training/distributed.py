"""Training in several processes, as ``torchrun`` starts them.

Each process holds the whole model, makes every batch and trains on its share; ``DistributedDataParallel`` adds up the gradients
(over NCCL on GPUs, else gloo). What else they tell each other goes over gloo, so that no GPU has to wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as torch_distributed
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from nmt.errors import UserError
from nmt.models.torch_model import resolve_device
from nmt.training.processes import Processes
from nmt.training.randomness import seed_generators

_STEP = timedelta(minutes=10)  # for the slowest process to come to the end of a step
_PREPARATION = timedelta(days=2)  # for the leader to tokenise a large corpus; a process that ends is noticed at once

T = TypeVar("T")


class SeveralProcesses(Processes):
    """The default group of ``torch.distributed`` must be there, over gloo."""

    def __init__(self) -> None:
        super().__init__(torch_distributed.get_rank(), torch_distributed.get_world_size())
        self._patient = torch_distributed.new_group(timeout=_PREPARATION)
        self._gradients: torch_distributed.ProcessGroup | None = None  # the default one

    def device(self, name: str) -> torch.device:
        device = resolve_device(name)
        if device.type != "cuda":
            return device
        here, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        started = int(os.environ["LOCAL_WORLD_SIZE"])
        if started > count:
            raise UserError(f"torchrun must start at most one process for each CUDA device ({count}), but started {started}")
        torch.cuda.set_device(here)
        self._gradients = torch_distributed.new_group(backend="nccl", timeout=_STEP)
        return torch.device("cuda", here)

    def parallel(self, module: nn.Module, example: Any) -> nn.Module:
        wrapped = DistributedDataParallel(module, process_group=self._gradients, gradient_as_bucket_view=True)
        # It puts the gradients in another order after the first step, and with it the terms of their sums: one that goes on
        # would differ in the last bit from one that never stopped.
        wrapped(example)[0].backward()
        wrapped.zero_grad()
        return wrapped

    def exchanging(self, module: nn.Module, now: bool) -> AbstractContextManager[None]:
        assert isinstance(module, DistributedDataParallel)
        return nullcontext() if now else module.no_sync()

    def diverge(self, *seed: int) -> None:
        seed_generators(int(np.random.SeedSequence((*seed, self.rank)).generate_state(1)[0]))

    def largest(self, value: int) -> int:
        tensor = torch.tensor(value)
        torch_distributed.all_reduce(tensor, torch_distributed.ReduceOp.MAX)
        return int(tensor)

    def add_up(self, tensor: Tensor) -> Tensor:
        torch_distributed.all_reduce(tensor, group=self._gradients)
        return tensor

    def gather(self, value: T) -> list[T]:
        values: list[Any] = [None] * self.size
        torch_distributed.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        values = [value]
        torch_distributed.broadcast_object_list(values, group=self._patient)
        return values[0]

    def wait(self) -> None:
        torch_distributed.barrier(self._patient)


@contextmanager
def several_processes() -> Iterator[Processes]:
    """Meet the processes that torchrun started beside this one. An error in any ends them all, and is told by one.

    What a process raises because another one has ended becomes a ``UserError``; where an error has been told already,
    it becomes ``SystemExit``.
    """
    try:
        store, rank, size = next(rendezvous("env://", timeout=_STEP))
        torch_distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_STEP)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"the processes that torchrun starts must find each other, but can't: {error}") from error

    def is_first() -> bool:
        try:
            return bool(store.add("nmt/errors", 1) == 1)
        except RuntimeError:  # torchrun itself has ended
            return True

    try:
        yield SeveralProcesses()
    except KeyboardInterrupt:
        if is_first():
            raise
        raise SystemExit(130) from None
    except (UserError, OSError) as error:
        if is_first():
            raise
        raise SystemExit(1) from error
    except RuntimeError as error:
        first = is_first()
        if not isinstance(error, torch_distributed.DistError) and "gloo" not in str(error):
            raise
        if not first:
            raise SystemExit(1) from error
        raise UserError(f"process {rank} of {size} has lost another one, which was killed or failed") from error
    except Exception:
        is_first()
        raise
    torch_distributed.destroy_process_group()
