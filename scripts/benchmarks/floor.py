"""The time that the matrix products of training take alone: ``python -m benchmarks.floor COUNTS SECONDS MODEL… OUTPUT``.

A floor, not a forecast: it leaves out gates, softmax, optimiser, data, and that small products run slower than large ones.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch

from nmt.model_directory import load_model_directory
from nmt.models.config import AttentionKind, ModelConfig
from nmt.models.seq2seq import Seq2Seq

# The parts of the network, by the beginnings of their parameters' names, and how often each multiplies a vector.
PARTS = {
    "encoder.layers.": ("encoder", "source_tokens"),
    "decoder.attention.key.": ("attention keys", "source_tokens"),
    "decoder.attention.query.": ("attention", "target_tokens"),
    "decoder.attention.energy.": ("attention", "attended"),
    "decoder.lexical.": ("attention values", "source_tokens"),
    "decoder.bridge.": ("bridge", "sentences"),
    "decoder.layers.": ("decoder", "target_tokens"),
    "decoder.readout.": ("readout", "target_tokens"),
}
SHAPES = {  # rows, inner, columns
    "output projection of 1,024 tokens": (1024, 512, 8000),
    "gates of 1,024 inputs": (1024, 512, 1536),
    "gates of 64 states": (64, 512, 1536),
}


def training_flops(model: Seq2Seq, config: ModelConfig, counts: Mapping[str, int]) -> dict[str, int]:
    """Floating-point operations, 2 a multiplication with its addition, of the products of a pass forward and back, by part.

    ``counts`` are those of ``benchmarks.corpus``; padding does not count. Each product has a gradient for its input and one for
    its matrix, as large as itself.
    """
    products = Counter({"output projection": model.output.weight.numel() * counts["target_tokens"]})
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and ".embedding." not in name and parameter is not model.output.weight:
            part, times = next(value for beginning, value in PARTS.items() if name.startswith(beginning))
            products[part] += parameter.numel() * counts[times]
    # A score of `general` is a product of a query with a key, a context one of the weights with the values.
    score_size = config.hidden_size if config.attention is AttentionKind.general else 0
    products["attention"] += (score_size + config.memory_size) * counts["attended"]
    return {part: 3 * 2 * count for part, count in products.items()}


def product_rate(rows: int, inner: int, columns: int, dtype: torch.dtype, seconds: float) -> float:
    """FLOP/s of the three products of a linear layer, forward and backward: the best of as many tries as fit in ``seconds``."""
    inputs, weight, grad = (torch.randn(shape).to(dtype) for shape in ((rows, inner), (columns, inner), (rows, columns)))
    # Into memory that is there already: to get some from the system can take as long as the product.
    outputs, grad_inputs, grad_weight = (torch.empty_like(tensor) for tensor in (grad, inputs, weight))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        torch.mm(inputs, weight.t(), out=outputs)
        torch.mm(grad, weight, out=grad_inputs)
        torch.mm(grad.t(), inputs, out=grad_weight)
        best = min(best, time.perf_counter() - began)
    return 3 * 2 * rows * inner * columns / best


def measure_rates(seconds: float) -> dict[str, dict[str, float]]:
    """FLOP/s of each shape, in fp32 and in bf16."""
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {
        precision: {name: product_rate(*shape, dtype, seconds) for name, shape in SHAPES.items()}
        for precision, dtype in types.items()
    }


if __name__ == "__main__":
    _counts, _seconds, *_models, _output = sys.argv[1:]
    torch.set_num_threads(1)
    _loaded = [load_model_directory(model) for model in _models]
    _flops = [training_flops(loaded.model, loaded.config, json.loads(_counts)) for loaded in _loaded]
    _result = {"rates": measure_rates(float(_seconds)), "flops": _flops}
    Path(_output).write_text(json.dumps(_result), encoding="utf-8")
