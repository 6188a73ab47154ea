"""The training loop: updates, validation, early stopping, checkpoints."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch

from nmt.data.batch import Batch, collate
from nmt.data.batching import Cursor, TrainingBatches
from nmt.errors import UserError
from nmt.models.seq2seq import Seq2Seq
from nmt.training.averaging import WeightAverage
from nmt.training.bad_batch import write_bad_batch
from nmt.training.checkpoint import BEST, LAST, Checkpoints
from nmt.training.config import TrainingConfig
from nmt.training.figures import TOO_MANY, Skips
from nmt.training.interruption import Interruption, interruptible
from nmt.training.loss import Objective
from nmt.training.processes import ONE_PROCESS, Processes
from nmt.training.reporting import Reporter
from nmt.training.schedule import Schedule
from nmt.training.state import NO_BLEU, Fingerprints, Progress, TrainingState
from nmt.training.update import BatchLoss, Updater, build_optimizer
from nmt.training.validation import Validator

RETURNS = 3


class Trainer:
    """Trains ``model`` on ``batches``. In ``checkpoints`` it keeps ``last``, the ``previous`` one and, by BLEU, the ``best``."""

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
        fingerprints: Fingerprints,
        processes: Processes = ONE_PROCESS,
        teachers: Sequence[Seq2Seq] = (),
    ) -> None:
        self.config = config
        self.schedule = schedule
        self.batches = batches
        self.validator = validator
        self.reporter = reporter
        self.device = device
        self.model = model
        self.processes = processes
        objective = Objective(config.label_smoothing, config.distillation)
        loss = BatchLoss(model, objective, teachers)
        self._loss = processes.parallel(loss, collate([[]], [[]]).to(device))
        progress = Progress(fingerprints=fingerprints, bleu_of=self._bleu_of)
        self.state = TrainingState(model, WeightAverage(model, config.average), build_optimizer(model, config), progress)
        self.checkpoints = Checkpoints(checkpoints, self.state, processes, reporter.line)
        self.updater = Updater(config, self._loss, self.state, device, processes)
        self._began, self._updates, self._seconds_before = time.monotonic(), 0, 0.0
        # Where the batches of the latest updates begin: a GPU tells of a bad one only when it is asked, at log time.
        self._places: deque[tuple[int, Cursor]] = deque(maxlen=config.log_every + TOO_MANY)

    @property
    def finished(self) -> bool:
        """Whether ``max_steps`` or patience has ended the training."""
        return self.state.progress.step >= self.config.max_steps or self.out_of_patience

    @property
    def out_of_patience(self) -> bool:
        """Whether there were as many validations without a better BLEU as ``patience`` allows."""
        return 0 < self.config.patience <= self.state.progress.bad_validations

    @property
    def _bleu_of(self) -> str:
        config = self.config
        return f"{config.validation_sentences} sentences, beam {config.validation_beam}, tokenize {config.validation_tokenize}"

    def resume(self, sound: bool = False) -> None:
        """Go back to the last checkpoint, or if that is damaged (or not as ``sound`` as asked for) to the one before."""
        before, size = self.checkpoints.resume(sound), self.processes.size
        progress = self.state.progress
        if progress.bleu_of not in ("", self._bleu_of):
            progress.best_bleu, progress.bad_validations = NO_BLEU, 0
            self.reporter.line(f"validation BLEU is that of {self._bleu_of} now, and is not compared with what was before")
        progress.bleu_of = self._bleu_of
        if before != size:
            self.processes.diverge(self.batches.seed, self.state.progress.step)
            self.reporter.line(f"processes: {before} before, {size} now, so dropout draws from fresh seeds")
        self.updater.skips = Skips(self.device, progress.skipped_in_a_row)
        self.updater.figures.restore(progress.window)

    def rehearse(self, batches: list[Batch]) -> None:
        """Let it show at once, not after hours, if these batches are too large for memory. Leaves no trace."""
        self.model.train()
        split = sum(self.updater.rehearse(batch) for batch in batches)
        if split:
            self.reporter.line(
                f"out of memory: the largest batches were split {split} times, as they will be in training; "
                "a lower `training.batch_tokens` is faster"
            )

    def run(self) -> None:
        """Train until ``max_steps`` or until patience ends. Ctrl-C and SIGTERM end the step and leave a last checkpoint."""
        self.model.train()
        self.reporter.start(self.state.progress.step, self.config.max_steps)
        self._began, self._seconds_before = time.monotonic(), self.state.progress.seconds
        try:
            with interruptible() as interruption:
                while self._follow(interruption):
                    self._go_back()
                if self._asked_to_stop(interruption):
                    self._save_interrupted()
            interruption.leave()
        finally:
            self.reporter.close()

    def _follow(self, interruption: Interruption) -> bool:
        """Updates from the cursor on, until it is time to stop or the weights are lost: whether they are."""
        with closing(self.batches.iterate(self.state.progress.cursor)) as stream:
            while not (self.finished or self._asked_to_stop(interruption)):
                self._update(stream)
                if self._is_lost():
                    return True
                self._after_update()
        return self._is_lost(leaving=True)

    def _asked_to_stop(self, interruption: Interruption) -> bool:
        """Whether any process has had a signal; if so, all stop as if they had."""
        signal = self.processes.largest(interruption.signal or 0)
        if signal:  # otherwise one may have come meanwhile, for the next time
            interruption.signal = signal
        return signal > 0

    def _update(self, stream: Iterator[tuple[Batch, Cursor]]) -> None:
        """One step of the optimiser, on ``accumulate`` batches."""
        progress = self.state.progress
        taken = list(islice(stream, self.config.accumulate))
        progress.step += 1
        self._updates += 1
        self._places.append((progress.step, progress.cursor))
        rate = self.config.learning_rate * progress.rate_factor * self.schedule(progress.step, self.config.max_steps)
        self.updater([batch for batch, _ in taken], progress.step, rate)
        progress.cursor = taken[-1][1]

    def _is_due(self, every: int) -> bool:
        return self.state.progress.step % every == 0 or self.state.progress.step == self.config.max_steps

    def _after_update(self) -> None:
        """Log, validate and save when it is time to."""
        config = self.config
        self.reporter.advance()
        if self._is_due(config.log_every):
            self._log()
        with self.updater.figures.paused():
            if self._is_due(config.validate_every):
                self._validate()
            # While updates are skipped, the weights may be what is wrong: the checkpoint before is the one to go back to.
            if self.finished or (self._is_due(config.checkpoint_every) and self.updater.skips.in_a_row == 0):
                self.save(LAST)

    def _log(self) -> None:
        progress, figures = self.state.progress, self.updater.figures.take()
        figures["learning_rate"] = float(self.state.optimizer.param_groups[0]["lr"])
        pace = (time.monotonic() - self._began) / self._updates
        seconds_left = pace * (self.config.max_steps - progress.step)
        self.reporter.training(progress.step, self.config.max_steps, figures, seconds_left)

    def _validate(self) -> None:
        progress = self.state.progress
        with self.state.average.applied():
            values, translations = self.validator(self.model)
        better = values["bleu"] > progress.best_bleu
        if better:
            progress.best_bleu, progress.best_step, progress.bad_validations = values["bleu"], progress.step, 0
        elif progress.step % self.config.validate_every == 0:  # not one for `max_steps` alone: more of them would go on without
            progress.bad_validations += 1
        self.reporter.validation(progress.step, values, "  best so far" if better else "")
        self.reporter.line(f"    {self.validator.sources[0]} → {translations[0]}")
        if better:
            self.save(BEST)
        if self.out_of_patience:
            self.reporter.line(f"stopped: no better BLEU in {progress.bad_validations} validations")

    def save(self, name: str) -> None:
        """Write the checkpoint ``name``; the ``last`` one before becomes the ``previous`` one."""
        progress = self.state.progress
        progress.seconds = self._seconds_before + time.monotonic() - self._began
        progress.skipped_in_a_row = self.updater.skips.in_a_row
        progress.window = self.updater.figures.window()
        self.checkpoints.save(name)

    def _save_interrupted(self) -> None:
        self.save(LAST)
        self.reporter.line(f"interrupted at step {self.state.progress.step}; `resume=true` goes on from the last checkpoint")

    def _is_lost(self, leaving: bool = False) -> bool:
        """Whether too many updates in a row were skipped, or one made weights that are not finite.

        A GPU is only asked when it is waited for anyway, and the weights before they are used or saved.
        """
        uses_weights = leaving or self._is_due(self.config.validate_every) or self._is_due(self.config.checkpoint_every)
        if self.device.type != "cpu" and not uses_weights and not self._is_due(self.config.log_every):
            return False
        return self.updater.skips.too_many is not None or (uses_weights and not self._has_finite_weights())

    def _has_finite_weights(self) -> bool:
        return all(bool(weights.isfinite().all()) for weights in self.state.average.parameters)

    def _go_back(self) -> None:
        """To the last checkpoint, with half the learning rate; or give up if that was done too often."""
        lost, first = self.state.progress, self.updater.skips.too_many
        if lost.returns == RETURNS:
            raise UserError(self._give_up(first or lost.step))
        self.resume(sound=True)
        progress = self.state.progress
        progress.returns, progress.skipped_in_a_row = lost.returns + 1, 0
        progress.best_bleu, progress.best_step = lost.best_bleu, lost.best_step  # that checkpoint is still there
        progress.bad_validations = min(progress.bad_validations, lost.bad_validations)  # the best may be newer than this one
        self.updater = Updater(self.config, self._loss, self.state, self.device, self.processes)
        self.updater.figures.restore(progress.window)
        self._places.clear()
        self.reporter.go_back(progress.step)
        reason = f"{TOO_MANY} updates in a row had a loss or gradient that is not finite" if first else "weights are not finite"
        rate = f"{progress.rate_factor:g} of the learning rate"
        self.reporter.line(f"step {lost.step}: {reason}; going on from step {progress.step} with {rate}")
        self.save(LAST)

    def _give_up(self, step: int) -> str:
        file, places = self.checkpoints.directory.parent / "bad_batch.json", dict(self._places)
        step = max(step, min(places))
        cursor = places[step]
        batches = [batch for batch, _ in islice(self.batches.iterate(cursor), self.config.accumulate)]
        if self.processes.is_leader:
            write_bad_batch(file, step, cursor, batches, self.batches.tokenizers)
        self.processes.wait()  # the first that raises ends all
        return (
            f"loss, gradient and weights must be finite, but from step {step} on they are not, after {RETURNS} returns to a"
            f" checkpoint with half the learning rate each: look at that step's batch (epoch {cursor.epoch}, shard {cursor.shard}"
            f", batch {cursor.batch}) in `{file}`, or begin anew with a lower `training.learning_rate`"
        )
