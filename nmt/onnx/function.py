"""One exported function, computed by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime

from nmt.errors import UserError
from nmt.plain_data import read_bytes

Arrays = dict[str, np.ndarray]


class Function:
    """An exported function, computed by ``threads`` threads (0: as many as there are cores)."""

    def __init__(self, file: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not has_vnni():  # then products of 8 bits overflow unless they are done another way, which takes twice the time
            options.add_session_config_entry("session.x64quantprecision", "1")
        # Slower than the two operators that it joins.
        unwanted = ["SkipLayerNormFusion"]
        try:
            content = read_bytes(file)
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], disabled_optimizers=unwanted
            )
        except Exception as error:  # ONNX Runtime's own have no common base
            reason = str(error).partition("\n")[0]
            raise UserError(f"`{file}` is missing, damaged or no ONNX file ({reason}): export the model again") from error
        self.inputs = {value.name: value.shape for value in self._session.get_inputs()}
        self.outputs = [value.name for value in self._session.get_outputs()]

    def __call__(self, arguments: Mapping[str, np.ndarray], *names: str) -> Arrays:
        """The outputs of these ``names`` (all, if there are none) for those of the arguments that it has."""
        wanted = names or self.outputs
        found = self._session.run(wanted, {name: arguments[name] for name in self.inputs})
        return dict(zip(wanted, found, strict=True))


@lru_cache
def has_vnni() -> bool:
    """Whether the processor is known to multiply 8 bits without overflow, as Linux tells of x86."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return any("vnni" in line for line in lines if line.startswith("flags"))
    except OSError:
        return False
