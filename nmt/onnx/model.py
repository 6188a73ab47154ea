"""The exported functions as a search sees them: needs ONNX Runtime and NumPy, not PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nmt.model_directory import ONNX, LoadedModel
from nmt.onnx import ENCODE, ENCODE_8_BIT, PROJECT, STEP, STEP_8_BIT, STEP_SHORTLISTED
from nmt.onnx.function import Arrays, Function, has_vnni
from nmt.shortlist import Shortlist
from nmt.tokenizer import PAD

if TYPE_CHECKING:
    from nmt.models.seq2seq import Seq2Seq

FEW = 4
"""Sources: fewer are encoded faster by the fp32 operators for whole sentences than by 8-bit products position by position."""


@dataclass
class OnnxMemory:
    """keys, values and mask of ``step``, and initial of ``encode``: an entry a sentence; the rest is the whole batch's."""

    arrays: Arrays
    shared: Arrays

    def select(self, sentences: np.ndarray) -> OnnxMemory:
        """The memory of these sentences (indices [n], int64)."""
        return OnnxMemory({name: array[sentences] for name, array in self.arrays.items()}, self.shared)


@dataclass
class OnnxState:
    """state0 … and feed as the last step left them, and which row of them each row goes on."""

    arrays: Arrays
    parents: np.ndarray

    def select(self, rows: np.ndarray) -> OnnxState:
        """The state of these rows (indices [n], int64, repeats allowed)."""
        return OnnxState(self.arrays, self.parents[rows])


@dataclass
class Layout:
    """Which of the search's rows there is something to compute for: only these are rows of ``step``.

    live [rows]: their numbers; cells [sentences, width] and places [rows, 2]: see ``nmt.onnx.step``.
    """

    live: np.ndarray
    cells: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, live: np.ndarray, sentences: int, width: int) -> Layout:
        """Of these rows of sentences × width."""
        cells = np.zeros(sentences * width, dtype=np.int64)
        cells[live] = np.arange(len(live))
        return cls(live, cells.reshape(sentences, width), np.stack(np.divmod(live, width), axis=1))

    @classmethod
    @lru_cache(maxsize=64)
    def full(cls, sentences: int, width: int) -> Layout:
        """Of all rows."""
        return cls.of(np.arange(sentences * width), sentences, width)

    def spread(self, found: np.ndarray, nothing: float) -> np.ndarray:
        """found [live, …] → [sentences × width, …], which is ``nothing`` elsewhere."""
        if len(self.live) == self.cells.size:
            return found
        spread = np.full((self.cells.size, *found.shape[1:]), nothing, dtype=found.dtype)
        spread[self.live] = found
        return spread


class OnnxOutput:
    """See ``nmt.search.base.StepOutput``. The step is made when the first question says what of it is wanted."""

    def __init__(self, model: OnnxModel, arguments: Arrays, layout: Layout) -> None:
        self._model = model
        self._arguments = arguments
        self._layout = layout
        self._found: Arrays = {}

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        candidates = self._arguments.get("candidates")
        largest = self._model.vocab_size if candidates is None else len(candidates)
        self._arguments["count"] = np.array([min(count, largest)])
        self._run("next_tokens", "next_log_prob")
        tokens, log_prob = self._found["next_tokens"], self._found["next_log_prob"]
        tokens = tokens if candidates is None else candidates[tokens]
        return self._layout.spread(tokens, PAD), self._layout.spread(log_prob, -np.inf)

    def log_prob(self) -> np.ndarray:
        self._arguments["count"] = np.array([1])
        self._run("log_prob")
        found = self._layout.spread(self._found["log_prob"], -np.inf)
        if "candidates" not in self._arguments:
            return found
        log_prob = np.full((len(found), self._model.vocab_size), -np.inf, dtype=np.float32)
        log_prob[:, self._arguments["candidates"]] = found
        return log_prob

    @property
    def attention(self) -> np.ndarray | None:
        """The mean over heads."""
        if "attention" not in self._model.always:
            return None
        attention: np.ndarray = self._always("attention").mean(axis=1)
        return attention.reshape(-1, attention.shape[-1])

    @property
    def state(self) -> OnnxState:
        arrays = {name.removeprefix("next_"): self._always(name) for name in self._model.next_state}
        return OnnxState(arrays, self._layout.cells.ravel())

    def _always(self, name: str) -> np.ndarray:
        if not self._found:
            self.best(1)
        return self._found[name]

    def _run(self, *wanted: str) -> None:
        self._found |= self._model.function(self._arguments, *wanted, *self._model.always)


