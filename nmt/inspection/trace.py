"""Recurrent layers from inside: their inputs are watched while the model runs, then their equations recomputed.

The fused kernels give nothing but their outputs. ``RecurrentLayer.step`` computes the same, one position at a time, with the
gates; what it is computed from is taken from the running model, so that there is no second description of how layers are
wired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nmt.models.context_gate import ContextGate
from nmt.models.recurrent import RecurrentLayer


@dataclass
class Trace:
    """A layer over one sequence, in the order in which it reads: ``states`` [length, state_size] after each position, and by
    name the ``gates`` [length, hidden] there.
    """

    states: Tensor
    gates: dict[str, Tensor]


@dataclass
class Watch:
    """What a layer was given over one sequence, in one call or in many that go on from each other.

    ``inputs`` and ``outputs`` [1, length, size] of each call; ``start`` [1, state_size], the state before the first.
    """

    layer: RecurrentLayer
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    start: Tensor | None = None

    def note(self, _: Any, arguments: tuple[Any, ...], result: tuple[Tensor, Tensor]) -> None:
        """A forward hook; see ``RecurrentLayer.forward`` for arguments and result."""
        if self.start is None:
            self.start = arguments[1]
        self.inputs.append(arguments[0])
        self.outputs.append(result[0])

    def trace(self) -> Trace:
        """The same again by the equations."""
        assert self.start is not None, "the layer was not called"
        inputs = torch.cat(self.inputs, dim=1)
        state = self.start.to(inputs.dtype)
        steps = []
        for position in inputs.unbind(dim=1):
            step = self.layer.step(position, state)
            state = step.state
            steps.append(step)
        # [1, size] a position → [length, size]
        gates = {name: torch.cat([step.gates[name] for step in steps]) for name in steps[0].gates}
        return Trace(torch.cat([step.state for step in steps]), gates)


@contextmanager
def watching(layers: Iterable[RecurrentLayer]) -> Iterator[list[Watch]]:
    """Within the block, what the ``layers`` are given; one watch a layer, in their order."""
    watches = [Watch(layer) for layer in layers]
    handles = [watch.layer.register_forward_hook(watch.note) for watch in watches]
    try:
        yield watches
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def watching_gate(gate: ContextGate | None) -> Iterator[list[Tensor]]:
    """Within the block, how far the ``gate`` opens, [1, length, feature_size] of each call; nothing if there is none."""
    opened: list[Tensor] = []
    if gate is None:
        yield opened
        return
    handle = gate.register_forward_hook(lambda gate, arguments, _: opened.append(gate.gate(arguments[0])))
    try:
        yield opened
    finally:
        handle.remove()
