"""Several processes train, validate, stop and fail as one would."""

import copy
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nmt.cli import main
from nmt.data.batch import collate
from nmt.data.batching import evaluation_batches
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.errors import UserError
from nmt.models.config import ModelConfig
from nmt.models.seq2seq import build
from nmt.search import Greedy
from nmt.tokenizer import TokenizerConfig
from nmt.training.averaging import WeightAverage
from nmt.training.config import TrainingConfig
from nmt.training.distributed import SeveralProcesses
from nmt.training.interruption import Interruption
from nmt.training.loop import Trainer
from nmt.training.loss import Objective
from nmt.training.processes import OneProcess
from nmt.training.state import Progress, TrainingState
from nmt.training.update import BatchLoss, Updater, build_optimizer
from nmt.training.validation import Validator, batch_loss

CPU = torch.device("cpu")


def network(vocab_size: int = 20) -> Any:
    torch.manual_seed(1)
    sizes = {"embedding_size": 8, "hidden_size": 8, "encoder_hidden_size": 4}
    dropouts = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0}
    return build(ModelConfig(**sizes, **dropouts), vocab_size, vocab_size, True)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shares_of_a_batch_have_its_loss_and_gradients(size: int) -> None:
    batch = collate([[5, 6, 7], [8, 9, 10, 11], [12], [13]], [[6, 9, 9, 9], [10], [11, 12], [7, 8]])
    model = network()
    loss, nll = batch_loss(model, batch, Objective(0.1))
    loss.backward()
    whole = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    shares = [batch.share(rank, size) for rank in range(size)]
    assert sum(share.target_tokens for share in shares) == batch.target_tokens
    assert all(share.source_mask[:, -1].any() for share in shares), "a share is no wider than its longest sentence"
    found = [batch_loss(model, share, Objective(0.1)) for share in shares]
    for own, _ in found:
        own.backward()
    assert sum(own.item() for own, _ in found) == pytest.approx(loss.item(), rel=1e-5)
    assert sum(own.item() for _, own in found) == pytest.approx(nll.item(), rel=1e-5)
    for expected, parameter in zip(whole, model.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-5)


