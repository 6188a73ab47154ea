"""An ONNX graph that grows operator by operator, in fp32 or with 8-bit products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from nmt.models.layer_norm import LayerNorm

OPSET = 17
_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.bool_): TensorProto.BOOL,
}


class Graph:
    """Values are known by their names, which begin with the graph's. ``quantised``: products of ``linear`` are done in 8 bits.

    Weights are then rounded to 255 levels for each output, around 0; inputs, as they come, to 256 levels between their smallest
    and their largest value.
    """

    def __init__(self, name: str, quantised: bool = False) -> None:
        self.name = name
        self.quantised = quantised
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._levels: dict[str, list[str]] = {}
        self._renamed: dict[str, str] = {}

    def input(self, name: str, kind: type[np.generic], shape: Sequence[int | str]) -> str:
        """An argument of the function; a dimension that varies has a name."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(kind)], shape))
        return name

    def output(self, name: str, value: str, kind: type[np.generic], shape: Sequence[int | str]) -> None:
        """A result of the function: a value that an operator has made, and that is no other result."""
        assert value not in self._renamed, f"{value} is the result {self._renamed[value]} already"
        self._renamed[value] = name
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(kind)], shape))

    def constant(self, value: np.ndarray | Tensor | Sequence[int]) -> str:
        """Weights, or the numbers that an operator asks for (int64)."""
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._new_constant(array)
        return self._known[key]

    def _new_constant(self, array: np.ndarray) -> str:
        name = f"{self.name}.constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array.copy(order="C"), name))
        return name

    def __call__(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The value of an operator; ``onnx``'s documentation names their inputs and attributes."""
        (value,) = self.several(operator, 1, *inputs, domain=domain, **attributes)
        return value

    def several(self, operator: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """The values of an operator that has ``count`` of them."""
        names = [f"{self.name}.{operator}{len(self._nodes)}.{number}" for number in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """W x + b: x [..., in], weight [out, in], bias [out] → [..., out]."""
        biases = [] if bias is None else [self.constant(bias)]
        if not self.quantised:
            product = self("MatMul", x, self.constant(weight.T))
            return self("Add", product, *biases) if biases else product
        levels, scale = quantise(weight)
        # ONNX Runtime before 1.30 keeps products from overflowing on a processor without VNNI only if it is told which level is
        # zero, and only if no two products share it.
        zero = self._new_constant(np.zeros((), dtype=np.int8))
        return self.quantised_product(x, self._new_constant(levels.T), self.constant(scale), *biases, zero=zero)

    def quantised_product(self, x: str, levels: str, scale: str, *bias: str, zero: str = "") -> str:
        """x [..., in], levels [in, out] int8, scale [out], bias [out] → [..., out]. ``zero`` is the level that stands for 0."""
        if x not in self._levels:  # several products share them; for one alone ONNX Runtime joins both operators
            self._levels[x] = self.several("DynamicQuantizeLinear", 3, x)
        of_x, scale_of_x, zero_of_x = self._levels[x]
        operands = (of_x, levels, scale_of_x, scale, zero_of_x, zero, *bias)
        return self("MatMulIntegerToFloat", *operands, domain="com.microsoft")

    def scan(self, body: Graph, state: str, inputs: Sequence[str], backwards: bool) -> list[str]:
        """``body`` at one position after another: from its ``state`` and a position of the ``inputs`` [positions, …] to the next
        state and an output → the last state, and the outputs [positions, …].
        """
        return self.several(
            "Scan",
            2,
            state,
            *inputs,
            body=body.proto(),
            num_scan_inputs=len(inputs),
            scan_input_directions=[int(backwards)] * len(inputs),
            scan_output_directions=[int(backwards)],
        )

    def split(self, x: str, *sizes: int) -> list[str]:
        """x [rows, Σ sizes] in parts of these sizes."""
        return self.several("Split", len(sizes), x, self.constant(sizes), axis=-1)

    def concat(self, *parts: str) -> str:
        """Parts [rows, size] side by side."""
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=-1)

    def norm(self, x: str, norm: nn.Module) -> str:
        """A ``LayerNorm``, or nothing."""
        if not isinstance(norm, LayerNorm):
            return x
        return self("LayerNormalization", x, self.constant(norm.weight), self.constant(norm.bias), axis=-1, epsilon=norm.eps)

    def proto(self) -> onnx.GraphProto:
        """What is built."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [self._renamed.get(name, name) for name in names]
        return helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, self._constants)

    def serialised(self) -> bytes:
        """The file."""
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(self.proto(), opset_imports=opsets, producer_name="nmt", ir_version=8)
        serialised: bytes = model.SerializeToString()
        return serialised


def quantise(weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """weight [out, in] → levels [out, in] int8 and scale [out], whose product comes close to it."""
    values = weight.detach().cpu().numpy()
    scale = np.maximum(np.abs(values).max(axis=1), 1e-12) / 127
    return np.rint(values / scale[:, None]).astype(np.int8), scale.astype(np.float32)
