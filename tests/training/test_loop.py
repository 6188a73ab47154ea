"""Laws of the update: accumulation, schedule, decay, modes; and of validation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from nmt.data.batch import Batch, collate
from nmt.data.batching import Cursor
from nmt.models.config import ModelConfig
from nmt.models.seq2seq import Seq2Seq, build
from nmt.plain_data import read_json
from nmt.training.config import TrainingConfig
from nmt.training.figures import TOO_MANY, Skips
from nmt.training.loop import Trainer
from nmt.training.loss import Objective
from nmt.training.reporting import Reporter
from nmt.training.schedule import InverseSquareRoot
from nmt.training.state import Fingerprints
from nmt.training.validation import Validator

VOCAB = 20
CPU = torch.device("cpu")
SOURCES = [[5, 6, 7], [8, 9, 10, 11], [12], [13, 14]]
TARGETS = [[6, 7, 8, 9], [10], [11, 12, 13], [14, 15, 16, 17, 18]]


@dataclass
class Batches:
    """The same batches again and again."""

    batches: list[Batch]

    def iterate(self, cursor: Cursor) -> Any:
        while True:
            for batch in self.batches:
                yield batch, cursor


def network() -> Seq2Seq:
    torch.manual_seed(1)
    sizes = {"embedding_size": 8, "hidden_size": 8, "encoder_hidden_size": 4}
    dropouts = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0}
    return build(ModelConfig(**sizes, **dropouts), VOCAB, VOCAB, True)  # type: ignore[arg-type]


def trainer(batches: list[Batch], checkpoints: Path = Path(), **settings: Any) -> Trainer:
    config = TrainingConfig(**settings)
    schedule, model = InverseSquareRoot(warmup_steps=4), network()
    arguments = (config, schedule, model, Batches(batches), None, Reporter(False), checkpoints, CPU, Fingerprints())
    return Trainer(*arguments)  # type: ignore[arg-type]


def updated(batches: list[Batch], steps: int = 3, **settings: Any) -> list[torch.Tensor]:
    training = trainer(batches, **settings)
    training.model.train()
    stream = training.batches.iterate(Cursor())
    for _ in range(steps):
        training._update(stream)
    return [parameter.detach() for parameter in training.model.parameters()]


def test_accumulation_over_unequal_halves_equals_one_batch() -> None:
    halves = [collate(SOURCES[:1], TARGETS[:1]), collate(SOURCES[1:], TARGETS[1:])]
    for one, other in zip(updated([collate(SOURCES, TARGETS)]), updated(halves, accumulate=2), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_rate_is_the_peak_times_the_schedule() -> None:
    training = trainer([collate(SOURCES, TARGETS)], learning_rate=0.01)
    stream = training.batches.iterate(Cursor())
    for step in range(1, 9):
        training._update(stream)
        expected = 0.01 * InverseSquareRoot(warmup_steps=4)(step, training.config.max_steps)
        assert {group["lr"] for group in training.state.optimizer.param_groups} == {expected}


def test_matrices_decay_and_vectors_do_not() -> None:
    decaying, others = trainer([], weight_decay=0.3).state.optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.3, 0)
    assert all(parameter.ndim > 1 for parameter in decaying["params"])
    assert all(parameter.ndim == 1 for parameter in others["params"])


def test_the_settings_of_loss_and_moments_are_passed_on() -> None:
    training = trainer([], label_smoothing=0.3, distillation=0.7, beta2=0.5)
    loss: Any = training._loss
    assert loss.objective == Objective(smoothing=0.3, distillation=0.7)
    assert {group["betas"] for group in training.state.optimizer.param_groups} == {(0.9, 0.5)}


def test_gradients_are_clipped() -> None:
    batch = [collate(SOURCES, TARGETS)]
    free, clipped = updated(batch, steps=2), updated(batch, steps=2, clip_norm=1e-9)
    start = [parameter.detach() for parameter in network().parameters()]

    def way(after: list[torch.Tensor]) -> float:
        return sum((one - other).abs().sum().item() for one, other in zip(after, start, strict=True))

    assert way(clipped) < way(free) / 2


def test_a_gpu_is_asked_only_when_it_is_waited_for_anyway() -> None:
    training = trainer([], log_every=5, validate_every=100, checkpoint_every=100)
    for step in range(1, TOO_MANY + 1):
        training.updater.skips.add(torch.tensor(False), step)
    training.state.progress.step = 11
    assert training._is_lost(), "a CPU is never waited for"
    training.device = torch.device("cuda")
    assert not training._is_lost()
    assert training._is_lost(leaving=True)
    training.state.progress.step = 15
    assert training._is_lost()


def test_weights_that_are_not_finite_are_lost_once_they_are_to_be_used() -> None:
    training = trainer([], log_every=1, validate_every=10, checkpoint_every=100)
    training.state.progress.step = 10
    assert not training._is_lost()
    with torch.no_grad():
        training.model.output.bias[3] = torch.inf
    assert training._is_lost()
    training.state.progress.step = 11
    assert not training._is_lost() and training._is_lost(leaving=True)


@pytest.mark.parametrize(("best_step", "bad"), [(1, 2), (4, 0)])
def test_who_goes_back_counts_from_the_best_validation(best_step: int, bad: int, tmp_path: Path) -> None:
    training = trainer([], tmp_path)
    progress = training.state.progress
    progress.step, progress.best_bleu, progress.best_step, progress.bad_validations = 3, 10.0, 1, 2
    training.save("last")
    progress.step = 7
    if best_step == 4:
        progress.best_bleu, progress.best_step, progress.bad_validations = 20.0, 4, 0
    else:
        progress.bad_validations = 6
    training._go_back()
    after = training.state.progress
    assert (after.step, after.best_bleu, after.best_step, after.bad_validations) == (3, progress.best_bleu, best_step, bad)


def test_a_checkpoint_between_skipped_updates_leaves_the_one_before_them(tmp_path: Path) -> None:
    training = trainer([], tmp_path)
    progress, steps = training.state.progress, []
    for step, skipped in ((1, 0), (2, 3), (3, 4)):
        progress.step = step
        training.updater.skips = Skips(CPU, skipped)
        training.save("last")
    for sound in (False, True):
        training.resume(sound)
        steps.append((training.state.progress.step, training.updater.skips.in_a_row))
    assert steps == [(3, 4), (1, 0)]
    training.state.progress.step = 5
    training.save("last")
    assert [read_json(tmp_path / name / "progress.json")["step"] for name in ("last", "previous")] == [5, 1]
    training.state.progress.step = 6
    training.save("last")
    assert [read_json(tmp_path / name / "progress.json")["step"] for name in ("last", "previous")] == [6, 5]


def test_validation_loss_is_the_cross_entropy_and_leaves_the_mode() -> None:
    model = network().train()
    model.decoder.dropout.p = 0.5  # must not count in validation
    batch = collate(SOURCES, TARGETS)
    validator = Validator([batch], [], [], None, None, "de", None, CPU, 256)  # type: ignore[arg-type]
    found = validator.loss(model)
    assert model.training
    logits = model.eval()(batch.source, batch.source_mask, batch.target_in).detach().flatten(0, 1)[batch.positions]
    assert abs(found - functional.cross_entropy(logits, batch.labels).item()) < 1e-5
