"""A whole run on the toy corpus: what it leaves behind, what it refuses, and that going on is the same as never stopping."""

import json
import math
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial, partialmethod
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nmt.data.batch import Batch
from nmt.data.batching import Cursor, TrainingBatches
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.data.toy import toy_pairs
from nmt.errors import UserError
from nmt.evaluation import score
from nmt.models.config import Architecture, AttentionKind, BridgeKind, Cell, ModelConfig, Wiring
from nmt.models.seq2seq import Seq2Seq
from nmt.search import Beam
from nmt.tokenizer import TokenizerConfig, TokenizerKind, TokenizerPair
from nmt.training.checkpoint import Checkpoints
from nmt.training.config import Precision, TrainingConfig
from nmt.training.job import Job
from nmt.training.loop import Trainer
from nmt.training.loss import Objective
from nmt.training.memory import batches_an_epoch, largest_batches
from nmt.training.randomness import seed_generators
from nmt.training.run import run_training
from nmt.training.run_directory import held
from nmt.training.schedule import Constant, Cosine
from nmt.training.teachers import load_teachers
from nmt.training.update import Updater
from nmt.training.validation import Validator, batch_loss
from nmt.translator import Translator

AT_LEAST_ONE = (
    *("max_steps", "batch_tokens", "batch_sentences", "accumulate", "validate_every", "validation_beam"),
    *("validation_sentences", "checkpoint_every", "log_every"),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """400 pairs of the toy corpus as parallel text."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, count in (("train", 400), ("val", 20)):
        pairs = toy_pairs(name)[:count]
        for side, language in enumerate(("en", "fr")):
            (folder / f"{name}.{language}").write_text("".join(pair[side] + "\n" for pair in pairs), encoding="utf-8")
    return DataConfig(path=str(folder), source="en", target="fr")


def job(run_dir: Path, data: DataConfig, **training: object) -> Job:
    settings: dict[str, object] = {
        "max_steps": 6,
        "batch_tokens": 200,
        "validate_every": 3,
        "checkpoint_every": 3,
        "log_every": 2,
        "validation_sentences": 8,
        "average": 0.9,
    }
    return Job(
        run_dir=str(run_dir),
        resume=False,
        seed=1,
        device="cpu",
        num_threads=1,
        data=data,
        tokenizer=TokenizerConfig(vocab_size=350),
        model=ModelConfig(embedding_size=16, hidden_size=16, encoder_hidden_size=8),
        training=TrainingConfig(**(settings | training)),  # type: ignore[arg-type]
        schedule=Cosine(warmup_steps=2),
        search=Beam(beam_size=2),
        config_yaml="seed: 1\n",
    )


def test_a_run_leaves_what_the_design_says(tmp_path: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str]) -> None:
    scores = run_training(job(tmp_path / "run", replace(corpus, max_length=60)))
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"config.yaml", "train.log", "metrics.jsonl", "tensorboard", "tokenizer", "checkpoints", "model"}
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"last", "previous", "best"}
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(record["kind"], record["step"]) for record in records] == [
        ("train", 2),
        ("validation", 3),
        ("train", 4),
        ("train", 6),
        ("validation", 6),
    ]
    assert records[0].keys() >= {"loss", "tokens_per_second", "padding", "learning_rate"}
    assert records[2]["learning_rate"] == pytest.approx(3e-3 * Cosine(warmup_steps=2)(4, 6), rel=1e-8)
    evaluation = json.loads((tmp_path / "run" / "model" / "evaluation.json").read_text())
    assert evaluation["validation"] == scores.to_json()
    assert scores.bleu.signature in (tmp_path / "run" / "model" / "README.md").read_text()
    translator = Translator.from_pretrained(tmp_path / "run" / "model", "cpu")
    assert translator.max_source_length == 60
    assert str(translator.translate(["The cat sleeps."])[0])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("device cpu (")
    assert captured.err.splitlines() == (tmp_path / "run" / "train.log").read_text().splitlines()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: DataConfig) -> Path:
    """A run that has come to its end."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    run_training(job(run_dir, corpus))
    return run_dir


def weights(run_dir: Path) -> dict[str, bytes]:
    """Every tensor of the last checkpoint, bit for bit."""
    last = run_dir / "checkpoints" / "last"
    tensors = {**load_file(last / "model.safetensors"), **load_file(last / "average.safetensors")}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def state(run_dir: Path) -> tuple[dict[str, bytes], Any]:
    """All that a run goes on from, bit for bit: weights, average, moments, random generators."""
    stored = torch.load(run_dir / "checkpoints" / "last" / "optimizer.pt", weights_only=True)
    states = stored["optimizer"]["state"]
    moments = {f"{i} {name}": tensor.numpy().tobytes() for i in states for name, tensor in states[i].items()}
    (random,) = stored["random"]
    generators = {name: value.tolist() if name == "cpu" else value for name, value in random.items()}
    return weights(run_dir) | moments, generators


def figures(run_dir: Path) -> list[dict[str, Any]]:
    """What metrics.jsonl says, but for what the clock does."""
    records = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    clock = ("time", "seconds", "tokens_per_second")
    return [{name: value for name, value in record.items() if name not in clock} for record in records]


def encoded(data: DataConfig) -> EncodedPairs:
    pairs = load_pairs(data, "train")
    return EncodedPairs.from_pairs(pairs, cached_tokenizers(pairs, TokenizerConfig(vocab_size=350)), data.max_length)


def again(run_dir: Path, data: DataConfig, **training: object) -> Job:
    return replace(job(run_dir, data, **training), resume=True)


def nan_loss(model: Seq2Seq, batch: Batch, objective: Objective, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
    loss, nll = batch_loss(model, batch, objective)
    return loss * float("nan"), nll


@pytest.mark.parametrize(
    ("number", "end", "system"),
    [
        (signal.SIGINT, KeyboardInterrupt, {}),
        (signal.SIGTERM, SystemExit, {"cell": Cell.gru_cho, "wiring": Wiring.previous_state}),
        (signal.SIGINT, KeyboardInterrupt, {"cell": Cell.lstm, "wiring": Wiring.input_feeding, "bridge": BridgeKind.hand_over}),
        (signal.SIGTERM, SystemExit, {"architecture": Architecture.transformer}),
    ],
)
def test_going_on_is_the_same_as_never_stopping(
    number: int,
    end: type[BaseException],
    system: dict[str, Any],
    tmp_path: Path,
    corpus: DataConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"accumulate": 2, "validate_every": 100, "checkpoint_every": 100, "subword_alpha": 0.5}
    # So small shards that the run has crossed a border when it is stopped, and is in the middle of the next one.
    monkeypatch.setattr("nmt.training.run.TrainingBatches", partial(TrainingBatches, shard_pairs=24))

    def system_job(name: str) -> Job:
        made = job(tmp_path / name, corpus, **settings)
        return replace(made, model=replace(made.model, dropout=0.2, word_dropout=0.1, **system))

    run_training(system_job("straight"))

    backward_part, parts = Updater._backward_part, []

    def interrupt(self: Updater, batch: Batch, tokens: int, exchange: bool) -> torch.Tensor:
        parts.append(batch)
        if len(parts) == tried_first + 2 * 4 + 1:
            os.kill(os.getpid(), number)  # after the first of the two batches of the fifth update has begun
        return backward_part(self, batch, tokens, exchange)

    tried_first = len(largest_batches(encoded(corpus), 200))
    with monkeypatch.context() as patched:
        patched.setattr(Updater, "_backward_part", interrupt)
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.raises(end):
            run_training(system_job("stopped"))
    stopped = json.loads((tmp_path / "stopped" / "checkpoints" / "last" / "progress.json").read_text())
    assert stopped["step"] == 5 and stopped["cursor"]["shard"] > 0 and stopped["cursor"]["batch"] > 0
    assert state(tmp_path / "stopped") != state(tmp_path / "straight")
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))

    seed_generators(99)
    run_training(replace(system_job("stopped"), resume=True))
    assert state(tmp_path / "stopped") == state(tmp_path / "straight")
    assert figures(tmp_path / "stopped") == figures(tmp_path / "straight")
    assert Translator.from_pretrained(tmp_path / "stopped" / "model", "cpu").translate(["The cat sleeps."])[0].hypotheses


