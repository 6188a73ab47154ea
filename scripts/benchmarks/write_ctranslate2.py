"""A Transformer with random weights for CTranslate2: ``python -m benchmarks.write_ctranslate2 SHAPE VOCABULARY FOLDER OUTPUT``.

SHAPE is JSON: the layers of encoder and of decoder, the size, and that of the feed-forward layers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import TransformerSpec

HEADS = 4
SPECIAL = ["<blank>", "<unk>", "<s>", "</s>"]


def write(layers: int, size: int, feedforward: int, vocabulary: list[str], folder: Path) -> None:
    """Pre-norm, with one embedding for source, target and output; weights in 8 bits."""
    rng = np.random.default_rng(1)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    def linear(part: Any, rows: int, columns: int) -> None:
        part.weight, part.bias = matrix(rows, columns), np.zeros(rows, dtype=np.float32)

    def norm(part: Any) -> None:
        part.gamma, part.beta = np.ones(size, dtype=np.float32), np.zeros(size, dtype=np.float32)

    def attention(part: Any, *products: int) -> None:
        norm(part.layer_norm)
        for product, times in zip(part.linear, products, strict=True):
            linear(product, times * size, size)

    tokens = SPECIAL + vocabulary
    spec = TransformerSpec.from_config(layers, HEADS)
    embedding = matrix(len(tokens), size)
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = embedding
    spec.decoder.projection.weight, spec.decoder.projection.bias = embedding, np.zeros(len(tokens), dtype=np.float32)
    for side in (spec.encoder, spec.decoder):
        norm(side.layer_norm)
        for layer in side.layer:
            attention(layer.self_attention, 3, 1)
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, feedforward, size)
            linear(layer.ffn.linear_1, size, feedforward)
    for layer in spec.decoder.layer:
        attention(layer.attention, 1, 2, 1)
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True)
    spec.save(str(folder))


if __name__ == "__main__":
    _shape, _vocabulary, _folder, _output = sys.argv[1:]
    _layers, _size, _feedforward = json.loads(_shape)
    _pieces = Path(_vocabulary).read_text(encoding="utf-8").split("\n")[:-1]
    write(_layers, _size, _feedforward, _pieces, Path(_folder))
    Path(_output).write_text("null", encoding="utf-8")
