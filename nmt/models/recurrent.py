"""What all recurrent layers are: a whole sequence at once, one position after another, or one position by the equations.

A state is a value, [batch, state_size]: h, or [h; c] of an LSTM. Nothing is kept between calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.models.stepwise import StepFunction, working_type

LayerFunction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A ``RecurrentLayer``, or what its ``one_by_one`` gives."""


@dataclass
class Step:
    """A cell at one position: ``state`` [batch, state_size] after it, ``gates`` by name, [batch, hidden_size] each."""

    state: Tensor
    gates: dict[str, Tensor]


class RecurrentLayer(nn.Module, ABC):
    """One layer, one direction. Recurrent matrices start orthogonal, input matrices with Glorot's uniform, gate by gate."""

    def __init__(self, hidden_size: int, state_parts: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.state_size = state_parts * hidden_size

    @abstractmethod
    def forward(self, inputs: Tensor, state: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the layer over a sequence.

        inputs [batch, length, input_size], state [batch, state_size]
        → outputs [batch, length, hidden_size], the state after the last position [batch, state_size]; with ``lengths``
        [batch] that is each sequence's own last position.
        """

    def one_by_one(self) -> LayerFunction:
        """``forward`` for one position after another of the same batch: inputs [batch, 1, input_size] each."""
        step = self.steps()

        def forward(inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            state = step(inputs.squeeze(1), state.to(working_type(inputs)))
            return state[:, : self.hidden_size].unsqueeze(1), state

        return forward

    @abstractmethod
    def steps(self) -> StepFunction:
        """What ``one_by_one`` calls: inputs [batch, input_size], state [batch, state_size] → the state after it, whose first
        ``hidden_size`` values are the output.
        """

    @abstractmethod
    def step(self, inputs: Tensor, state: Tensor) -> Step:
        """The same for one position, by the equations: inputs [batch, input_size], state [batch, state_size]."""


@contextmanager
def for_kernel(inputs: Tensor) -> Iterator[Tensor]:
    """Yields the ``inputs`` in the type in which PyTorch's kernels compute in the block: that of autocast, and on a GPU fp32
    (cuDNN's, which rounds to TF32 unless ``torch.backends.cudnn.allow_tf32`` is False).

    There autocast, whatever its type, has cuDNN compute in fp16, in which small gradients vanish. On a CPU a kernel may be
    chosen by the type before autocast, and not be there for the one after it.
    """
    device = inputs.device.type
    if device == "cuda" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            yield inputs.float()
    else:
        yield inputs.to(working_type(inputs))


def weights_of(kernel: nn.RNNBase) -> list[nn.Parameter]:
    """Input matrix, recurrent matrix, and the bias of each, gates one below the other."""
    (weights,) = kernel.all_weights
    return weights


def initialise(gates: int, input_matrix: Tensor, recurrent_matrix: Tensor) -> None:
    """Fresh weights, gate by gate."""
    for gate in recurrent_matrix.detach().chunk(gates):
        nn.init.orthogonal_(gate)
    for gate in input_matrix.detach().chunk(gates):
        nn.init.xavier_uniform_(gate)


def last_outputs(outputs: Tensor, lengths: Tensor) -> Tensor:
    """outputs [batch, length, hidden] at the last position of each sequence, lengths [batch] → [batch, hidden]."""
    return outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]


def reverse(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Turn each sequence of [batch, length, features] around within its own length; padding stays where it is."""
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    mirrored = lengths.unsqueeze(1) - 1 - positions
    source = torch.where(mirrored >= 0, mirrored, positions)
    # [batch, length] → row numbers in [batch × length, features]
    rows = source + torch.arange(inputs.shape[0], device=inputs.device).unsqueeze(1) * inputs.shape[1]
    return inputs.flatten(0, 1).index_select(0, rows.flatten()).view_as(inputs)
