"""How well training fills a GPU, and how soon it reaches a BLEU: two real runs of ``nmt train`` on multi30k, English to German.

    python scripts/benchmark_gpu.py --data DIR [--output FILE] [--bleu 38] [--steps 50] [SETTING=VALUE …]

DIR is the folder of the raw files. The first run starts from raw text with an empty data cache, is watched until its validation
BLEU is reached and then stopped; target tokens/s are the median of what it logs. The second is profiled for some steps in its
middle. A table goes to stderr and JSON to stdout, or to --output. ``device=cpu`` tries the script where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmarks import report
from benchmarks.command import publish
from torch.profiler import ProfilerActivity, profile

SETTINGS = {
    "data": "multi30k_en_de",
    "device": "cuda",
    "model.hidden_size": "512",
    "training.precision": "bf16",
    "training.batch_tokens": "10000",
    "training.max_steps": "3000",
    "training.patience": "0",
    "training.validate_every": "250",
    "training.validation_beam": "5",
    "training.checkpoint_every": "3000",
    "training.log_every": "50",
}
WARM_UP_STEPS = 10


def main() -> int:
    """Run both, and report."""
    parser = argparse.ArgumentParser(description="What training on a GPU reaches; see the head of this file.")
    parser.add_argument("--data", required=True, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--output", type=Path, help="file for the JSON (default: stdout)")
    parser.add_argument("--bleu", type=float, default=38.0, help="the validation BLEU to be reached")
    parser.add_argument("--steps", type=int, default=50, help="how many steps are profiled")
    parser.add_argument("settings", nargs="*", help="settings of nmt train")
    arguments = parser.parse_intermixed_args()
    for setting in arguments.settings:
        if "=" not in setting:
            parser.error(f"settings must be NAME=VALUE, but there is {setting}")
    settings = SETTINGS | {"data.path": arguments.data} | dict(setting.split("=", 1) for setting in arguments.settings)
    if settings["device"] == "cuda" and not torch.cuda.is_available():
        print("PyTorch must see a GPU for this benchmark, but finds none (`device=cpu` tries it without)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = f"{folder}/cache"
        figures = {"device": device_name(settings["device"]), "commit": report.commit(), "machine": report.machine()}
        figures |= {"versions": report.versions({"cuda": torch.version.cuda or "none"}), "settings": settings}
        figures |= time_to_bleu(Path(folder) / "run", settings, arguments.bleu)
        figures |= profile_steps(Path(folder) / "profile", settings, arguments.steps)
    lines = [
        f"{name:<32}{value if isinstance(value, str) else json.dumps(value)}"
        for name, value in figures.items()
        if not isinstance(value, dict | list)
    ]
    publish(figures, "\n".join(lines), arguments.output)
    return 0


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


def overrides(settings: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]


def time_to_bleu(run_dir: Path, settings: dict[str, str], target: float) -> dict[str, Any]:
    """Wall seconds from the start of the process until a validation reaches ``target``, or None."""
    began = time.time()
    run = subprocess.Popen([sys.executable, "-m", "nmt", "train", *overrides(settings), f"run_dir={run_dir}"])
    try:
        while run.poll() is None and not reached(records(run_dir, "validation"), target):
            time.sleep(0.1)
        ended = time.time() - began
        validations = records(run_dir, "validation")
        if run.poll() not in (None, 0):
            sys.exit("the benchmark needs a run of nmt train that ends well, but this one failed")
    finally:
        run.terminate()
        run.wait()
    seconds = [(record["time"] - began, record["bleu"]) for record in validations]
    if not reached(validations, target) and (bleu := final_bleu(run_dir)) is not None:
        seconds.append((ended, bleu))
    return {
        "target_bleu": target,
        "seconds_to_bleu": next((round(when, 1) for when, bleu in seconds if bleu >= target), None),
        "best_bleu": max((bleu for _, bleu in seconds), default=None),
        "preparation_seconds": round((run_dir / "config.yaml").stat().st_mtime - began, 1),
        "target_tokens_per_second": steady_state(records(run_dir, "train")),
        "validations": [{"seconds": round(when, 1), "bleu": bleu} for when, bleu in seconds],
    }


def records(run_dir: Path, kind: str) -> list[dict[str, Any]]:
    """What the run has told so far: whole lines of its metrics."""
    file = run_dir / "metrics.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    return [record for line in lines if line.endswith("\n") and (record := json.loads(line))["kind"] == kind]


def reached(validations: Iterable[dict[str, Any]], target: float) -> bool:
    return any(record["bleu"] >= target for record in validations)


def final_bleu(run_dir: Path) -> float | None:
    """Of the finished model, with its own search."""
    file = run_dir / "model" / "evaluation.json"
    return float(json.loads(file.read_text(encoding="utf-8"))["validation"]["bleu"]["score"]) if file.exists() else None


def steady_state(training: list[dict[str, Any]]) -> float | None:
    """The median pace, without the first record, in which everything warms up."""
    return median(record["tokens_per_second"] for record in training[1:]) if len(training) > 1 else None


def profile_steps(run_dir: Path, settings: dict[str, str], steps: int) -> dict[str, Any]:
    """Share of the time in which a kernel runs (on a CPU: an operator), and synchronisations of the host a step."""
    from nmt.cli import main as nmt  # late: the data cache has been set
    from nmt.training.reporting import Reporter

    last = WARM_UP_STEPS + steps
    # One step more than is looked at: in the last one the weights are checked, which waits for the GPU.
    long = dict.fromkeys(("validate_every", "checkpoint_every", "log_every", "max_steps"), str(last + 1))
    settings = settings | {f"training.{name}": value for name, value in long.items()} | {"training.validation_sentences": "1"}
    window, advance = Window(settings["device"]), Reporter.advance
    done = 0

    def advanced(reporter: Reporter) -> None:
        nonlocal done
        advance(reporter)
        done += 1
        if done == WARM_UP_STEPS:
            window.open()
        elif done == last:
            window.close()

    Reporter.advance = advanced  # type: ignore[method-assign, assignment]
    try:
        if nmt(["train", *overrides(settings), f"run_dir={run_dir}"]) or done < last:
            sys.exit(f"the benchmark needs a run of nmt train that goes on for {last} steps, but this one ended before")
    finally:
        Reporter.advance = advance  # type: ignore[method-assign]
    return {
        "milliseconds_a_step": round(1000 * window.seconds / steps, 3),
        "share_of_time_in_kernels": round(window.busy_seconds / window.seconds, 4),
        "synchronisations_a_step": window.places.total() / steps,
        "synchronisation_places": dict(window.places.most_common(10)),
    }


class Window:
    """Between ``open`` and ``close``, profiles the device and notes the lines of Python that wait for it."""

    def __init__(self, device: str) -> None:
        self.cuda = device == "cuda"
        self.places: Counter[str] = Counter()
        self._profiler = profile(activities=[ProfilerActivity.CUDA if self.cuda else ProfilerActivity.CPU])
        self._waits = self._noting()

    def open(self) -> None:
        self._synchronize()
        self._profiler.start()
        self._waits.__enter__()
        self._began = time.perf_counter()

    def close(self) -> None:
        self._waits.__exit__(None, None, None)
        self._synchronize()
        self.seconds = time.perf_counter() - self._began
        self._profiler.stop()
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "trace.json"
            self._profiler.export_chrome_trace(str(trace))
            events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
        kinds = ("kernel", "gpu_memcpy", "gpu_memset") if self.cuda else ("cpu_op",)
        running = [(event["ts"], event["ts"] + event["dur"]) for event in events if event.get("cat") in kinds]
        if not running:
            sys.exit("the profiler must record kernels, but recorded none")
        self.busy_seconds = covered(running) / 1e6

    def _synchronize(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if self.cuda:
                torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                if self.cuda:
                    torch.cuda.set_sync_debug_mode("default")
        waits = [warning for warning in caught if "called a synchronizing" in str(warning.message)]
        self.places = Counter(f"{Path(wait.filename).name}:{wait.lineno}" for wait in waits)


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total


if __name__ == "__main__":
    sys.exit(main())
