"""A network as a search sees it: NumPy in, NumPy out, without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.models.seq2seq import Seq2Seq, StepOutput


@dataclass
class OnDevice:
    """The network's memory or state on its device."""

    value: Any
    device: torch.device

    @torch.inference_mode()
    def select(self, places: np.ndarray) -> OnDevice:
        """The entries at ``places`` [n] (int64)."""
        return OnDevice(self.value.select(to_device(places, self.device)), self.device)


@dataclass
class Output:
    """See ``nmt.search.base.StepOutput``."""

    output: StepOutput
    device: torch.device

    @property
    def state(self) -> OnDevice:
        return OnDevice(self.output.state, self.device)

    @property
    def attention(self) -> np.ndarray | None:
        return None if self.output.attention is None else to_host(self.output.attention)

    @torch.inference_mode()
    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        logits = self.output.logits
        top, tokens = logits.topk(min(count, logits.shape[-1]), dim=-1)
        highest = top[:, :1]
        normaliser = (logits - highest).exp_().sum(dim=-1, keepdim=True).log_().add_(highest)
        return to_host(tokens), to_host(top - normaliser)

    @torch.inference_mode()
    def log_prob(self) -> np.ndarray:
        return to_host(self.output.logits.log_softmax(dim=-1))


class TorchModel:
    """A ``nmt.search.base.Model``: ``network``, which is on ``device``. It computes in fp32 and without dropout, whatever mode
    the network is in, and leaves it in that mode.
    """

    def __init__(self, network: Seq2Seq, device: torch.device | str = "cpu") -> None:
        self.network = network
        self.device = torch.device(device)

    @torch.inference_mode()
    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> OnDevice:
        with evaluating(self.network):
            memory = self.network.encode(to_device(source, self.device), to_device(source_mask, self.device))
        return OnDevice(memory, self.device)

    @torch.inference_mode()
    def start(self, memory: OnDevice, width: int) -> OnDevice:
        with evaluating(self.network):
            return OnDevice(self.network.start(memory.value, width), self.device)

    @torch.inference_mode()
    def step(self, tokens: np.ndarray, state: OnDevice, memory: OnDevice) -> Output:
        with evaluating(self.network):
            return Output(self.network.step(to_device(tokens, self.device), state.value, memory.value), self.device)


@contextmanager
def evaluating(network: Seq2Seq) -> Iterator[None]:
    """Within the block the network is in evaluation mode, in fp32 and without gradients."""
    was_training = network.training
    if was_training:
        network.eval()
    try:
        with torch.no_grad(), torch.autocast(network.output.weight.device.type, enabled=False):
            yield
    finally:
        if was_training:
            network.train()


def to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """The values of an array, which must not change while the tensor is used."""
    return torch.from_numpy(array).to(device)


def to_host(tensor: Tensor) -> np.ndarray:
    """The values of a tensor; waits for its device."""
    array: np.ndarray = tensor.cpu().numpy()
    return array


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is a device, else the CPU. ``cuda`` without one is a ``UserError``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"`device` must be auto, cpu or cuda, but is {name} instead") from error
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"`device` must be auto, cpu or cuda, but is {name} instead")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"`device` is {name}, but this PyTorch ({torch.__version__}) finds {torch.cuda.device_count()} CUDA devices"
        )
    return device
