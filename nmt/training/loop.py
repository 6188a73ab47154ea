"""The training loop: updates, validation, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from nmt.data.batching import Batch, Cursor, TrainingBatches
from nmt.errors import UserError
from nmt.models.seq2seq import Seq2Seq
from nmt.training.averaging import WeightAverage
from nmt.training.checkpoint import Progress, Training, load_average, load_checkpoint, save_checkpoint
from nmt.training.config import Precision, TrainingConfig
from nmt.training.interruption import interruptible
from nmt.training.reporting import Reporter
from nmt.training.schedule import Schedule
from nmt.training.validation import Validator, batch_loss


class Trainer:
    """Trains ``model`` on ``batches`` and keeps the checkpoints ``last`` and ``best`` (by validation BLEU) in ``checkpoints``."""

    def __init__(
        self,
        config: TrainingConfig,
        schedule: Schedule,
        model: Seq2Seq,
        batches: TrainingBatches,
        validator: Validator,
        reporter: Reporter,
        checkpoints: Path,
        device: torch.device,
    ) -> None:
        self.config = config
        self.schedule = schedule
        self.batches = batches
        self.validator = validator
        self.reporter = reporter
        self.checkpoints = checkpoints
        self.device = device
        self.model = model
        self.state = Training(model, WeightAverage(model, config.average), _optimizer(model, config), Progress())
        self._sums = _Sums(device)

    def resume(self) -> None:
        """Go back to the last checkpoint."""
        load_checkpoint(self.checkpoints / "last", self.state)

    def restore_best(self) -> None:
        """Put the averaged weights of the best checkpoint into the model."""
        load_average(self.checkpoints / "best", self.state)
        self.state.average.put_in()

    def run(self) -> None:
        """Train until ``max_steps`` or until patience ends. Ctrl-C and SIGTERM end the step and leave a last checkpoint."""
        progress = self.state.progress
        self.model.train()
        self.reporter.start(progress.step, self.config.max_steps)
        self._began, self._first_step, self._seconds_before = time.monotonic(), progress.step, progress.seconds
        try:
            with interruptible() as interruption, closing(self.batches.iterate(progress.cursor)) as stream:
                while progress.step < self.config.max_steps and not self._out_of_patience() and not interruption.signal:
                    self._update(stream)
                    self._after_update()
            if interruption.signal:
                self._save("last")
                self.reporter.line(f"interrupted at step {progress.step}; `resume=true` goes on from here")
                interruption.leave()
        finally:
            self.reporter.close()

    def _update(self, stream: Iterator[tuple[Batch, Cursor]]) -> None:
        """One step of the optimiser, on ``accumulate`` batches, with the loss a target token."""
        progress, optimizer = self.state.progress, self.state.optimizer
        taken = list(islice(stream, self.config.accumulate))
        tokens = sum(batch.target_tokens for batch, _ in taken)
        for batch, _ in taken:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision is Precision.bf16):
                loss, nll = batch_loss(self.model, batch.to(self.device), self.config.label_smoothing)
            (loss / tokens).backward()
            self._sums.add(nll, batch)
        torch.nn.utils.clip_grad_norm_(self.state.average.parameters, self.config.clip_norm, foreach=True)
        progress.step += 1
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self.schedule(progress.step, self.config.max_steps)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.state.average.update(progress.step)
        progress.cursor = taken[-1][1]

    def _after_update(self) -> None:
        """Log, validate and save when it is time to."""
        config, progress = self.config, self.state.progress
        last = progress.step == config.max_steps
        self.reporter.advance()
        if progress.step % config.log_every == 0 or last:
            self._log()
        paused = time.monotonic()
        if progress.step % config.validate_every == 0 or last:
            self._validate()
        if progress.step % config.checkpoint_every == 0 or last or self._out_of_patience():
            self._save("last")
        self._sums.began += time.monotonic() - paused

    def _log(self) -> None:
        progress = self.state.progress
        values = self._sums.take()
        values["learning_rate"] = float(self.state.optimizer.param_groups[0]["lr"])
        if not math.isfinite(values["loss"]):
            raise UserError(f"the training loss is {values['loss']} at step {progress.step}: lower `training.learning_rate`")
        pace = (time.monotonic() - self._began) / (progress.step - self._first_step)
        self.reporter.training(progress.step, self.config.max_steps, values, pace * (self.config.max_steps - progress.step))

    def _validate(self) -> None:
        progress = self.state.progress
        with self.state.average.applied():
            values, translations = self.validator(self.model)
        better = values["bleu"] > progress.best_bleu
        if better:
            progress.best_bleu, progress.best_step, progress.bad_validations = values["bleu"], progress.step, 0
        else:
            progress.bad_validations += 1
        self.reporter.validation(progress.step, values, "  best so far" if better else "")
        self.reporter.line(f"    {self.validator.sources[0]} → {translations[0]}")
        if better:
            self._save("best")
        if self._out_of_patience():
            self.reporter.line(f"stopped: no better BLEU in {progress.bad_validations} validations")

    def _out_of_patience(self) -> bool:
        return 0 < self.config.patience <= self.state.progress.bad_validations

    def _save(self, name: str) -> None:
        if not all(bool(weights.isfinite().all()) for weights in self.state.average.parameters):
            raise UserError(
                f"the weights are not finite at step {self.state.progress.step}, so the checkpoint before stays: "
                "lower `training.learning_rate`"
            )
        self.state.progress.seconds = self._seconds_before + time.monotonic() - self._began
        save_checkpoint(self.checkpoints / name, self.state)


class _Sums:
    """Figures since the last log line. The loss stays on its device until it is asked for.

    ``began`` is moved on by the time that is not spent training.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._reset()

    def _reset(self) -> None:
        self._nll = torch.zeros((), device=self._device)
        self._tokens = self._padding = self._positions = 0
        self.began = time.monotonic()

    def add(self, nll: Tensor, batch: Batch) -> None:
        self._nll += nll
        self._tokens += batch.target_tokens
        padding, positions = batch.padding
        self._padding += padding
        self._positions += positions

    def take(self) -> dict[str, float]:
        values = {
            "loss": float(self._nll) / self._tokens,
            "tokens_per_second": self._tokens / (time.monotonic() - self.began),
            "padding": self._padding / self._positions,
        }
        self._reset()
        return values


def _optimizer(model: Seq2Seq, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; matrices decay, biases and norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=True)
