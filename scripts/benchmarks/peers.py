"""The other toolkits, each in a virtual environment of its own, trained by its own command and measured by its own log.

Nothing in them is changed. Their pins name older versions of PyTorch; to measure all systems on one, they are installed
without their dependencies, of which those that training needs are named here.

Both logs count target tokens as this project does: end marks, and no padding. Both systems draw their batches from sentences
in their own way: Joey NMT in random order, OpenNMT-py of like length out of a pool of 262,144 sentences (several epochs of
a small corpus), which it fills before the first update. What is set beside the sizes: Adam in both (PyTorch's, unfused, as they
make it), at one rate, which Joey NMT needs a scheduler for; and OpenNMT-py reads its data in the process that trains, not in
two more.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ours import Run
from benchmarks.process import run
from benchmarks.rows import LANGUAGES, Row, Scale

LEARNING_RATE = 0.001


@dataclass(frozen=True)
class Peer:
    """``requirements`` are what training imports, ``config`` makes its settings, ``command`` starts it on a file of them, and
    ``speed`` finds the target tokens/s in its log.
    """

    name: str
    package: str
    requirements: Sequence[str]
    rows: Callable[[Scale], list[Row]]
    config: Callable[[Row, Scale, int, Path, Path], dict[str, Any]]
    command: Callable[[Path, Path], list[str | Path]]
    speed: re.Pattern[str]

    def install(self, environments: Path) -> Path:
        """Its virtual environment, made if it isn't there, with the PyTorch that runs this; returns its Python."""
        folder = environments / self.name
        python, stamp = folder / "bin" / "python", folder / "installed"
        torch = f"torch=={version('torch').partition('+')[0]}"
        wanted = "\n".join([sys.version, torch, *self.requirements, self.package])
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            print(f"installing {self.package} into {folder}", file=sys.stderr)
            log = environments / f"{self.name}.log"
            run([sys.executable, "-m", "venv", "--clear", folder], log)
            run([python, "-m", "pip", "install", "--quiet", torch, *self.requirements], log)
            run([python, "-m", "pip", "install", "--quiet", "--no-deps", self.package], log)
            stamp.write_text(wanted, encoding="utf-8")
        return python

    def train(self, python: Path, row: Row, scale: Scale, updates: int, corpus: Path, run_dir: Path) -> Run:
        """``updates`` updates on the pieces in ``corpus``."""
        run_dir.mkdir(parents=True)
        config, log = run_dir / "config.yaml", run_dir.with_suffix(".log")
        config.write_text(json.dumps(self.config(row, scale, updates, corpus, run_dir)), encoding="utf-8")  # JSON is YAML
        memory = run(self.command(python, config), log)
        return Run(self.windows(log.read_text(encoding="utf-8")), memory)

    def windows(self, log: str) -> list[float]:
        """Target tokens/s of each window but the first."""
        return [float(speed) for speed in self.speed.findall(log)[1:]]


def _joeynmt(row: Row, scale: Scale, updates: int, corpus: Path, run_dir: Path) -> dict[str, Any]:
    source, target = ({"lang": language, "level": "word", "voc_file": str(corpus / "vocabulary")} for language in LANGUAGES)
    recurrent = {
        "type": "recurrent",
        "rnn_type": "gru",
        "embeddings": {"embedding_dim": scale.embedding, "dropout": scale.dropout},
        "num_layers": 1,
        "dropout": scale.dropout,
    }
    decoder = {
        **recurrent,
        "hidden_size": scale.hidden,
        "hidden_dropout": scale.dropout,
        "attention": {"general": "luong", "additive": "bahdanau"}[row.attention],
        "input_feeding": True,
        "init_hidden": "bridge",
    }
    return {
        "name": "benchmark",
        "model_dir": str(run_dir / "model"),
        "use_cuda": False,
        "data": {"train": str(corpus / "train"), "dev": str(corpus / "val"), "src": source, "trg": target},
        "training": {
            "optimizer": "adam",
            "learning_rate": LEARNING_RATE,
            # The default, `plateau`, asks PyTorch for an argument that is gone; this one leaves the rate as it is.
            "scheduling": "exponential",
            "decrease_factor": 1.0,
            "batch_type": "sentence",
            "batch_size": scale.sentences,
            "epochs": updates,
            "updates": updates,
            "logging_freq": scale.window,
            "validation_freq": 1000 * updates * scale.window,
        },
        "testing": {},
        "model": {"encoder": {**recurrent, "hidden_size": row.encoder, "bidirectional": True}, "decoder": decoder},
    }


def _opennmt(row: Row, scale: Scale, updates: int, corpus: Path, run_dir: Path) -> dict[str, Any]:
    source, target = (str(corpus / f"train.{language}") for language in LANGUAGES)
    return {
        "data": {"corpus": {"path_src": source, "path_tgt": target}},
        "save_data": str(run_dir),
        "save_model": str(run_dir / "model"),
        "src_vocab": str(corpus / "vocabulary"),
        "tgt_vocab": str(corpus / "vocabulary"),
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": "GRU",
        "layers": 1,
        "word_vec_size": scale.embedding,
        "hidden_size": scale.hidden,  # of both directions of the encoder together
        "global_attention": row.attention,
        "input_feed": 1,
        "dropout": [scale.dropout],
        "optim": "adam",
        "learning_rate": LEARNING_RATE,
        "batch_type": "sents",
        "batch_size": scale.sentences,
        "num_workers": 0,
        "train_steps": updates,
        "report_every": scale.window,
        "valid_steps": 1000 * updates,
        "save_checkpoint_steps": 1000 * updates,
    }


JOEYNMT = Peer(
    name="joeynmt",
    package="joeynmt==2.3.0",
    requirements=[
        *("numpy", "sacrebleu", "sacremoses", "sentencepiece", "subword-nmt", "matplotlib", "pyyaml", "tensorboard"),
        *("datasets", "packaging", "plotly", "pandas", "importlib_metadata", "tqdm"),
    ],
    rows=lambda scale: [Row("joeynmt", scale.encoders[0], kind, "input_feeding") for kind in ("general", "additive")],
    config=_joeynmt,
    command=lambda python, config: [python, "-m", "joeynmt", "train", config, "--skip-test"],
    speed=re.compile(r"Tokens per Sec:\s*(\d+)"),
)
OPENNMT = Peer(
    name="opennmt",
    package="OpenNMT-py==3.5.1",
    requirements=[
        *("numpy", "configargparse", "ctranslate2>=4,<5", "pyonmttok>=1.37,<2", "pyyaml", "sacrebleu", "rapidfuzz"),
        *("pyahocorasick", "sentencepiece", "subword-nmt", "six", "tensorboard", "safetensors", "setuptools", "spacy"),
        "fasttext-wheel",
    ],
    rows=lambda scale: [Row("opennmt", scale.encoders[1], "general", "input_feeding")],
    config=_opennmt,
    command=lambda python, config: [python.with_name("onmt_train"), "-config", config],
    speed=re.compile(r"/\s*(\d+) tok/s"),
)
PEERS = {peer.name: peer for peer in (JOEYNMT, OPENNMT)}
