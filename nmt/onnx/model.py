"""The exported functions as a search sees them: needs ONNX Runtime and NumPy, not PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from nmt.errors import UserError
from nmt.model_directory import ONNX, LoadedModel
from nmt.plain_data import read_bytes
from nmt.shortlist import Shortlist

if TYPE_CHECKING:
    from nmt.models.seq2seq import Seq2Seq

ENCODE, PROJECT = "encode.onnx", "project.int8.onnx"
STEP, STEP_8_BIT, STEP_SHORTLISTED = "step.fp32.onnx", "step.int8.onnx", "step.int8.shortlist.onnx"

Arrays = dict[str, np.ndarray]


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


class OnnxOutput:
    """See ``nmt.search.base.StepOutput``. The step is made when the first question says what of it is wanted."""

    def __init__(self, model: OnnxModel, arguments: Arrays) -> None:
        self._model = model
        self._arguments = arguments
        self._found: Arrays = {}

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        candidates = self._arguments.get("candidates")
        largest = self._model.vocab_size if candidates is None else len(candidates)
        self._arguments["count"] = np.array([min(count, largest)])
        self._run("next_tokens", "next_log_prob")
        return self._found["next_tokens"], self._found["next_log_prob"]

    def log_prob(self) -> np.ndarray:
        self._run("logits", "normaliser")
        found = self._found["logits"] - self._found["normaliser"]
        if "candidates" not in self._arguments:
            return found
        log_prob = np.full((len(found), self._model.vocab_size), -np.inf, dtype=np.float32)
        log_prob[:, self._arguments["candidates"]] = found
        return log_prob

    @property
    def attention(self) -> np.ndarray | None:
        """The mean over heads."""
        if "attention" not in self._model.outputs:
            return None
        if not self._found:
            self._run()
        attention: np.ndarray = self._found["attention"].mean(axis=2)
        return attention.reshape(-1, attention.shape[-1])

    @property
    def state(self) -> OnnxState:
        if not self._found:
            self._run()
        arrays = {name.removeprefix("next_"): self._found[name] for name in self._model.next_state}
        return OnnxState(arrays, np.arange(len(self._arguments["tokens"])))

    def _run(self, *wanted: str) -> None:
        names = [*wanted, *self._model.always]
        self._found |= dict(zip(names, self._model.run_step(names, self._arguments), strict=True))


class OnnxModel:
    """A ``nmt.search.base.Model`` on the CPU: the exported functions of a model, computed by ``threads`` threads (0: as many as
    there are cores). ``quantised``: with 8-bit products. A ``shortlist``, which needs these, decides for each batch which target
    pieces there are.
    """

    def __init__(self, loaded: LoadedModel, quantised: bool, threads: int, shortlist: Shortlist | None = None) -> None:
        folder = loaded.directory / ONNX
        step = STEP_SHORTLISTED if shortlist else STEP_8_BIT if quantised else STEP
        self._encode, self._step = session(folder / ENCODE, threads), session(folder / step, threads)
        self._project = session(folder / PROJECT, threads) if shortlist else None
        self._shortlist = shortlist
        self._loaded = loaded
        self.device = "cpu, ONNX Runtime" + ", 8 bits" * quantised + ", shortlist" * bool(shortlist)
        self.vocab_size = len(loaded.tokenizers.target)
        self.outputs = {output.name: output.shape for output in self._step.get_outputs()}
        self._inputs = {value.name: value.shape for value in self._step.get_inputs()}
        self.next_state = [name for name in self.outputs if name.startswith(("next_state", "next_feed"))]
        self.always = [*self.next_state, *(["attention"] if "attention" in self.outputs else [])]

    @property
    def network(self) -> Seq2Seq:
        """The network itself, which takes PyTorch."""
        return self._loaded.model

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> OnnxMemory:
        lengths = source_mask.sum(axis=1).astype(np.int32)
        keys, values, initial = self._encode.run(["keys", "values", "initial"], {"source": source, "lengths": lengths})
        mask = np.where(source_mask, np.float32(0), np.float32(-np.inf))[:, None, None]
        return OnnxMemory({"keys": keys, "values": values, "mask": mask, "initial": initial}, self._projection(source))

    def _projection(self, source: np.ndarray) -> Arrays:
        """The shortlist of a batch, and the part of the output projection that is its."""
        if self._shortlist is None or self._project is None:
            return {}
        candidates = self._shortlist.candidates(source)
        names = ["levels", "scale", "bias"]
        return {"candidates": candidates, **dict(zip(names, self._project.run(names, {"candidates": candidates}), strict=True))}

    def start(self, memory: OnnxMemory, width: int) -> OnnxState:
        initial = memory.arrays["initial"]
        arrays = {f"state{i}": np.ascontiguousarray(initial[:, i]) for i in range(initial.shape[1])}
        if "feed" in self._inputs:
            arrays["feed"] = np.zeros((len(initial), self._inputs["feed"][1]), dtype=np.float32)
        return OnnxState(arrays, np.repeat(np.arange(len(initial)), width))

    def step(self, tokens: np.ndarray, state: OnnxState, memory: OnnxMemory) -> OnnxOutput:
        sentences, _, _, src_len = memory.arrays["mask"].shape
        width = len(tokens) // sentences
        positions = memory.arrays["values"].shape[1]
        arguments = {
            "tokens": tokens,
            "parents": state.parents,
            **state.arrays,
            **memory.arrays,
            **memory.shared,
            "width": np.array([sentences, width, -1]),
            "heads": np.array([sentences, width, max(1, positions // max(1, src_len)), src_len]),
            "count": np.array([1]),
        }
        return OnnxOutput(self, {name: array for name, array in arguments.items() if name in self._inputs})

    def run_step(self, names: list[str], arguments: Arrays) -> list[np.ndarray]:
        """The outputs ``names`` of the function ``step``."""
        found: list[np.ndarray] = self._step.run(names, arguments)
        return found


def session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """The function in ``file``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Without VNNI, products of 8 bits overflow unless they are done another way.
    options.add_session_config_entry("session.x64quantprecision", "1")
    content = read_bytes(file)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own have no common base
        raise UserError(f"`{file}` is damaged or no ONNX file: export the model again") from error