class OnnxModel:
    """A ``nmt.search.base.Model`` on the CPU: the exported functions of a model, computed by ``threads`` threads (0: as many as
    there are cores). ``quantised``: with 8-bit products. A ``shortlist``, which needs these, decides for each batch which target
    pieces there are.
    """

    def __init__(self, loaded: LoadedModel, quantised: bool, threads: int, shortlist: Shortlist | None = None) -> None:
        folder = loaded.directory / ONNX
        self._encode = Function(folder / ENCODE, threads)
        self._encode_many = Function(folder / ENCODE_8_BIT, threads) if quantised else self._encode
        self._project = Function(folder / PROJECT, threads) if shortlist else None
        self.function = Function(folder / (STEP_SHORTLISTED if shortlist else STEP_8_BIT if quantised else STEP), threads)
        self._shortlist = shortlist
        self._loaded = loaded
        self.device = "cpu, ONNX Runtime" + ", 8 bits" * quantised + ", shortlist" * bool(shortlist)
        self.vocab_size = len(loaded.tokenizers.target)
        outputs = self.function.outputs
        self.next_state = [name for name in outputs if name.startswith(("next_state", "next_feed"))]
        self.always = [*self.next_state, *(name for name in outputs if name == "attention")]

    @property
    def network(self) -> Seq2Seq:
        """The network itself, which takes PyTorch."""
        return self._loaded.model

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> OnnxMemory:
        lengths = source_mask.sum(axis=1).astype(np.int32)
        encode = self._encode if len(source) < FEW else self._encode_many
        memory = encode({"source": source, "lengths": lengths, "mask": source_mask})
        memory["mask"] = np.where(source_mask, np.float32(0), np.float32(-np.inf))[:, None, None]
        return OnnxMemory(memory, self._projection(source))

    def _projection(self, source: np.ndarray) -> Arrays:
        """The shortlist of a batch, and the part of the output projection that is its."""
        if self._shortlist is None or self._project is None:
            return {}
        candidates = self._shortlist.candidates(source)
        projection = self._project({"candidates": candidates})
        if not has_vnni():  # what ONNX Runtime does about overflow it does to constants alone
            projection["levels"] = np.rint(projection["levels"] * np.float32(0.5)).astype(np.int8)
            projection["scale"] *= 2
        return {"candidates": candidates, **projection}

    def start(self, memory: OnnxMemory, width: int) -> OnnxState:
        initial = memory.arrays["initial"]
        arrays = {f"state{i}": np.ascontiguousarray(initial[:, i]) for i in range(initial.shape[1])}
        if "feed" in self.function.inputs:
            arrays["feed"] = np.zeros((len(initial), self.function.inputs["feed"][1]), dtype=np.float32)
        return OnnxState(arrays, np.repeat(np.arange(len(initial)), width))

    def step(self, tokens: np.ndarray, state: OnnxState, memory: OnnxMemory) -> OnnxOutput:
        sentences = len(memory.arrays["mask"])
        width = len(tokens) // sentences
        layout, parents = Layout.full(sentences, width), state.parents
        live = (tokens != PAD).nonzero()[0]
        if len(live) < len(tokens):
            layout, tokens, parents = Layout.of(live, sentences, width), tokens[live], parents[live]
        rows = {"tokens": tokens, "parents": parents, "cells": layout.cells, "places": layout.places}
        return OnnxOutput(self, {**rows, **state.arrays, **memory.arrays, **memory.shared}, layout)
