"""What a run says: lines and a progress bar on stderr, train.log, metrics.jsonl and TensorBoard."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from nmt.training.loss import perplexity

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Reporter:
    """Writes to stderr and, once there is a run directory, to its files. Stdout stays clean.

    With ``progress`` a terminal shows a bar, and anything else gets a line every so many steps. One that is ``silent``
    says nothing: the run is another process's to tell of. When nobody reads stderr any more (a closed terminal, `| head`),
    train.log goes on alone.
    """

    def __init__(self, progress: bool, silent: bool = False) -> None:
        self._progress = progress
        self._silent = silent
        self._has_reader = True
        self._bar: tqdm[None] | None = None
        self._directory: Path | None = None
        self._tensorboard: SummaryWriter | None = None
        self._purge_step: int | None = None
        self._early: list[str] = []

    def open(self, directory: Path, step: int) -> None:
        """From now on write to the files of this run directory too; what was said before is put into its train.log.

        Figures of updates after ``step``, which a run made before it was stopped, are taken out: they come again.
        """
        self._directory = directory
        self._forget(step)
        for text in self._early:
            self._append("train.log", text)

    def line(self, text: str) -> None:
        """One line on stderr and in train.log."""
        if self._silent:
            return
        with self._to_stderr():
            if self._bar is not None:
                self._bar.write(text, file=sys.stderr)
            elif self._has_reader:
                print(text, file=sys.stderr, flush=True)
        self._log(text)

    def start(self, step: int, max_steps: int) -> None:
        """Training begins at ``step``."""
        with self._to_stderr():
            if self._progress and not self._silent and self._has_reader and sys.stderr.isatty():
                self._bar = tqdm(total=max_steps, initial=step, unit="step", file=sys.stderr, dynamic_ncols=True)

    def advance(self) -> None:
        """One step is done."""
        with self._to_stderr():
            if self._bar is not None:
                self._bar.update()

    def go_back(self, step: int) -> None:
        """Training goes on from ``step`` again."""
        self._forget(step)
        with self._to_stderr():
            if self._bar is not None:
                self._bar.n = step
                self._bar.refresh()

    def training(self, step: int, max_steps: int, values: dict[str, float], seconds_left: float) -> None:
        """The figures of the steps since the last call: loss (nats a token; absent if all were skipped), target tokens/s,
        learning rate, padding share, updates ``skipped`` for not being finite, batches ``split`` for want of memory.
        """
        self._metrics("train", step, values)
        figures = [f"loss {values['loss']:.3f}", f"ppl {perplexity(values['loss']):.1f}"] if "loss" in values else ["no loss"]
        figures.append(f"{values['tokens_per_second']:.0f} tokens/s")
        rest = f"padding {values['padding']:.1%}  left {duration(seconds_left)}"
        events = [f"{values[name]} {name}" for name in ("skipped", "split") if values[name]]
        text = "  ".join([f"step {step}/{max_steps}", *figures, *events, rest])
        if self._bar is not None:
            with self._to_stderr():
                self._bar.set_postfix_str(", ".join(figures))
            self._log(text)
        elif self._progress:
            self.line(text)
        else:
            self._log(text)

    def validation(self, step: int, values: dict[str, float], note: str) -> None:
        """The figures of a validation: loss, perplexity, BLEU, seconds."""
        self._metrics("validation", step, values)
        self.line(
            f"step {step}  validation loss {values['loss']:.3f}  ppl {values['perplexity']:.2f}"
            f"  BLEU {values['bleu']:.2f}{note}  ({values['seconds']:.0f} s)"
        )

    def close(self) -> None:
        """Training is over."""
        with self._to_stderr():
            if self._bar is not None:
                self._bar.close()
                self._bar = None
        self._close_tensorboard()

    @contextmanager
    def _to_stderr(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._has_reader = False
            if self._bar is not None:
                self._bar.disable = True  # it would say a last word
                self._bar = None

    def _close_tensorboard(self) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()
            self._tensorboard = None

    def _forget(self, step: int) -> None:
        """Take the figures of later updates out of metrics.jsonl, and out of what TensorBoard shows."""
        self._close_tensorboard()
        self._purge_step = step + 1
        if self._directory is None:  # not the process that writes
            return
        file = self._directory / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            new = file.with_name(".metrics.jsonl.saving")
            new.write_text("".join(line for line in lines if _is_until(line, step)), encoding="utf-8")
            new.replace(file)

    def _metrics(self, kind: str, step: int, values: dict[str, float]) -> None:
        record = {"kind": kind, "step": step, "time": round(time.time(), 3)}
        rounded = {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in values.items()}
        self._append("metrics.jsonl", json.dumps(record | rounded))
        if self._directory is None:
            return
        if self._tensorboard is None:
            from torch.utils.tensorboard import SummaryWriter  # a second of imports, only for those who train

            self._tensorboard = SummaryWriter(str(self._directory / "tensorboard"), purge_step=self._purge_step)
        for name, value in values.items():
            self._tensorboard.add_scalar(f"{kind}/{name}", value, step)

    def _log(self, text: str) -> None:
        if self._directory is None and not self._silent:
            self._early.append(text)
        self._append("train.log", text)

    def _append(self, name: str, text: str) -> None:
        if self._directory is not None:
            with (self._directory / name).open("a", encoding="utf-8") as file:
                file.write(text + "\n")


def _is_until(line: str, step: int) -> bool:
    """Whether the line of metrics.jsonl is a whole record of a step that is not later."""
    try:
        return line.endswith("\n") and bool(json.loads(line)["step"] <= step)
    except (ValueError, TypeError, KeyError):
        return False


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
