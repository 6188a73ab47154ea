"""Kill a training run again and again, go on each time, and compare its end with that of a run that nobody touched.

    python scripts/crash_test.py [--kills 30] [--seed 1] [--directory DIR]

Each life of the run is ended by SIGKILL: after a random number of updates, while a checkpoint is being written, while it
starts, or, at the end, while the model is being written. A table goes to stderr, one JSON object to stdout; exit code 1 if
weights, averages, moments, the model directory or the metrics differ from those of the undisturbed run in any bit.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import datasets
import torch
import torch.utils.tensorboard
from safetensors.torch import load_file

import nmt.training.run  # noqa: F401
from nmt.cli import main
from nmt.data.toy import toy_pairs

PAIRS, CHECKPOINT_EVERY, STEPS_A_KILL = 300, 3, 9
SETTINGS = {
    "data": "parallel",
    "data.source": "en",
    "data.target": "fr",
    "device": "cpu",
    "tokenizer.vocab_size": 350,
    "model.embedding_size": 16,
    "model.hidden_size": 16,
    "model.encoder_hidden_size": 8,
    "model.dropout": 0.2,
    "model.embedding_dropout": 0.2,
    "model.word_dropout": 0.1,
    "training.batch_tokens": 200,
    "training.accumulate": 2,
    "training.average": 0.9,
    "training.subword_alpha": 0.5,
    "training.checkpoint_every": CHECKPOINT_EVERY,
    "training.validate_every": 4,
    "training.validation_sentences": 8,
    "training.patience": 0,
    "training.log_every": 1,
}


class Run:
    """A training run in ``directory`` and what can be seen of it from outside."""

    def __init__(self, directory: Path, corpus: Path, max_steps: int) -> None:
        self.directory = directory
        self._new = [f"{name}={value}" for name, value in SETTINGS.items()]
        self._new += [f"data.path={corpus}", f"training.max_steps={max_steps}"]

    def start(self) -> ForkProcess:
        """A process that trains: a new run, or if this one has begun, what is left of it."""
        has_begun = (self.directory / "config.yaml").exists()
        arguments = ["train", f"run_dir={self.directory}", *(["resume=true"] if has_begun else self._new)]
        process = multiprocessing.get_context("fork").Process(target=_train, args=(arguments, self.directory))
        process.start()
        return process

    def is_writing(self, process: ForkProcess, what: str) -> bool:
        """Whether the process has written the directory ``what`` by half."""
        return (self.directory / what).with_name(f".{Path(what).name}.saving.{process.pid}").exists()

    def step(self) -> int:
        """The step of the last checkpoint; 0 if there is none."""
        for name in ("last", "previous"):
            with contextlib.suppress(FileNotFoundError):
                return int(json.loads((self.directory / "checkpoints" / name / "progress.json").read_text())["step"])
        return 0

    def digest(self) -> dict[str, str]:
        """sha256 of all that training made, by what it is; times are left out."""
        last, model = self.directory / "checkpoints" / "last", self.directory / "model"
        optimizer = torch.load(last / "optimizer.pt", weights_only=True)
        records = [json.loads(line) for line in (self.directory / "metrics.jsonl").read_text().splitlines()]
        timed = ("time", "seconds", "tokens_per_second")
        made: dict[str, Any] = {
            "weights": _bytes(load_file(last / "model.safetensors")),
            "average": _bytes(load_file(last / "average.safetensors")),
            "optimizer": _bytes(optimizer["optimizer"]["state"]),
            "random generators": _bytes(optimizer["random"][0]),
            "metrics": [{name: value for name, value in record.items() if name not in timed} for record in records],
            "model": {file.name: file.read_bytes() for file in sorted(model.iterdir()) if file.name != "README.md"},
        }
        return {name: hashlib.sha256(repr(value).encode()).hexdigest() for name, value in made.items()}


def _train(arguments: list[str], directory: Path) -> None:
    log = os.open(directory.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    os._exit(main(arguments))


def _bytes(value: Any) -> Any:
    """The value with its tensors as bytes."""
    if isinstance(value, torch.Tensor):
        return value.contiguous().view(torch.uint8).numpy().tobytes() if value.ndim else value.item()
    if isinstance(value, dict):
        return {name: _bytes(value[name]) for name in sorted(value)}
    return value


Aim = tuple[str, Callable[[ForkProcess], bool], float]  # a name, whether the moment has come, and seconds to wait then


def _aim(run: Run, rng: random.Random, number: int) -> Aim:
    """How a life of the run is to end."""
    wanted = run.step() + rng.randint(0, 3) * CHECKPOINT_EVERY
    match number % 4:
        case 0:
            return "training", lambda _: run.step() >= wanted, rng.uniform(0, 0.1)
        case 1 | 2:
            names = ("checkpoints/last", "checkpoints/best")

            def is_writing(process: ForkProcess) -> bool:
                return run.step() >= wanted and any(run.is_writing(process, name) for name in names)

            return "writing a checkpoint", is_writing, rng.uniform(0, 0.01)
        case _:
            return "starting", lambda _: True, rng.uniform(0, 1)


def _live(run: Run, aim: Aim) -> dict[str, Any]:
    """One life of the run; ``exitcode`` is -9 if it was killed."""
    name, moment, delay = aim
    began = time.monotonic()
    process = run.start()
    while process.is_alive() and not moment(process):
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    process.join()
    half = [what for what in ("checkpoints/last", "checkpoints/best", "model") if run.is_writing(process, what)]
    seconds = round(time.monotonic() - began, 2)
    return {"aim": name, "exitcode": process.exitcode, "step": run.step(), "half_written": half, "seconds": seconds}


def _lives(run: Run, rng: random.Random, kills: int) -> Iterator[dict[str, Any]]:
    """Lives of the run: ``kills`` that are ended, the last two while they write the model, and one that is not."""
    for number in range(kills - 2):
        yield _live(run, _aim(run, rng, number))
    for _ in range(2):
        yield _live(run, ("writing model", lambda process: run.is_writing(process, "model"), rng.uniform(0, 0.005)))
    yield _live(run, ("none", lambda _: False, 0))


def crash_test(directory: Path, kills: int, seed: int) -> dict[str, Any]:
    """Both runs, and whether they came to the same end."""
    datasets.config.HF_DATASETS_CACHE = directory / "cache"
    corpus = directory / "corpus"
    corpus.mkdir(parents=True)
    for name, count in (("train", PAIRS), ("val", 20)):
        for side, language in enumerate(("en", "fr")):
            lines = [pair[side] + "\n" for pair in toy_pairs(name)[:count]]
            (corpus / f"{name}.{language}").write_text("".join(lines), encoding="utf-8")
    began = time.monotonic()
    max_steps = STEPS_A_KILL * kills
    straight, crashed = (Run(directory / name, corpus, max_steps) for name in ("straight", "crashed"))
    if (code := _live(straight, ("none", lambda _: False, 0))["exitcode"]) != 0:
        sys.exit(f"the undisturbed run failed with exit code {code}: see {directory / 'straight.log'}")
    lives = []
    for life in _lives(crashed, random.Random(seed), kills):
        lives.append(life)
        half = ", ".join(life["half_written"]) or "-"
        end = f"exit code {life['exitcode']:3}  step {life['step']:4}  half-written: {half}"
        print(f"{len(lives):3}  killed while: {life['aim']:24}  {end}", file=sys.stderr, flush=True)
    one, other = straight.digest(), crashed.digest()
    return {
        "kills": sum(life["exitcode"] == -signal.SIGKILL for life in lives),
        "kills_while_writing": sum(bool(life["half_written"]) for life in lives),
        "updates": max_steps,
        "identical": {name: one[name] == other[name] for name in one},
        "failed": [life for life in lives if life["exitcode"] not in (0, -signal.SIGKILL)],
        "seconds": round(time.monotonic() - began, 1),
    }


def run(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        result = crash_test(Path(arguments.directory or temporary).resolve(), arguments.kills, arguments.seed)
    print(json.dumps(result))
    passed = all(result["identical"].values()) and not result["failed"] and result["kills"] >= arguments.kills
    return 0 if passed else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments at which the run is killed")
    parser.add_argument("--directory", metavar="DIR", help="a new directory to keep both runs in")
    sys.exit(run(parser.parse_args()))
