"""A run of ``nmt train``, as a user starts it, and what it says of itself."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import REPOSITORY, run
from benchmarks.rows import LANGUAGES, Row, Scale, our_settings


@dataclass(frozen=True)
class Run:
    """``tokens_per_second`` of each window but the first; ``padding`` and ``validation_loss`` where the system tells them."""

    tokens_per_second: list[float]
    peak_memory_mib: float
    padding: float | None = None
    validation_loss: float | None = None


def train(row: Row, scale: Scale, updates: int, data: str, corpus: Path, run_dir: Path) -> Run:
    """``updates`` updates, then the loss on the validation set. The model is in ``run_dir``/model."""
    settings = [
        *our_settings(row, scale),
        "data=parallel",
        f"data.path={data}",
        f"data.source={LANGUAGES[0]}",
        f"data.target={LANGUAGES[1]}",
        f"tokenizer.path={corpus / 'tokenizer.model'}",
        f"run_dir={run_dir}",
        "device=cpu",
        "num_threads=1",
        f"training.max_steps={updates}",
        f"training.log_every={scale.window}",
        f"training.validate_every={updates}",
        f"training.checkpoint_every={updates}",
        "training.progress=false",
        # Scoring the finished model is no part of this.
        "training.validation_sentences=1",
        "search=greedy",
        "search.max_length_ratio=0.1",
        "search.max_length_offset=1",
    ]
    memory = run([sys.executable, "-m", "nmt", "train", *settings], run_dir.with_suffix(".log"), [REPOSITORY])
    records = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    windows = [record for record in records if record["kind"] == "train"][1:]
    [validation] = [record for record in records if record["kind"] == "validation"]
    return Run(
        tokens_per_second=[window["tokens_per_second"] for window in windows],
        peak_memory_mib=memory,
        padding=sum(window["padding"] for window in windows) / len(windows),
        validation_loss=validation["loss"],
    )
