"""The GPU benchmark, tried on a CPU at toy size."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partialmethod
from pathlib import Path

import benchmark_gpu
import pytest
import torch

from nmt.training.loop import Trainer


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "scripts" / "benchmark_gpu.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def test_overlapping_intervals_count_once() -> None:
    assert benchmark_gpu.covered([]) == 0
    assert benchmark_gpu.covered([(5, 7), (0, 2), (1, 3), (1, 2), (6, 7)]) == 5


def test_a_target_is_reached_by_the_first_validation_that_has_it(tmp_path: Path) -> None:
    lines = [{"kind": "train", "tokens_per_second": pace} for pace in (1, 5, 9)]
    lines += [{"kind": "validation", "bleu": bleu} for bleu in (3.0, 8.0)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "valid')
    validations = benchmark_gpu.records(tmp_path, "validation")
    assert [benchmark_gpu.reached(validations, target) for target in (3.0, 8.0, 8.1)] == [True, True, False]
    assert benchmark_gpu.steady_state(benchmark_gpu.records(tmp_path, "train")) == 7
    assert benchmark_gpu.records(tmp_path / "absent", "train") == []


def test_both_runs_on_a_cpu(repository: Path, tiny_corpus: Path, tiny_training: Sequence[str]) -> None:
    data = ["data=parallel", "data.source=en", "data.target=fr"]
    short = ["training.max_steps=40", "training.validate_every=10", "training.log_every=5", "training.validation_sentences=1"]
    small = ["training.validation_beam=1", "training.precision=fp32", "search=greedy"]
    result = run(repository, "--data", str(tiny_corpus), "--bleu=0", "--steps=3", *data, *tiny_training, *short, *small)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert 0 < figures["preparation_seconds"] < figures["seconds_to_bleu"] == figures["validations"][0]["seconds"]
    assert figures["target_tokens_per_second"] > 0
    assert 0 < figures["share_of_time_in_kernels"] <= 1
    assert figures["synchronisations_a_step"] == 0
    assert figures["commit"] and figures["machine"]["cores"] and figures["versions"]["torch"] == torch.__version__
    assert figures["device"] == "cpu" and "share_of_time_in_kernels" in result.stderr


def test_the_weights_are_checked_outside_of_the_window(
    tiny_settings: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    for owner, name in ((benchmark_gpu.Window, "open"), (benchmark_gpu.Window, "close"), (Trainer, "_has_finite_weights")):
        monkeypatch.setattr(owner, name, partialmethod(_noted, getattr(owner, name), events, name))
    benchmark_gpu.profile_steps(tmp_path / "run", dict(setting.split("=", 1) for setting in tiny_settings), 2)
    assert events[:2] == ["open", "close"] and "_has_finite_weights" in events


def _noted(self: object, method: Callable[[object], object], events: list[str], name: str) -> object:
    events.append(name)
    return method(self)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(repository: Path, tiny_corpus: Path) -> None:
    result = run(repository, "--data", str(tiny_corpus))
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == "PyTorch must see a GPU for this benchmark, but finds none (`device=cpu` tries it without)\n"
