"""What the decoding benchmark measures: sizes, and the systems, each with what measures it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.decoding import Job
from benchmarks.peers import PEERS
from benchmarks.process import ask
from benchmarks.rows import FULL as FULL_NETWORK
from benchmarks.rows import QUICK as QUICK_NETWORK
from benchmarks.rows import Row, Scale, our_settings

RUNTIMES = {  # backend, with 8-bit products, with a shortlist
    "PyTorch fp32": ("torch", False, False),
    "ONNX Runtime fp32": ("onnx", False, False),
    "ONNX Runtime int8": ("onnx", True, False),
    "ONNX Runtime int8, shortlist": ("onnx", True, True),
}
CTRANSLATE2 = "ctranslate2"
GRU, RECIPE, TRAINED = "gru", "recipe", "trained"
"""The folders of this project's networks: at Joey NMT's size, as the recipe of multi30k has it, and what a training left."""


@dataclass(frozen=True)
class DecodingScale:
    """``network`` is the size of all systems' recurrent networks, ``recipe`` what is changed in the recipe. ``transformers`` have
    so many layers in encoder and in decoder, a size, and that of their feed-forward layers. The rest: see ``Job``.
    """

    network: Scale = FULL_NETWORK
    recipe: tuple[str, ...] = ()
    transformers: tuple[tuple[int, int, int], ...] = ((4, 128, 256), (4, 256, 1024))
    steps: int = 15
    beam_sizes: tuple[int, ...] = (1, 5)
    batch_size: int = 64
    singles: int = 100
    rounds: int = 3

    def job(self, folder: Path, steps: int | None) -> Path:
        """A file with the ``Job`` for the sources in ``folder``."""
        file = folder / "job.json"
        job = Job(str(folder / "sources"), list(self.beam_sizes), self.batch_size, self.singles, steps)
        file.write_text(json.dumps(asdict(job)), encoding="utf-8")
        return file


FULL = DecodingScale()
QUICK = DecodingScale(
    network=QUICK_NETWORK,
    recipe=("tokenizer.vocab_size=400", "model.embedding_size=16", "model.hidden_size=16"),
    transformers=((1, 16, 32),),
    steps=3,
    beam_sizes=(1, 2),
    batch_size=3,
    singles=2,
    rounds=1,
)


@dataclass(frozen=True)
class System:
    """One system with one network. ``runtime`` is what computes, and in what numbers; ``forced``: translations have a fixed
    length. ``module`` of this package measures it, run by ``python``.
    """

    system: str
    network: str
    runtime: str
    module: str = field(repr=False)
    arguments: tuple[str | Path, ...] = field(repr=False)
    python: str | Path = field(default=sys.executable, repr=False)
    forced: bool = True

    @property
    def name(self) -> str:
        """For a log."""
        return ", ".join([self.system, self.network, self.runtime])


def our_systems(scale: DecodingScale, data: str, model: str, folder: Path) -> list[System]:
    """Those of `nmt`, which are written to ``folder``. ``model`` is a trained model directory, or empty."""
    row = Row("nmt", scale.network.encoders[0], "general", "first_layer")
    networks = {
        GRU: ["data=multi30k_en_de", f"tokenizer.vocab_size={scale.network.pieces}", *our_settings(row, scale.network)],
        RECIPE: ["experiment=multi30k_en_de", *scale.recipe],
    }
    ask("write_nmt", [data, json.dumps(networks), model, folder], folder / "write.log")
    systems = []
    for network in [*networks, *([TRAINED] if model else [])]:
        where, forced = folder / network, network != TRAINED
        job = scale.job(where, scale.steps if forced else None)
        for runtime in RUNTIMES:
            arguments = (where / "model", runtime, "" if forced else where / "references", job)
            label = f"GRU {scale.network.hidden}" if network == GRU else network
            systems.append(System("nmt", label, runtime, "decode_nmt", arguments, forced=forced))
    return systems


def peer_systems(scale: DecodingScale, peers: Mapping[str, Path], folder: Path) -> list[System]:
    """The others, on the pieces of this project's GRU in ``folder``; ``peers`` has the Python of each by its name."""
    systems = []
    corpus = folder / GRU
    job = scale.job(corpus, scale.steps)
    for name, python in peers.items():
        row = PEERS[name].rows(scale.network)[0]
        config = folder / f"{name}.json"
        config.write_text(json.dumps(PEERS[name].config(row, scale.network, 1, corpus, folder / name)), encoding="utf-8")
        label = f"GRU {scale.network.hidden}"
        systems.append(System(name, label, "PyTorch fp32", f"decode_{name}", (config, job), python))
    for layers, size, feedforward in scale.transformers if "opennmt" in peers else ():
        python, model = peers["opennmt"], folder / f"transformer-{size}"
        shape = json.dumps([layers, size, feedforward])
        ask("write_ctranslate2", [shape, corpus / "vocabulary", model], folder / "write.log", python)
        label = f"Transformer {layers}+{layers} × {size}"
        systems.append(System(CTRANSLATE2, label, "CTranslate2 int8", "decode_ctranslate2", (model, job), python))
    return systems
