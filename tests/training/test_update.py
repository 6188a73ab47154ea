"""Laws of the guards: a skipped update changes nothing, a split one nothing but rounding, a rehearsal leaves no trace."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nmt.data.batch import Batch, collate
from nmt.data.sequences import Sequences
from nmt.errors import UserError, is_out_of_memory
from nmt.models.config import ModelConfig
from nmt.models.seq2seq import Seq2Seq, build
from nmt.training.averaging import WeightAverage
from nmt.training.config import TrainingConfig
from nmt.training.figures import TOO_MANY, Skips
from nmt.training.loss import Objective
from nmt.training.memory import halves, largest_batches
from nmt.training.processes import ONE_PROCESS
from nmt.training.state import Progress, TrainingState
from nmt.training.update import BatchLoss, Updater, build_optimizer
from nmt.training.validation import batch_loss

VOCAB = 20
CPU = torch.device("cpu")
SOURCES = [[5, 6, 7], [8, 9, 10, 11], [12], [13, 14], [7, 7, 7, 7, 7]]
TARGETS = [[6, 7, 8, 9], [10], [11, 12, 13], [14, 15, 16, 17, 18], [19]]
BATCH = collate(SOURCES, TARGETS)
OTHER = collate(SOURCES[::-1], TARGETS)


def updater(dropout: float = 0.0) -> Updater:
    torch.manual_seed(1)
    sizes = {"embedding_size": 8, "hidden_size": 8, "encoder_hidden_size": 4}
    dropouts = {"dropout": dropout, "embedding_dropout": dropout, "word_dropout": 0.0}
    model = build(ModelConfig(**sizes, **dropouts), VOCAB, VOCAB, True)  # type: ignore[arg-type]
    config = TrainingConfig(average=0.9)
    training = TrainingState(model, WeightAverage(model, config.average), build_optimizer(model, config), Progress())
    loss = BatchLoss(model.train(), Objective(config.label_smoothing))
    return Updater(config, loss, training, CPU, ONE_PROCESS)


def test_teachers_are_heard_without_their_dropout_and_are_not_changed() -> None:
    student, teacher = updater(dropout=0.0).training.model, updater(dropout=0.5).training.model.eval()
    loss = BatchLoss(student, Objective(0.1, 1.0), [teacher]).train()
    first, second = loss(BATCH)[0], loss(BATCH)[0]
    assert not teacher.training and first.item() == second.item()
    first.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    # Of the same weights: they agree, and the loss is the entropy of what both expect.
    for parameter in student.parameters():
        assert parameter.grad is None or parameter.grad.abs().max() < 1e-5
    assert len(list(loss.parameters())) == len(list(student.parameters()))


def state(updater: Updater) -> list[Tensor]:
    """Weights, averages, moments and their counts of steps."""
    training = updater.training
    moments = [tensor for one in training.optimizer.state_dict()["state"].values() for tensor in one.values()]
    return [tensor.detach().clone() for tensor in (*training.average.parameters, *training.average.averages, *moments)]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def broken_loss(model: Seq2Seq, batch: Batch, objective: Objective, *_: object) -> tuple[Tensor, Tensor]:
    loss, nll = batch_loss(model, batch, objective)
    return loss * float("nan"), nll * float("nan")


def broken_gradient(model: Seq2Seq, batch: Batch, objective: Objective, *_: object) -> tuple[Tensor, Tensor]:
    loss, nll = batch_loss(model, batch, objective)
    loss.register_hook(lambda grad: grad * float("inf"))
    return loss, nll


@pytest.mark.parametrize("clip_norm", [1e-3, 1e3])
def test_an_update_clips_by_the_norm_of_all_gradients(clip_norm: float) -> None:
    ours, plain = updater(), updater()
    ours.config = replace(ours.config, clip_norm=clip_norm)
    ours([BATCH], 1, 0.01)

    (batch_loss(plain.loss.model, BATCH, Objective(ours.config.label_smoothing))[0] / BATCH.target_tokens).backward()  # type: ignore[arg-type]
    norm = torch.nn.utils.clip_grad_norm_(plain.training.average.parameters, clip_norm)
    assert (norm > clip_norm) == (clip_norm < 1)
    for group in plain.training.optimizer.param_groups:
        group["lr"] = 0.01
    plain.training.optimizer.step()
    plain.training.average.update(1, torch.tensor(True))
    for one, other in zip(state(ours), state(plain), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("broken", [broken_loss, broken_gradient])
@pytest.mark.parametrize("first", [True, False])
def test_an_update_that_is_not_finite_changes_nothing_and_is_counted(
    broken: Any, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, straight = updater(), updater()
    for each in (spoilt, straight):
        if not first:
            each([BATCH], 1, 0.01)
    before = state(spoilt)
    with monkeypatch.context() as patched:
        patched.setattr("nmt.training.update.batch_loss", broken)
        spoilt([BATCH, OTHER], 2, 0.01)
    # The optimiser's state is made at the first update, be it skipped or not.
    assert same(state(spoilt)[: len(before)], before)
    assert spoilt.skips.in_a_row == 1
    for each in (spoilt, straight):
        each([OTHER], 3, 0.01)
    assert same(state(spoilt), state(straight))
    assert spoilt.skips.in_a_row == 0
    figures, others = spoilt.figures.take(), straight.figures.take()
    assert (figures["skipped"], others["skipped"]) == (1, 0)
    assert figures["loss"] == others["loss"]


def test_too_many_in_a_row_are_told_with_the_first_of_them() -> None:
    skips, finite = Skips(CPU), torch.tensor(True)
    for step in range(1, TOO_MANY):
        skips.add(~finite, step)
    assert skips.in_a_row == TOO_MANY - 1 and skips.too_many is None
    again = Skips(CPU, skips.in_a_row)  # as after a resume
    again.add(~finite, TOO_MANY)
    assert again.too_many == 1
    skips.add(finite, TOO_MANY)
    for step in range(TOO_MANY + 1, 2 * TOO_MANY + 1):
        assert skips.too_many is None
        skips.add(~finite, step)
    for step in range(2 * TOO_MANY + 1, 5 * TOO_MANY):  # looked at later only, as on a GPU
        skips.add(~finite, step)
    skips.add(finite, 5 * TOO_MANY)
    for step in range(5 * TOO_MANY + 1, 7 * TOO_MANY):
        skips.add(~finite, step)
    assert skips.too_many == TOO_MANY + 1


def limited(largest: int) -> Any:
    """A loss for whose batches there is memory up to ``largest`` sentences; it fails after some gradients are there."""

    def loss(model: Seq2Seq, batch: Batch, objective: Objective, *_: object) -> tuple[Tensor, Tensor]:
        if len(batch.source) > largest:
            batch_loss(model, batch, objective)[0].backward()  # type: ignore[no-untyped-call]
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch_loss(model, batch, objective)

    return loss


def gradients(updater: Updater, batches: list[Batch]) -> list[Tensor]:
    loss, nll = updater._backward(batches, exchange=True)
    found = [parameter.grad for parameter in updater.training.average.parameters]
    return [loss, nll, *(gradient for gradient in found if gradient is not None)]


@pytest.mark.parametrize("largest", [1, 2, 4])
def test_splitting_for_memory_changes_nothing_but_rounding(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(updater(), [OTHER, BATCH])
    monkeypatch.setattr("nmt.training.update.batch_loss", limited(largest))
    split = updater()
    torch.testing.assert_close(gradients(split, [OTHER, BATCH]), whole, rtol=1e-4, atol=1e-6)
    assert split.figures.split == {1: 8, 2: 4, 4: 2}[largest]


def test_one_pair_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.training.update.batch_loss", limited(0))
    with pytest.raises(UserError) as error:
        updater()([BATCH], 1, 0.01)
    assert str(error.value) == (
        "`data.max_length` must be so small that one pair fits into memory, but a pair of 5 and 5 pieces does not: "
        "lower it, or the sizes of the model"
    )


def test_other_errors_are_no_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(*arguments: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("nmt.training.update.batch_loss", mistake)
    with pytest.raises(RuntimeError, match="mat1"):
        updater()([BATCH], 1, 0.01)


def test_too_little_memory_is_recognised_on_a_cpu() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**55)
    assert is_out_of_memory(error.value)


def test_halves_hold_the_pairs_of_the_whole() -> None:
    def pairs(batch: Batch) -> list[tuple[list[int], list[int], list[int]]]:
        rows = batch.positions // batch.target_in.shape[1]
        columns = batch.positions % batch.target_in.shape[1]
        return [
            (
                batch.source[row][batch.source_mask[row]].tolist(),
                batch.target_in[row][columns[rows == row]].tolist(),
                batch.labels[rows == row].tolist(),
            )
            for row in range(len(batch.source))
        ]

    one, other = halves(BATCH)
    assert len(one.source) == 2 and len(other.source) == 3
    assert pairs(one) + pairs(other) == pairs(BATCH)


@pytest.mark.parametrize("largest", [2, 100])
def test_a_rehearsal_leaves_no_trace(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed, straight = updater(dropout=0.3), updater(dropout=0.3)
    monkeypatch.setattr("nmt.training.update.batch_loss", limited(largest))
    torch.manual_seed(5)
    assert rehearsed.rehearse(BATCH) == (2 if largest == 2 else 0)
    assert rehearsed.figures.split == 0
    monkeypatch.undo()
    rehearsed([OTHER], 1, 0.01)
    torch.manual_seed(5)
    straight([OTHER], 1, 0.01)
    assert same(state(rehearsed), state(straight))


def test_the_largest_batches_are_those_with_most_positions_and_most_to_attend_to() -> None:
    lengths = [1] * 40 + [30, 9, 9]

    class Pairs:
        def __len__(self) -> int:
            return len(lengths)

        def ids(self, members: Any) -> tuple[Sequences, Sequences]:
            source, target = (Sequences.of([[piece] * lengths[member] for member in members]) for piece in (5, 6))
            return source, target

    found = {tuple(batch.source.shape) for batch in largest_batches(Pairs(), 40)}  # type: ignore[arg-type]
    assert found == {(20, 2), (1, 31)}