class Thread(OneProcess):
    """One of several threads that gather values as processes do."""

    def __init__(self, rank: int, slots: list[Any], barrier: threading.Barrier) -> None:
        super().__init__()
        self.rank, self.size = rank, len(slots)
        self._slots, self._barrier = slots, barrier

    def gather(self, value: Any) -> list[Any]:
        self._slots[self.rank] = value
        self._barrier.wait(60)
        values = list(self._slots)
        self._barrier.wait(60)
        return values

    def add_up(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.stack(self.gather(tensor)).sum(dim=0)


@pytest.mark.parametrize("size", [2, 12])  # of 8 sentences, so that some have none
def test_validation_that_is_shared_out_is_the_same(size: int, tiny_corpus: Path) -> None:
    data = DataConfig(path=str(tiny_corpus), source="en", target="fr")
    pairs = load_pairs(data, "val")
    tokenizers = cached_tokenizers(load_pairs(data, "train"), TokenizerConfig(vocab_size=320))
    encoded = EncodedPairs.from_pairs(pairs, tokenizers, 256)
    model = network(320)
    slots, barrier = [None] * size, threading.Barrier(size)

    def validate(processes: OneProcess) -> tuple[dict[str, float], list[str]]:
        batches = evaluation_batches(encoded, 4000)
        texts = pairs.sources()[:8], pairs.targets()[:8]
        validator = Validator(batches, *texts, tokenizers, Greedy(), "fr", None, CPU, 256, processes)
        return validator(copy.deepcopy(model))

    expected, translations = validate(OneProcess())
    assert len(set(translations)) > 1
    with ThreadPoolExecutor(size) as threads:
        for values, found in threads.map(validate, [Thread(rank, slots, barrier) for rank in range(size)]):
            assert found == translations
            assert (values["loss"], values["bleu"]) == (expected["loss"], expected["bleu"])


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, groups = [], []
    processes = SeveralProcesses.__new__(SeveralProcesses)  # without meeting others
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    monkeypatch.setattr("torch.distributed.new_group", lambda **settings: groups.append(settings["backend"]))
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert processes.device("cpu") == CPU
    assert (chosen, groups) == ([], [])
    assert processes.device("cuda") == torch.device("cuda", 1)
    assert (chosen, groups) == ([1], ["nccl"])
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(UserError, match=r"at most one process for each CUDA device \(2\), but started 3"):
        processes.device("cuda")


def updated(model: Any, processes: OneProcess) -> list[torch.Tensor]:
    config = TrainingConfig()
    training = TrainingState(model, WeightAverage(model, 0.0), build_optimizer(model, config), Progress())
    batch = collate([[5, 6, 7], [8, 9]], [[6], [10, 11]])
    Updater(config, BatchLoss(model, Objective(0.1)), training, CPU, processes)([batch], step=1, rate=0.1)
    return [parameter.detach() for parameter in model.parameters()]


def test_an_update_that_is_not_finite_for_one_is_skipped_by_all() -> None:
    slots, barrier = [None, None], threading.Barrier(2)
    models = [network(), network()]
    with torch.no_grad():
        models[1].output.bias.fill_(torch.nan)
    with ThreadPoolExecutor(2) as threads:
        after = next(threads.map(updated, models, [Thread(rank, slots, barrier) for rank in range(2)]))
    assert all(map(torch.equal, after, network().parameters()))
    assert not all(map(torch.equal, updated(network(), OneProcess()), network().parameters()))


def test_too_little_memory_for_one_of_several_processes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("nmt.training.update.batch_loss", fail)
    rule = "`training.batch_tokens` must be so low that a share of a batch fits into memory in each of 2 processes"
    with pytest.raises(UserError, match=f"^{rule}, but is 2500 instead$"):
        updated(network(), Thread(0, [None, None], threading.Barrier(2)))


def test_a_signal_that_comes_while_processes_agree_waits_for_the_next_time() -> None:
    interruption = Interruption()

    class Late(OneProcess):
        def largest(self, value: int) -> int:
            interruption.signal = signal.SIGTERM
            return value

    trainer: Any = SimpleNamespace(processes=Late())
    assert not Trainer._asked_to_stop(trainer, interruption)
    assert Trainer._asked_to_stop(trainer, interruption)
    assert interruption.signal == signal.SIGTERM


def torchrun(repository: Path, processes: int, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "nmt"]
    return subprocess.Popen(
        [*command, "train", *map(str, arguments)], cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(running: "subprocess.Popen[str]", timeout: float = 120) -> tuple[int, str]:
    """Exit code and stderr; nothing but results goes to stdout."""
    try:
        out, err = running.communicate(timeout=timeout)
    finally:
        running.kill()
    assert out == ""
    return running.returncode, err


def trained(repository: Path, processes: int, *arguments: object) -> str:
    code, err = finished(torchrun(repository, processes, *arguments))
    assert code == 0, err
    return err


def weights(run_dir: Path, file: str = "model.safetensors") -> dict[str, torch.Tensor]:
    return load_file(run_dir / "checkpoints" / "last" / file)


def records(run_dir: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


# With a normed readout, which is fed back, differences of rounding grow: 4e-6 after 2 updates, 3e-4 after 50; 5e-7 with tanh.
LUONG = ["model.cell=lstm", "model.wiring=input_feeding", "model.readout=tanh"]


@pytest.mark.parametrize(("accumulate", "system"), [(1, []), (2, LUONG)])
def test_two_processes_make_the_weights_of_one(
    accumulate: int, system: list[str], repository: Path, tiny_settings: Sequence[str], tmp_path: Path
) -> None:
    settings = [
        *tiny_settings,
        *system,
        "model.dropout=0",
        "model.embedding_dropout=0",
        "model.word_dropout=0",
        "training.max_steps=50",
        "training.validate_every=25",
        "training.log_every=10",
        "training.batch_tokens=60",  # one to three sentences: the share of the second process is empty again and again
        f"training.accumulate={accumulate}",
    ]
    assert main(["train", *settings, f"run_dir={tmp_path}/one"]) == 0
    err = trained(repository, 2, *settings, f"run_dir={tmp_path}/two")
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    assert max(float((two[name] - one[name]).abs().max() / one[name].abs().max()) for name in one) < 1e-4
    for kind in ("train", "validation"):
        for alone, together in zip(records(tmp_path / "one", kind), records(tmp_path / "two", kind), strict=True):
            assert together["step"] == alone["step"]
            assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {path.name for path in (tmp_path / "two").iterdir()} == names
    assert err.startswith("device cpu (") and " in each of 2 processes, " in err.splitlines()[0]
    assert err.splitlines() == (tmp_path / "two" / "train.log").read_text().splitlines()
    assert json.loads((tmp_path / "two" / "model" / "evaluation.json").read_text())["validation"]["sentences"] == 8


def test_going_on_is_the_same_as_never_stopping(
    repository: Path, tiny_settings: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of three terms, unlike two, the order counts in which they are added up.
    settings = [*tiny_settings, "schedule=constant", "training.validate_every=100"]
    trained(repository, 3, *settings, "training.max_steps=9", f"run_dir={tmp_path}/straight")
    trained(repository, 3, *settings, "training.max_steps=4", f"run_dir={tmp_path}/stopped")
    trained(repository, 3, f"run_dir={tmp_path}/stopped", "resume=true", "training.max_steps=9")
    for file in ("model.safetensors", "average.safetensors"):
        straight, stopped = (weights(tmp_path / name, file) for name in ("straight", "stopped"))
        assert all(torch.equal(straight[name], stopped[name]) for name in straight)
    stored = torch.load(tmp_path / "straight" / "checkpoints" / "last" / "optimizer.pt", weights_only=True)
    assert len({str(one["numpy"]) for one in stored["random"]}) == 3, "each process has random numbers of its own"
    assert main(["train", f"run_dir={tmp_path}/stopped", "resume=true", "training.max_steps=11"]) == 0
    err = capsys.readouterr().err
    assert "processes: 3 before, 1 now, so dropout draws from fresh seeds" in err
    assert "trained 11 steps" in err


def test_processes_return_to_a_checkpoint_and_give_up_together(
    repository: Path, tiny_settings: Sequence[str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    settings = ["training.learning_rate=1e30", "training.max_steps=100", "training.validate_every=100"]
    code, err = finished(torchrun(repository, 2, *tiny_settings, *settings, f"run_dir={run_dir}"))
    assert code != 0
    assert err.count("10 updates in a row had a loss or gradient that is not finite; going on from step") == 3
    assert err.count("nmt: loss, gradient and weights must be finite, but from step") == 1
    assert json.loads((run_dir / "bad_batch.json").read_text())["pairs"]


def process_of_rank(running: "subprocess.Popen[str]", rank: int) -> int:
    for child in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
            return int(child)
    raise AssertionError(f"torchrun has no process of rank {rank}")


def wait_for(run_dir: Path, text: str) -> None:
    for _ in range(600):
        if (run_dir / "train.log").exists() and text in (run_dir / "train.log").read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"no `{text}` in train.log")


def test_a_signal_or_the_end_of_one_process_is_that_of_all(
    repository: Path, tiny_settings: Sequence[str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    rest = ["training.max_steps=100000", "training.validate_every=100000", "training.log_every=1"]
    running = torchrun(repository, 2, *tiny_settings, *rest, f"run_dir={run_dir}", "training.checkpoint_every=100000")
    wait_for(run_dir, "step 3/")
    os.kill(process_of_rank(running, 1), signal.SIGTERM)
    code, err = finished(running)
    assert code != 0
    assert err.count("; `resume=true` goes on from") == 1
    assert "exitcode  : 143" in err
    step = json.loads((run_dir / "checkpoints" / "last" / "progress.json").read_text())["step"]
    assert f"interrupted at step {step}" in err

    running = torchrun(repository, 2, f"run_dir={run_dir}", "resume=true")
    wait_for(run_dir, f"step {step + 3}/")
    os.kill(process_of_rank(running, 1), signal.SIGKILL)
    code, err = finished(running, timeout=60)
    assert code != 0
    assert f"resumed at step {step}" in err
    assert err.count("nmt: process 0 of 2 has lost another one, which was killed or failed") == 1


@pytest.mark.parametrize(
    ("override", "code", "sentence"),
    [
        ("-m", 2, "`-m` must run in one process, but torchrun started 2"),
        ("training.validation_tokenize=14a", 1, "`training.validation_tokenize` must be one of"),
    ],
)
def test_a_mistake_is_told_once(
    override: str, code: int, sentence: str, repository: Path, tiny_settings: Sequence[str], tmp_path: Path
) -> None:
    failed, err = finished(torchrun(repository, 2, *tiny_settings, f"run_dir={tmp_path}/run", override))
    assert failed != 0
    assert err.count(f"nmt: {sentence}") == err.count("nmt: ") == 1
    assert f"exitcode  : {code} " in err
    assert "/nmt/training/" not in err, "no traceback of ours"
    assert list(tmp_path.iterdir()) == []
