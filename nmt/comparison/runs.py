"""What a run directory tells of its training, and how the runs of a comparison are called."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from nmt.data.parallel import read_lines
from nmt.errors import UsageError, UserError
from nmt.model_directory import CONFIG
from nmt.plain_data import read_json, read_settings
from nmt.training.checkpoint import PROGRESS
from nmt.training.state import Progress


@dataclass(frozen=True)
class Validation:
    """Validation BLEU in percent after so many steps."""

    step: int
    bleu: float


@dataclass(frozen=True)
class Training:
    """How a model was trained. What its run directory does not tell (any more) is None or empty.

    ``seconds`` are those spent training, validations included, interruptions not; ``tokens_per_second`` is the median of
    what the run reported, in target tokens.
    """

    steps: int | None = None
    best_step: int | None = None
    seconds: float | None = None
    tokens_per_second: float | None = None
    validations: Sequence[Validation] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "steps": self.steps,
            "best_step": self.best_step,
            "seconds": _rounded(self.seconds),
            "tokens_per_second": _rounded(self.tokens_per_second),
        }


@dataclass(frozen=True)
class Run:
    """A run or a bare model (whose ``training`` tells nothing): a name that tells it apart, and its model directory."""

    name: str
    model: Path
    training: Training


def find_runs(paths: Sequence[str]) -> list[Run]:
    """The runs at ``paths``, each a run directory or a model directory; what they were trained to is not read here.

    Raises ``UsageError`` for a run that is there twice, ``UserError`` for a damaged file.
    """
    models = [_model_directory(Path(path)) for path in paths]
    real = [os.path.realpath(model) for model in models]
    for place, path in enumerate(paths):
        first = real.index(real[place])
        if first < place:
            also = f", as `{paths[first]}`" if paths[first] != path else ""
            raise UsageError(f"every run must be given once, but `{path}` is there twice{also}")
    trainings = [_read_training(Path(path)) for path in paths]
    return [Run(*facts) for facts in zip(_names(models), models, trainings, strict=True)]


def _model_directory(path: Path) -> Path:
    is_run = not (path / CONFIG).exists() and any((path / part).is_dir() for part in ("model", "checkpoints"))
    return path / "model" if is_run else path


def _names(models: Sequence[Path]) -> list[str]:
    """For each the shortest end of its path that no other has; the directory ``model`` of a run takes the run's name."""
    parts = [Path(os.path.abspath(model)).parts for model in models]
    parts = [path[:-1] if path[-1] == "model" and len(path) > 2 else path for path in parts]
    names = []
    for place, path in enumerate(parts):
        others = parts[:place] + parts[place + 1 :]
        lengths = range(1, len(path) + 1)
        length = next((n for n in lengths if all(other[-n:] != path[-n:] for other in others)), None)
        names.append(str(Path(*path[-length:])) if length else str(models[place]))
    return names


def _read_training(directory: Path) -> Training:
    progress, metrics = directory / "checkpoints" / "last" / PROGRESS, directory / "metrics.jsonl"
    reached = read_settings(progress, Progress, read_json(progress)) if progress.exists() else None
    records = _read_metrics(metrics) if metrics.exists() else []
    speeds = [record["tokens_per_second"] for record in records if record["kind"] == "train"]
    # Runs of earlier versions that were resumed have some steps twice: the later time counts.
    validations = {record["step"]: record["bleu"] for record in records if record["kind"] == "validation"}
    return Training(
        steps=reached.step if reached else None,
        best_step=reached.best_step if reached else None,
        seconds=reached.seconds if reached else None,
        tokens_per_second=median(speeds) if speeds else None,
        validations=[Validation(step, bleu) for step, bleu in sorted(validations.items())],
    )


def _read_metrics(file: Path) -> list[dict[str, Any]]:
    """The records of metrics.jsonl, with a number wherever we look for one."""
    wanted = {"train": "tokens_per_second", "validation": "bleu"}
    records = []
    for number, line in enumerate(read_lines(file), start=1):
        try:
            record = json.loads(line)
            kind, step = record["kind"], record["step"]
            if type(step) is not int or (kind in wanted and type(record[wanted[kind]]) not in (int, float)):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UserError(
                f"`{file}` is damaged: line {number} must be a record of a run, but is `{line[:60]}` instead"
            ) from error
        records.append(record)
    return records


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
