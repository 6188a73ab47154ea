"""The models of this project that decode: ``python -m benchmarks.write_nmt DATA NETWORKS MODEL FOLDER OUTPUT``.

NETWORKS is JSON: the overrides of ``nmt train`` by the folder's name. MODEL is a trained model directory, or empty.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.corpus import write_pieces, write_vocabulary
from nmt.cli.compose import compose, register, to_settings
from nmt.cli.resume import CHOICES
from nmt.config.train import TrainConfig
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.errors import UserError
from nmt.model_directory import SHORTLIST, load_model_directory, save_model_directory
from nmt.models.seq2seq import build
from nmt.onnx.export import export
from nmt.shortlist import Shortlist, learn_shortlist
from nmt.tokenizer import EOS, TokenizerPair

NEVER = -1e4
"""A bias that no product outweighs."""


def write_random(data: str, overrides: list[str], folder: Path) -> None:
    """A model with random weights that never gives the end mark. Leaves in ``folder``: model, vocabulary (a piece a line, without
    the special ones), sources and references.
    """
    register("train", TrainConfig, CHOICES)
    config = compose("train", TrainConfig, [*overrides, f"data.path={data}", "run_dir=unused"])
    settings = to_settings(config, TrainConfig)
    languages = settings.data.source, settings.data.target
    tokenizers = cached_tokenizers(load_pairs(settings.data, settings.data.train), settings.tokenizer)
    torch.manual_seed(1)
    network = build(settings.model, len(tokenizers.source), len(tokenizers.target), tokenizers.joint).eval()
    with torch.no_grad():
        network.output.bias[EOS] = NEVER
    save_model_directory(
        folder / "model",
        settings.model,
        network,
        tokenizers,
        settings.search,
        languages=languages,
        shortlist=shortlist_of(settings.data, tokenizers),
        card="Random weights.\n",
    )
    write_vocabulary(tokenizers.target, folder / "vocabulary")
    finish(settings.data, folder)


def write_trained(data: DataConfig, model: Path, folder: Path) -> None:
    """A copy of a model, with a shortlist."""
    shutil.copytree(model, folder / "model")
    file = folder / "model" / SHORTLIST
    if not file.exists():
        shortlist_of(data, load_model_directory(model).tokenizers).save(file)
    finish(data, folder)


def shortlist_of(data: DataConfig, tokenizers: TokenizerPair) -> Shortlist:
    """From the training set."""
    encoded = EncodedPairs.from_pairs(load_pairs(data, data.train), tokenizers, data.max_length)
    sides = encoded.ids(np.arange(len(encoded)))
    return learn_shortlist(*sides, len(tokenizers.source), len(tokenizers.target), tokenizers.joint)


def finish(data: DataConfig, folder: Path) -> None:
    """Export the model, and write the test set."""
    loaded = load_model_directory(folder / "model")
    export(loaded)
    pairs = load_pairs(data, data.test)
    write_pieces(loaded.tokenizers.source, pairs.sources(), folder / "sources")
    (folder / "references").write_text("".join(f"{text}\n" for text in pairs.targets()), encoding="utf-8")


def write(data: str, networks: dict[str, list[str]], model: str, folder: Path) -> None:
    """All of them; the trained one in ``folder``/trained."""
    for name, overrides in networks.items():
        write_random(data, overrides, folder / name)
    if model:
        source, target = load_model_directory(model).languages
        write_trained(DataConfig(data, source, target, test="test_2016_flickr|test"), Path(model), folder / "trained")


if __name__ == "__main__":
    _data, _networks, _model, _folder, _output = sys.argv[1:]
    try:
        write(_data, json.loads(_networks), _model, Path(_folder))
    except UserError as error:
        sys.exit(str(error))
    Path(_output).write_text("null", encoding="utf-8")