def test_a_directory_with_a_run_is_refused(tmp_path: Path, corpus: DataConfig) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    rule = "`run_dir` must be a new directory, but `.*` holds a run already: "
    with pytest.raises(UserError, match=rule + "it has no checkpoint, remove it"):
        run_training(job(tmp_path, corpus))
    (tmp_path / "checkpoints" / "last").mkdir(parents=True)
    with pytest.raises(UserError, match=rule + "add `resume=true`"):
        run_training(job(tmp_path, corpus))


@pytest.mark.parametrize("resume", [False, True])
def test_a_directory_in_which_another_run_trains_is_refused(
    resume: bool, finished: Path, corpus: DataConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    if resume:
        shutil.copytree(finished, run)
    waiting = again(run, corpus, max_steps=9) if resume else job(run, corpus)
    before = contents(run)
    with held(run), pytest.raises(UserError, match="`run_dir` must be no other run's, but one is training in `.*run` now"):
        run_training(waiting)
    assert contents(run) == before
    assert run_training(waiting) is not None


@pytest.mark.parametrize("resume", [False, True])
def test_a_place_for_the_model_is_asked_for_before_training(
    resume: bool, finished: Path, corpus: DataConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    if resume:
        shutil.copytree(finished, run)
        shutil.rmtree(run / "model")
    (run / "model").mkdir(parents=True)
    (run / "model" / "thesis.tex").write_text("years of work")
    before = contents(run)
    with pytest.raises(UserError, match="model` holds something else than a model, which saving a model there would delete"):
        run_training(replace(job(run, corpus, max_steps=12), resume=resume))
    assert contents(run) == before


def test_a_run_that_was_begun_meanwhile_stays_as_it_is(
    corpus: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_another(trainer: Trainer, batches: list[Batch]) -> None:
        monkeypatch.undo()
        run_training(job(tmp_path / "run", corpus))
        before.update(contents(tmp_path / "run"))

    before: dict[str, tuple[bytes, int]] = {}
    monkeypatch.setattr(Trainer, "rehearse", begin_another)
    with pytest.raises(UserError, match="holds a run already"):
        run_training(job(tmp_path / "run", corpus, max_steps=9))
    assert before and contents(tmp_path / "run") == before


def test_tokenizers_of_a_run_that_ended_as_it_began_give_way(corpus: DataConfig, tmp_path: Path) -> None:
    separate = job(tmp_path / "run", corpus)
    separate.tokenizer = TokenizerConfig(vocab_size=350, joint=False)
    run_training(separate)
    for name in ("config.yaml", "metrics.jsonl", "train.log"):
        (tmp_path / "run" / name).unlink()
    for name in ("checkpoints", "model"):
        shutil.rmtree(tmp_path / "run" / name)
    run_training(job(tmp_path / "run", corpus))
    assert run_training(again(tmp_path / "run", corpus, max_steps=9)) is not None


def test_a_failed_resume_leaves_the_settings_as_they_were(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    again = job(tmp_path / "run", corpus, max_steps=12)
    again.resume, again.model, again.config_yaml = True, ModelConfig(embedding_size=8), "seed: 2\n"
    with pytest.raises(UserError, match="is of another model"):
        run_training(again)
    assert (tmp_path / "run" / "config.yaml").read_text() == "seed: 1\n"


def test_what_could_not_be_scored_is_told_before_training(tmp_path: Path, corpus: DataConfig) -> None:
    with pytest.raises(UserError, match="`training.validation_tokenize` must be one of"):
        run_training(job(tmp_path / "run", corpus, validation_tokenize="14a"))
    coverage = job(tmp_path / "run", corpus)
    coverage.model, coverage.search = ModelConfig(attention=AttentionKind.none), Beam(coverage_penalty=0.1)
    with pytest.raises(UserError, match="`search.coverage_penalty` must be 0 for a model without attention"):
        run_training(coverage)
    assert not (tmp_path / "run").exists()


def test_a_rate_that_is_far_too_high_ends_in_a_sentence_and_leaves_finite_weights(tmp_path: Path, corpus: DataConfig) -> None:
    run = tmp_path / "run"
    with pytest.raises(UserError) as error:
        run_training(job(run, corpus, learning_rate=1e30, checkpoint_every=100, validate_every=100, max_steps=100))
    assert str(error.value) == (
        "loss, gradient and weights must be finite, but from step 2 on they are not, after 3 returns to a checkpoint with half "
        f"the learning rate each: look at that step's batch (epoch 0, shard 0, batch 1) in `{run / 'bad_batch.json'}`, "
        "or begin anew with a lower `training.learning_rate`"
    )
    last = load_file(run / "checkpoints" / "last" / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in last.values())
    assert json.loads((run / "checkpoints" / "last" / "progress.json").read_text())["returns"] == 3
    bad = json.loads((run / "bad_batch.json").read_text())
    assert (bad["step"], bad["epoch"], bad["shard"], bad["batch"]) == (2, 0, 0, 1)
    english, french = ((Path(corpus.path) / f"train.{language}").read_text().splitlines() for language in ("en", "fr"))
    assert {(pair["source"]["text"], pair["target"]["text"]) for pair in bad["pairs"]} < set(zip(english, french, strict=True))
    assert "".join(bad["pairs"][0]["source"]["pieces"]).replace("▁", " ").strip() == bad["pairs"][0]["source"]["text"]


def test_the_batches_of_an_epoch_are_reckoned_and_of_a_sample_nearly(
    corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(corpus)
    tokenizers = cached_tokenizers(load_pairs(corpus, "train"), TokenizerConfig(vocab_size=350))
    batches = TrainingBatches(data, tokenizers, 200, 1, 0.0, batch_sentences=3).iterate(Cursor())
    with closing(batches):
        number = sum(1 for _ in takewhile(lambda one: one[1].epoch == 0, batches)) + 1
    assert batches_an_epoch(data, 200, 3) == number > 1.2 * batches_an_epoch(data, 200)
    monkeypatch.setattr("nmt.training.memory._SAMPLE", 200)
    assert batches_an_epoch(data, 200, 3) == pytest.approx(number, rel=0.1)


def test_a_run_tells_its_passes_and_that_few_of_them_want_less_dropout(
    tmp_path: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = 6 * 2 / batches_an_epoch(encoded(corpus), 200)

    def log(name: str, embedding_dropout: float = 0.2, resume: bool = False) -> str:
        made = job(tmp_path / name, corpus, accumulate=2)
        model = replace(made.model, dropout=0.1, embedding_dropout=embedding_dropout)
        run_training(replace(made, model=model, resume=resume))
        return capsys.readouterr().err

    told, note = f"\n6 updates: {passes:.1f} passes over the training set\n", "note: in less than 15 passes"
    assert told in (much := log("much")) and note in much
    assert told in (little := log("little", embedding_dropout=0.1)) and note not in little
    assert "passes" not in log("much", resume=True)


def test_ten_bad_updates_in_a_row_return_to_the_last_checkpoint_with_half_the_rate(
    tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update, tried = Updater.__call__, []

    def spoilt(self: Updater, batches: Sequence[Batch], step: int, rate: float) -> None:
        tried.append((step, rate))
        monkeypatch.setattr("nmt.training.update.batch_loss", nan_loss if 5 <= len(tried) <= 14 else batch_loss)
        update(self, batches, step, rate)

    monkeypatch.setattr(Updater, "__call__", spoilt)
    run, settings = tmp_path / "run", {"max_steps": 20, "validate_every": 100}
    run_training(job(run, corpus, **settings))
    assert [step for step, _ in tried] == [*range(1, 15), *range(4, 21)]
    assert [rate for _, rate in tried[14:25]] == [rate / 2 for _, rate in tried[3:14]]
    reason = "10 updates in a row had a loss or gradient that is not finite"
    log = capsys.readouterr().err
    assert f"step 14: {reason}; going on from step 3 with 0.5 of the learning rate" in log
    assert "step 10/20  no loss" in log and "2 skipped" in log
    records = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["kind"] == "train"] == [*range(2, 21, 2)]
    run_training(again(run, corpus, **{**settings, "max_steps": 21}))
    assert tried[-1][1] == 0.5 * 3e-3 * Cosine(warmup_steps=2)(21, 21)


@pytest.mark.parametrize(("owner", "where"), [(Trainer, "_validate"), (Checkpoints, "restore_best")])
def test_too_little_memory_outside_of_an_update_is_told(
    owner: type, where: str, tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(owner, where, full)
    with pytest.raises(UserError, match="must fit into memory, but do(es)? not: .* `resume=true` "):
        run_training(job(tmp_path / "run", corpus))


@pytest.mark.parametrize("precision", [Precision.bf16, Precision.fp32])
def test_precision_auto_trains_as_what_it_stands_for(
    precision: Precision, tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": precision is Precision.bf16}, raising=False)
    for asked in Precision:
        run_training(job(tmp_path / asked, corpus, precision=asked))
    weights = {asked: load_file(tmp_path / asked / "model" / "model.safetensors") for asked in Precision}
    same = {asked: all(map(torch.equal, weights[asked].values(), weights[Precision.auto].values())) for asked in Precision}
    assert same == {asked: asked in (Precision.auto, precision) for asked in Precision}
    logs = {asked: (tmp_path / asked / "train.log").read_text().splitlines() for asked in Precision}
    assert f", {precision}, torch " in logs[Precision.auto][0]
    warned = {asked: any("instructions for bf16" in line for line in lines) for asked, lines in logs.items()}
    assert warned == {asked: asked is Precision.bf16 and precision is Precision.fp32 for asked in Precision}


def test_the_finished_model_holds_the_average_of_the_best_checkpoint(finished: Path) -> None:
    average = load_file(finished / "checkpoints" / "best" / "average.safetensors")
    model = load_file(finished / "model" / "model.safetensors")
    raw = load_file(finished / "checkpoints" / "best" / "model.safetensors")
    assert {tensor.numpy().tobytes() for tensor in average.values()} == {tensor.numpy().tobytes() for tensor in model.values()}
    assert any((model[name] != raw[name]).any() for name in raw)


def test_resuming_nothing_is_refused(tmp_path: Path, corpus: DataConfig) -> None:
    nothing = job(tmp_path / "run", corpus)
    nothing.resume = True
    with pytest.raises(UserError, match="`resume=true` needs a run with a checkpoint, but `.*run` has none"):
        run_training(nothing)


def test_wrong_data_leaves_no_run_directory(tmp_path: Path, corpus: DataConfig) -> None:
    wrong = job(tmp_path / "run", corpus)
    wrong.data = DataConfig(path=str(tmp_path / "absent"), source="en", target="fr")
    with pytest.raises(UserError):
        run_training(wrong)
    assert not (tmp_path / "run").exists()


def test_patience_ends_a_run(tmp_path: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str]) -> None:
    run_training(job(tmp_path / "run", corpus, max_steps=40, validate_every=1, patience=2, learning_rate=1e-9))
    assert "stopped: no better BLEU in 2 validations" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "checkpoints" / "last" / "progress.json").read_text())["step"] == 3


@pytest.mark.parametrize(
    ("place", "step"),
    [("nmt.training.corpus.load_pairs", None), ("nmt.training.finish.write_card", 6), ("nmt.models.weights.dump_weights", 6)],
)
@pytest.mark.parametrize(("number", "end", "code"), [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143)])
def test_a_signal_before_or_after_training_ends_the_run_at_once_and_leaves_nothing_half(
    place: str,
    step: int | None,
    number: int,
    end: type[BaseException],
    code: int | None,
    tmp_path: Path,
    corpus: DataConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*arguments: object) -> None:
        os.kill(os.getpid(), number)

    run = tmp_path / "run"
    monkeypatch.setattr(place, interrupted)
    with pytest.raises(end) as raised:
        run_training(job(run, corpus))
    assert getattr(raised.value, "code", None) == code
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if step is None:
        assert not run.exists()
    else:
        assert json.loads((run / "checkpoints" / "last" / "progress.json").read_text())["step"] == step
        assert not list(run.glob("*model*"))


def test_a_signal_during_validation_waits_for_its_end_but_not_a_second_one_by_hand(
    tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = Validator.__call__

    def interrupted(self: Validator, model: Seq2Seq) -> tuple[dict[str, float], list[str]]:
        for number in signals:
            os.kill(os.getpid(), number)
        return validate(self, model)

    monkeypatch.setattr(Validator, "__call__", interrupted)
    once, twice, by_hand = [signal.SIGTERM], [signal.SIGTERM] * 2, [signal.SIGTERM, signal.SIGINT]
    for name, signals, step in (("once", once, 3), ("twice", twice, 3), ("by hand", by_hand, 0)):
        run = tmp_path / name
        with pytest.raises(KeyboardInterrupt if name == "by hand" else SystemExit) as raised:
            run_training(job(run, corpus, checkpoint_every=100))
        assert getattr(raised.value, "code", 143) == 143, signals
        assert json.loads((run / "checkpoints" / "last" / "progress.json").read_text())["step"] == step
        assert (run / "checkpoints" / "best").exists() == (step == 3)


def test_a_second_sigterm_waits_for_the_checkpoint_too(
    tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler's own, and then that which torchrun passes on."""

    def terminated(function: Callable[..., Any], *arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments)

    for owner, name in ((Validator, "__call__"), (Trainer, "_save_interrupted")):
        monkeypatch.setattr(owner, name, partialmethod(partial(terminated, getattr(owner, name))))
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as raised:
        run_training(job(run, corpus, checkpoint_every=100))
    assert raised.value.code == 143
    assert json.loads((run / "checkpoints" / "last" / "progress.json").read_text())["step"] == 3


def test_full_disk_keeps_the_checkpoint_before(tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run_training(job(run, corpus))
    before = weights(run)

    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "optimizer.pt":
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    again = job(run, corpus, max_steps=12)
    again.resume = True
    with pytest.raises(UserError, match="No space left on device"):
        run_training(again)
    assert weights(run) == before


def bit_flipped(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize("damage", [lambda data: data[:100], bit_flipped])
@pytest.mark.parametrize("name", ["model.safetensors", "average.safetensors", "optimizer.pt", "progress.json"])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(
    name: str,
    damage: Callable[[bytes], bytes],
    finished: Path,
    corpus: DataConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = weights(run)
    file = run / "checkpoints" / "last" / name
    file.write_bytes(damage(file.read_bytes()))
    run_training(again(run, corpus))
    assert weights(run) == before
    log = capsys.readouterr().err
    assert f"warning: `{file}` is damaged: its checksum is not that of SHA256SUMS; trying the checkpoint `previous`" in log
    assert "resumed at step 3" in log
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last", "previous", "best", "damaged"}


def test_a_checkpoint_must_be_whole(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    last, previous = run / "checkpoints" / "last", run / "checkpoints" / "previous"
    (last / "SHA256SUMS").unlink()
    (previous / "optimizer.pt").unlink()
    shutil.rmtree(run / "checkpoints" / "best")
    with pytest.raises(UserError) as error:
        run_training(again(run, corpus, max_steps=12))
    assert str(error.value) == (
        f"a checkpoint in `{run / 'checkpoints'}` must be whole, but `{last / 'SHA256SUMS'}` is missing, "
        f"and `{previous / 'optimizer.pt'}` is missing, and `{run / 'checkpoints' / 'best'}` is missing"
    )
    shutil.rmtree(last)
    shutil.rmtree(previous)
    with pytest.raises(UserError, match="`resume=true` needs a run with a checkpoint, but `.*run` has none"):
        run_training(again(run, corpus, max_steps=12))


def test_the_best_checkpoint_is_gone_on_from_where_no_other_is_whole(
    finished: Path, corpus: DataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = weights(run)
    last, previous, best = (run / "checkpoints" / name for name in ("last", "previous", "best"))
    shutil.rmtree(best)
    previous.rename(best)
    (last / "optimizer.pt").unlink()
    run_training(again(run, corpus))
    log = capsys.readouterr().err
    assert "trying the checkpoint `best`" in log
    assert "resumed at step 3" in log
    assert weights(run) == before


def test_of_a_damaged_best_checkpoint_the_last_one_is_taken(
    finished: Path, corpus: DataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "model")
    best = run / "checkpoints" / "best" / "average.safetensors"
    best.write_bytes(bit_flipped(best.read_bytes()))
    run_training(again(run, corpus))
    assert f"`{best}` is damaged: its checksum is not that of SHA256SUMS; trying the checkpoint `last`" in capsys.readouterr().err
    assert json.loads((run / "model" / "evaluation.json").read_text())["step"] == 6
    chosen = "BLEU on the validation set was highest"
    assert chosen in (finished / "model" / "README.md").read_text()
    assert chosen not in (run / "model" / "README.md").read_text()
    average = load_file(run / "checkpoints" / "last" / "average.safetensors")
    model = load_file(run / "model" / "model.safetensors")
    assert {tensor.numpy().tobytes() for tensor in average.values()} == {tensor.numpy().tobytes() for tensor in model.values()}
    assert run_training(again(run, corpus)) is None  # once is enough


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(file.relative_to(directory)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_a_finished_run_says_so_and_stays_as_it_is(
    finished: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(finished)
    assert run_training(again(finished, corpus)) is None
    way = "this run is finished at step 6: `training.max_steps` above that lets it go further"
    assert capsys.readouterr().err.splitlines()[-1] == way
    assert contents(finished) == before


def test_a_model_that_is_written_again_says_that_its_export_is_gone(
    finished: Path, corpus: DataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "model" / "onnx").mkdir()
    run_training(replace(again(tmp_path / "run", corpus), search=Beam(beam_size=3)))
    assert "what `nmt export` wrote was of the model before: export again" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model" / "onnx").exists()


def test_a_run_that_lost_patience_says_how_to_go_further(
    tmp_path: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run, settings = tmp_path / "run", {"max_steps": 9, "validate_every": 1, "learning_rate": 1e-9}
    run_training(job(run, corpus, patience=2, **settings))
    run_training(again(run, corpus, patience=1, **settings))
    way = "this run is finished at step 3, as BLEU grew no more: `training.patience` above 2, or 0 for no end, lets it go further"
    assert capsys.readouterr().err.splitlines()[-1] == way
    run_training(again(run, corpus, patience=2, **{**settings, "max_steps": 3}))
    ways = "`training.max_steps` above that and `training.patience` above 2, or 0 for no end, let it go further"
    assert capsys.readouterr().err.splitlines()[-1] == f"this run is finished at step 3, as BLEU grew no more: {ways}"
    run_training(again(run, corpus, patience=0, **settings))
    assert "trained 9 steps" in capsys.readouterr().err


def test_bleu_that_is_measured_otherwise_is_not_compared(
    finished: Path, corpus: DataConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    for step, measure, said in ((9, {}, 0), (12, {"validation_beam": 2}, 1), (15, {"validation_beam": 2}, 0)):
        run_training(again(run, corpus, max_steps=step, **measure))
        lines = capsys.readouterr().err.splitlines()
        told = "validation BLEU is that of 8 sentences, beam 2, tokenize None now, and is not compared with what was before"
        assert lines.count(told) == said
        (validation,) = (line for line in lines if line.startswith(f"step {step}  validation"))
        assert "best so far" in validation or not said


def test_a_validation_at_the_end_alone_takes_no_patience(tmp_path: Path, corpus: DataConfig) -> None:
    run = tmp_path / "run"
    run_training(job(run, corpus, max_steps=5, validate_every=2, learning_rate=1e-9))
    progress = json.loads((run / "checkpoints" / "last" / "progress.json").read_text())
    assert (progress["best_step"], progress["bad_validations"]) == (2, 1)


def test_a_finished_run_without_its_model_writes_it(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "model")
    run_training(again(run, corpus))
    for name in ("model.safetensors", "evaluation.json", "search.json", "config.json", "tokenizer.model"):
        assert (run / "model" / name).read_bytes() == (finished / "model" / name).read_bytes()
    run_training(replace(again(run, corpus), search=Beam(beam_size=3)))
    assert json.loads((run / "model" / "search.json").read_text())["beam_size"] == 3


def test_another_corpus_or_tokenizer_is_refused(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    run, data = tmp_path / "run", tmp_path / "corpus"
    shutil.copytree(finished, run)
    shutil.copytree(corpus.path, data)
    moved, sha256 = replace(corpus, path=str(data)), r"sha256:\w{64}"
    (data / "val.en").write_text((data / "val.en").read_text().upper())
    with pytest.raises(UserError, match=rf"^the validation split of `data.path` must be .* \({sha256}\), but is .*{sha256}"):
        run_training(again(run, moved, max_steps=12))
    with (data / "train.en").open("a") as en, (data / "train.fr").open("a") as fr:
        print("One more.", file=en)
        print("Encore une.", file=fr)
    with pytest.raises(UserError, match=rf"^the train split of `data.path`, .* must be .* \({sha256}\), but is .*{sha256}"):
        run_training(again(run, moved, max_steps=12))
    cached_tokenizers(load_pairs(moved, "train"), TokenizerConfig(vocab_size=340)).save(run / "tokenizer")
    with pytest.raises(UserError, match=rf"^the source tokenizer in `run_dir` must be .* with \({sha256}\), but is .*{sha256}"):
        run_training(again(run, corpus, max_steps=12))


def test_the_scores_of_a_model_are_those_of_its_translations(
    tmp_path: Path, corpus: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And validation measures the averaged weights, as it is told to."""
    validated, validate = [], Validator.__call__

    def noted(self: Validator, model: Seq2Seq) -> Any:
        validated.append([parameter.detach().clone() for parameter in model.parameters()])
        assert (self.search, self.tokenize, len(self.sources), len(self.references)) == (Beam(beam_size=3), "char", 8, 8)
        return validate(self, model)

    monkeypatch.setattr(Validator, "__call__", noted)
    run = tmp_path / "run"
    run_training(job(run, corpus, max_steps=40, validate_every=8, validation_beam=3, validation_tokenize="char"))
    progress = json.loads((run / "checkpoints" / "last" / "progress.json").read_text())
    average = load_file(run / "checkpoints" / "best" / "average.safetensors")
    best = validated[progress["best_step"] // 8 - 1]
    assert len(average) == len(best) and all(torch.equal(average[str(i)], tensor) for i, tensor in enumerate(best))

    pairs = load_pairs(corpus, "val")
    translator = Translator.from_pretrained(run / "model", "cpu")
    assert translator.search == Beam(beam_size=2)
    translations = [translation.text for translation in translator.translate(pairs.sources())]
    evaluation = json.loads((run / "model" / "evaluation.json").read_text())
    assert len(set(translations)) > 1
    assert evaluation["validation"] == score(translations, pairs.targets(), tokenize="char").to_json()


def test_validating_on_the_training_set_is_told(
    tmp_path: Path, corpus: DataConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    run_training(replace(job(tmp_path / "run", replace(corpus, validation="train"), max_steps=1), num_threads=2))
    assert threads == [2]
    assert "warning: the validation set is the training set" in capsys.readouterr().err
    run_training(job(tmp_path / "part", replace(corpus, validation="train[:20]"), max_steps=1))
    rule = "warning: `data.train` (train) and `data.validation` (train[:20]) have pairs in common"
    assert rule in capsys.readouterr().err


@pytest.mark.parametrize("given", [False, True])
def test_bpe_leaves_out_less_than_all_merges(given: bool, tmp_path: Path, corpus: DataConfig) -> None:
    tokenizer = TokenizerConfig(kind=TokenizerKind.bpe, vocab_size=350)
    if given:
        cached_tokenizers(load_pairs(corpus, "train"), tokenizer).save(tmp_path)
        tokenizer = TokenizerConfig(path=str(tmp_path / "tokenizer.model"))
    with pytest.raises(UserError, match="^`training.subword_alpha` must be below 1 for BPE, but is 1.0 instead$"):
        run_training(replace(job(tmp_path / "run", corpus, subword_alpha=1.0), tokenizer=tokenizer))
    assert not (tmp_path / "run").exists()


def test_japanese_is_learned_as_it_is_written(tmp_path: Path, corpus: DataConfig) -> None:
    folder = tmp_path / "corpus"
    shutil.copytree(corpus.path, folder)
    for split in ("train", "val"):
        shutil.copy(folder / f"{split}.fr", folder / f"{split}.ja")
    for target, expected in (("ja", "１４？"), ("fr", "14?")):
        data = replace(corpus, path=str(folder), target=target)
        run_training(job(tmp_path / target, data, max_steps=1, validation_tokenize="13a"))
        tokenizer = TokenizerPair.load(tmp_path / target / "model").target
        assert tokenizer.decode(tokenizer.encode(["１４？"])) == [expected]


def test_the_exponent_of_a_unigram_model_may_be_large(tmp_path: Path, corpus: DataConfig) -> None:
    run_training(job(tmp_path / "run", corpus, subword_alpha=5.0))


def test_teachers_draw_no_random_numbers(finished: Path, corpus: DataConfig) -> None:
    tokenizers, before = TokenizerPair.load(finished / "model"), torch.get_rng_state()
    networks, _ = load_teachers([str(finished / "model")], ("en", "fr"), tokenizers, torch.device("cpu"))
    assert len(networks) == 1 and not networks[0].training and torch.equal(torch.get_rng_state(), before)


def test_a_run_with_teachers_goes_on_as_if_it_had_never_stopped(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    teacher, moved = str(finished / "model"), str(tmp_path / "moved")
    shutil.copytree(teacher, moved)

    def taught(name: str, teachers: list[str], resume: bool = False, max_steps: int = 6, share: float = 0.7) -> Path:
        made = job(tmp_path / name, corpus, teachers=teachers, distillation=share, max_steps=max_steps)
        run_training(replace(made, schedule=Constant(warmup_steps=2), resume=resume))
        return tmp_path / name

    straight, stopped = taught("straight", [teacher, teacher]), taught("stopped", [teacher, teacher], max_steps=3)
    taught("stopped", [moved, moved], resume=True)
    assert state(stopped) == state(straight)
    assert weights(taught("untaught", [])) != weights(straight)  # though from the same weights, under the same masks
    assert weights(taught("less", [teacher, teacher], share=0.1)) != weights(straight)
    assert "teachers: 2, 0.7 of the loss\n" in (straight / "train.log").read_text()

    for others in ([], [moved]):
        with pytest.raises(UserError, match=r"^the list `training.teachers` must be what .* \(sha256:\w{64}\), but is "):
            taught("stopped", others, resume=True, max_steps=12)


def test_teachers_that_have_another_task_are_refused(
    finished: Path, corpus: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = str(finished / "model")
    with pytest.raises(UserError, match="^`training.teachers`: models must all translate fr to en, as this run does, but"):
        run_training(job(tmp_path / "run", replace(corpus, source="fr", target="en"), teachers=[teacher]))
    other = replace(job(tmp_path / "run", corpus, teachers=[teacher]), tokenizer=TokenizerConfig(vocab_size=340))
    with pytest.raises(UserError, match="^`training.teachers`: models must all have the source tokenizer .*, as this run has"):
        run_training(other)
    with pytest.raises(UserError, match=f"^`training.teachers`: there is no model directory `{tmp_path}/none`$"):
        run_training(job(tmp_path / "run", corpus, teachers=[f"{tmp_path}/none"]))
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("HOME", str(finished))
    at_home = replace(other.training, teachers=["~/model"])
    run_training(replace(other, tokenizer=TokenizerConfig(path=f"{teacher}/tokenizer.model"), training=at_home))


def test_figures_of_updates_that_are_done_again_are_there_once(finished: Path, corpus: DataConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 8, "time": 1.0, "tokens_per_second": 1.0}\n{"kind": "tra')
    run_training(again(run, corpus, max_steps=9, validate_every=100))
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 3, 4, 6, 6, 8, 9, 9]


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        *((name, 0, "at least 1") for name in AT_LEAST_ONE),
        *((name, 2**62, "below 2**62") for name in AT_LEAST_ONE),
        *((name, -1, "at least 0") for name in ("patience", "weight_decay", "subword_alpha")),
        *((name, 0.0, "above 0") for name in ("clip_norm", "learning_rate")),
        *((name, 1.0, "at least 0 and below 1") for name in ("label_smoothing", "average", "beta2")),
        *(("distillation", value, "above 0 and at most 1") for value in (0.0, 1.1)),
        *((name, math.inf, "a finite number") for name in ("learning_rate", "weight_decay", "subword_alpha")),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: float, rule: str) -> None:
    with pytest.raises(UserError) as error:
        TrainingConfig(**{setting: value})  # type: ignore[arg-type]
    assert str(error.value) == f"`training.{setting}` must be {rule}, but is {value} instead"
