"""Several models as one, to any search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from nmt.errors import UserError
from nmt.search.base import StepOutput, best_of


@dataclass
class Together:
    """The memories of the models, or their states."""

    parts: list[Any]

    def select(self, places: np.ndarray) -> "Together":
        """Each at ``places`` [n] (int64)."""
        return Together([part.select(places) for part in self.parts])


@dataclass
class EnsembleOutput:
    """See ``nmt.search.base.StepOutput``."""

    outputs: list[StepOutput[Any]]

    @property
    def state(self) -> Together:
        return Together([output.state for output in self.outputs])

    @property
    def attention(self) -> np.ndarray | None:
        """The mean over the models that have one."""
        weights = [output.attention for output in self.outputs]
        some = [one for one in weights if one is not None]
        return np.mean(some, axis=0) if some else None

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        return best_of(self.log_prob(), count)

    def log_prob(self) -> np.ndarray:
        log_probs = [output.log_prob() for output in self.outputs]
        highest = np.maximum.reduce(log_probs)
        highest[highest == -np.inf] = 0  # what none of them can write
        total = np.zeros_like(highest)
        for one in log_probs:
            total += np.exp(np.subtract(one, highest, out=one), out=one)
        with np.errstate(divide="ignore"):
            mean: np.ndarray = np.log(total / len(log_probs)) + highest
        return mean


class Ensemble:
    """A ``nmt.search.base.Model`` whose probability of each next token is the mean of the ``models``', and whose attention is
    theirs. They must share their vocabularies.
    """

    def __init__(self, models: Sequence[Any]) -> None:
        self.models = models

    @property
    def device(self) -> object:
        """Where the first of them computes."""
        device: object = self.models[0].device
        return device

    @property
    def network(self) -> NoReturn:
        """There is not one."""
        raise UserError(f"only a single model can be looked into, but this is an ensemble of {len(self.models)}")

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> Together:
        return Together([model.encode(source, source_mask) for model in self.models])

    def start(self, memory: Together, width: int) -> Together:
        return Together([model.start(part, width) for model, part in zip(self.models, memory.parts, strict=True)])

    def step(self, tokens: np.ndarray, state: Together, memory: Together) -> EnsembleOutput:
        members = zip(self.models, state.parts, memory.parts, strict=True)
        return EnsembleOutput([model.step(tokens, *parts) for model, *parts in members])
