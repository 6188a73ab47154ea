"""`nmt train` is a Hydra app that hands a job of plain dataclasses on, and speaks in sentences."""

import errno
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from nmt.cli import main
from nmt.data.config import DataForm
from nmt.errors import UserError
from nmt.models.config import AttentionKind, Cell, Readout
from nmt.search import Beam, Greedy
from nmt.training.config import TrainingConfig
from nmt.training.job import Job
from nmt.training.schedule import Constant, Cosine

RECIPES = ["hour", *(f"low_resource/{rung}" for rung in ("1_plain", "2_small_batches", "3_regularised", "4_deep", "5_attention"))]
RECIPES += ["low_resource/6_averaged", "low_resource/7_word_dropout", "toy", "toy_training"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test runs in an empty folder, and leaves the logging that Hydra configures as it was."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield tmp_path
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that would have been trained."""
    received: list[Job] = []
    monkeypatch.setattr("nmt.training.run.run_training", received.append)
    return received


def train(*arguments: str) -> int:
    return main(["train", *arguments])


def test_default_is_the_toy_corpus(jobs: list[Job]) -> None:
    assert train() == 0
    [job] = jobs
    assert (job.data.form, job.data.source, job.data.target) == (DataForm.toy, "en", "fr")
    assert (job.run_dir, job.resume, job.seed, job.device, job.num_threads) == ("runs/toy", False, 1, "auto", 1)
    assert isinstance(job.search, Beam)
    assert isinstance(job.schedule, Cosine)


def test_the_home_folder_of_run_dir_is_known(
    jobs: list[Job], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(elsewhere / "home"))
    assert train("run_dir=~/runs/a") == 0
    assert train("-m", "run_dir=~/runs", "seed=1,2") == 0
    folder = elsewhere / "home" / "runs"
    assert [job.run_dir for job in jobs] == [f"{folder}/a", f"{folder}/seed=1", f"{folder}/seed=2"]


def test_overrides_reach_the_job(jobs: list[Job]) -> None:
    overrides = ["seed=7", "device=cpu", "num_threads=2", "resume=true", "run_dir=r", "training.max_steps=3", "model.cell=gru"]
    assert train(*overrides, "search=greedy", "search.n_best=1", "schedule=constant", "schedule.warmup_steps=9") == 0
    [job] = jobs
    assert (job.seed, job.device, job.num_threads, job.resume, job.training.max_steps) == (7, "cpu", 2, True, 3)
    assert job.model.cell is Cell.gru
    assert job.search == Greedy()
    assert job.schedule == Constant(warmup_steps=9)


def test_a_path_may_hold_anything(jobs: list[Job]) -> None:
    paths = {"data.path": "/home/josé/corpus, v2", "run_dir": "it's $HOME/${x} [y]", "tokenizer.path": "a=b\\"}
    overrides = [f"{key}={path}" for key, path in paths.items()]
    assert train("data=parallel", "data.source=en", "data.target=fr", *overrides) == 0
    [job] = jobs
    assert [job.data.path, job.run_dir, job.tokenizer.path] == list(paths.values())
    saved = yaml.safe_load(job.config_yaml)
    assert [saved["data"]["path"], saved["run_dir"], saved["tokenizer"]["path"]] == list(paths.values())


def test_saved_configuration_is_resolved_and_whole(jobs: list[Job]) -> None:
    assert train("data=toy") == 0
    saved = yaml.safe_load(jobs[0].config_yaml)
    assert saved["run_dir"] == "runs/toy"
    assert saved["model"]["cell"] == "gru"
    assert saved["search"]["beam_size"] == Beam().beam_size
    assert set(saved) == set(vars(jobs[0])) - {"config_yaml"}


def test_hydra_leaves_nothing_and_says_nothing(jobs: list[Job], elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train("seed=2") == 0
    assert list(elsewhere.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_overrides_may_stand_on_both_sides_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("seed=5", "--cfg", "job", "num_threads=3") == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["seed"], shown["num_threads"]) == (5, 3)


def test_cfg_can_be_resolved(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--cfg", "job", "--resolve") == 0
    assert yaml.safe_load(capsys.readouterr().out)["run_dir"] == "runs/toy"


def test_help_names_every_choice(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--help") == 0
    words = re.split(r"[\s,;:]+", capsys.readouterr().out)
    for group in (folder for folder in (repository / "conf").iterdir() if folder.is_dir()):
        for file in group.rglob("*.yaml"):
            assert {group.name, str(file.relative_to(group).with_suffix(""))} <= set(words)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "training.max_step=3",
            "`training.max_step` must be a setting that exists, but `nmt` has none of that name; "
            "did you mean `training.max_steps`?",
        ),
        (
            "max_step=3",
            "`max_step` must be a setting that exists, but `nmt` has none of that name; did you mean `training.max_steps`?",
        ),
        ("search.temperature=2", "`search.temperature` must be a setting that exists, but `nmt` has none of that name"),
        ("+model.extra=1", "`model.extra` must be a setting that exists, but `nmt` has none of that name"),
        ("++extra=1", "`extra` must be a setting that exists, but `nmt` has none of that name"),
        (
            "search=bem",
            "`search` must be one of beam, greedy, mbr, sampling, but is `bem` instead; did you mean `beam`?",
        ),
        ("search=3", "`search` must be one of beam, greedy, mbr, sampling, but is `3` instead"),
        ("search=null", "`search` must be one of beam, greedy, mbr, sampling, but is `null` instead"),
        ("~search", "`search` must be given, but is missing"),
        ("device=cdua", "`device` must be one of auto, cpu, cuda, but is `cdua` instead; did you mean `cuda`?"),
        ("training.max_steps=many", "`training.max_steps` must be a whole number, but is `many` instead"),
        ("training.max_steps=1.5", "`training.max_steps` must be a whole number, but is `1.5` instead"),
        ("training.learning_rate=x", "`training.learning_rate` must be a number, but is `x` instead"),
        ("resume=perhaps", "`resume` must be true or false, but is `perhaps` instead"),
        ("data.source=null", "`data.source` must be text, but is `null` instead"),
        ("seed=1,2", "`seed=1,2` must have one value, but has several; `nmt train -m` trains once for each"),
        ("seed=range(1,3)", "`seed=range(1,3)` must have one value, but has several; `nmt train -m` trains once for each"),
        ("seed==3", "`seed==3` must be a setting and its value (`name=value`), but Hydra's grammar can't read it so"),
        ("seed", "`seed` must be a setting and its value (`name=value`), but Hydra's grammar can't read it so"),
        ("model.cell=${nothing}", "`model.cell`: Interpolation key 'nothing' not found"),
        ("num_threads=0", "`num_threads` must be at least 1, but is 0 instead"),
        ("seed=-1", "`seed` must be at least 0 and below 2**63, but is -1 instead"),
        ("schedule.final=-3", "`schedule.final` must be between 0 and 1, but is -3.0 instead"),
        ("training.learning_rate=nan", "`training.learning_rate` must be a finite number, but is nan instead"),
        ("recipe=huor", f"`recipe` must be one of {', '.join(RECIPES)}, but is `huor` instead; did you mean `hour`?"),
        ("resume=yes", "`resume=true` must stand as such beside the `run_dir=DIR` of a run, but does not"),
        ("training.max_steps=0", "`training.max_steps` must be at least 1, but is 0 instead"),
        ("run_dir=", "`run_dir` must name a directory, but is empty instead"),
    ],
)
def test_wrong_usage(override: str, sentence: str, jobs: list[Job], elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train(override) == 2
    assert jobs == []
    assert capfd.readouterr() == ("", f"nmt: {sentence}\n")
    assert list(elsewhere.iterdir()) == []


def test_deleting_a_setting_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("~model.cell") == 2
    assert capsys.readouterr().err == "nmt: `model.cell`: ModelConfig (DictConfig) does not support deletion\n"


def test_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--nonsense") == 2
    assert "nmt train: error: unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_options_that_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("-m", "--cfg", "job") == 2
    assert capsys.readouterr().err.startswith("nmt: Only one of --run, --multirun, --cfg")


def test_a_recipe_that_there_is_not_is_wrong_usage_in_a_sweep_and_where_nothing_is_trained(jobs: list[Job]) -> None:
    assert train("-m", "recipe=hour,toi", "run_dir=r") == train("--cfg", "job", "recipe=toi") == 2
    assert jobs == []
    assert train("-m", "recipe=hour,toy_training", "run_dir=r") == train("recipe=null") == 0
    assert [job.training.max_steps for job in jobs][::2] == [6800, TrainingConfig().max_steps]


def test_a_run_that_is_to_go_on_must_be_named(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "config.yaml").write_text("of: something else")
    assert train("resume=true") == 2
    assert capsys.readouterr().err == "nmt: `resume=true` must stand as such beside the `run_dir=DIR` of a run, but does not\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            MemoryError(),
            "the model and a batch must fit into memory, but do not: lower `training.batch_tokens`, or the sizes of `model`",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), "`runs/x`: No space left on device"),
    ],
)
def test_what_the_machine_lacks_is_told_in_one_sentence(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(job: Job) -> None:
        raise error

    monkeypatch.setattr("nmt.training.run.run_training", fail)
    assert train() == 1
    assert capfd.readouterr() == ("", f"nmt: {sentence}\n")


def test_failure_has_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(job: Job) -> None:
        raise UserError("`data.path` must exist.")

    monkeypatch.setattr("nmt.training.run.run_training", fail)
    assert train() == 1
    assert capsys.readouterr() == ("", "nmt: `data.path` must exist.\n")


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(job: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nmt.training.run.run_training", interrupt)
    assert train() == 130


@pytest.mark.parametrize("mistake", [ValueError("ours"), TypeError("ours")])
def test_our_own_mistakes_are_not_the_users(mistake: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: Job) -> None:
        raise mistake

    monkeypatch.setattr("nmt.training.run.run_training", fail)
    with pytest.raises(type(mistake), match="ours"):
        train()


def test_sweep_gives_each_job_a_folder_of_its_own(jobs: list[Job], elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train("-m", "seed=1,2", "schedule=cosine,constant", "training.max_steps=5", "run_dir=my runs, v2") == 0
    assert [(job.seed, type(job.schedule)) for job in jobs] == [(1, Cosine), (1, Constant), (2, Cosine), (2, Constant)]
    names = [os.path.relpath(job.run_dir, "my runs, v2") for job in jobs]
    assert names == [f"schedule={schedule},seed={seed}" for seed in (1, 2) for schedule in ("cosine", "constant")]
    assert capfd.readouterr().out == ""
    assert [path.name for path in elsewhere.iterdir()] == ["my runs, v2"]


def test_of_a_setting_with_one_value_and_then_several_these_count(jobs: list[Job]) -> None:
    assert train("-m", "seed=7", "seed=1,2", "run_dir=r") == 0
    assert [(job.seed, job.run_dir) for job in jobs] == [(1, "r/seed=1"), (2, "r/seed=2")]


@pytest.mark.parametrize("experiment", ["cells", "cells_toy"])
def test_experiment_cells_is_a_sweep_over_models(experiment: str, jobs: list[Job]) -> None:
    where = ["data.path=p", "run_dir=r"]
    assert train("-m", f"experiment={experiment}", *where) == 0
    names = ("gru", "gru_cho", "lstm", "rnn", "no_attention", "transformer")
    assert [job.run_dir for job in jobs] == [f"r/model={experiment}_{name}" for name in names]
    assert {job.model.cell for job in jobs} == set(Cell)
    assert len({(job.training.max_steps, job.tokenizer.vocab_size, job.model.dropout) for job in jobs}) == 1
    if experiment == "cells":  # the settings of the figures in the README
        settings = [(job.tokenizer.vocab_size, job.training.subword_alpha, job.model.embedding_dropout) for job in jobs]
        assert settings == [(4000, 0.5, 0.3)] * 6
        newer = {(job.model.lexical_values, job.model.embedding_scale, job.model.readout) for job in jobs}
        assert newer == {(False, 1.0, Readout.tanh)}
    jobs.clear()
    assert train(f"experiment={experiment}", f"model={experiment}/lstm", *where) == 0
    assert [(job.run_dir, job.model.cell) for job in jobs] == [("r", Cell.lstm)]


def test_experiment_low_resource_is_a_ladder_that_ends_where_a_run_alone_begins(jobs: list[Job]) -> None:
    where = ["data=multi30k_en_de", "data.path=p", "run_dir=r", "experiment=low_resource"]
    assert train("-m", *where) == 0
    rungs = ["1_plain", "2_small_batches", "3_regularised", "4_deep", "5_attention", "6_averaged", "7_word_dropout"]
    assert [os.path.basename(job.run_dir) for job in jobs] == [f"recipe=low_resource_{rung}" for rung in rungs]
    assert {job.data.train for job in jobs} == {"train[:5000]"}
    # What a rung changes stays so on all above it, and nothing else differs.
    changed: dict[str, tuple[int, object, object]] = {
        "training.batch_tokens": (2, 4000, 1000),
        "training.max_steps": (2, 750, 3000),
        "training.validate_every": (2, 125, 500),
        "schedule.warmup_steps": (2, 100, 400),
        **{f"model.{name}": (3, False, True) for name in ("layer_norm", "tie_embeddings")},
        **{f"model.{name}": (3, 0.0, 0.3) for name in ("dropout", "embedding_dropout")},
        "training.label_smoothing": (3, 0.0, 0.1),
        "training.weight_decay": (3, 0.0, 0.01),
        **{f"model.{name}": (4, 1, 2) for name in ("encoder_layers", "decoder_layers")},
        "model.residual": (4, False, True),
        "model.attention": (5, AttentionKind.general, AttentionKind.multihead),
        "model.embedding_scale": (5, 1.0, 4.0),
        "model.lexical_values": (5, False, True),
        "model.readout": (5, Readout.tanh, Readout.layer_norm),
        "training.learning_rate": (6, 1e-3, 2e-3),
        "training.average": (6, 0.0, 0.999),
        "model.word_dropout": (7, 0.0, 0.1),
    }
    for group in ("data", "tokenizer", "model", "training", "schedule", "search"):
        for field in fields(getattr(jobs[0], group)):
            values = [getattr(getattr(job, group), field.name) for job in jobs]
            rung, below, above = changed.get(f"{group}.{field.name}", (1, None, values[0]))
            assert values == [below] * (rung - 1) + [above] * (len(jobs) - rung + 1), field.name
    assert len({job.training.max_steps * job.training.batch_tokens for job in jobs}) == 1
    highest = jobs.pop()
    jobs.clear()
    assert train(*where) == 0
    assert (jobs[0].model, jobs[0].training, jobs[0].schedule) == (highest.model, highest.training, highest.schedule)


def test_sweep_over_paths_without_run_dir(jobs: list[Job]) -> None:
    assert train("-m", "data=parallel", "data.source=en", "data.target=fr", "data.path=/corpora/a,/corpora/b") == 0
    assert [job.data.path for job in jobs] == ["/corpora/a", "/corpora/b"]
    assert [job.run_dir for job in jobs] == [f"runs/parallel/data.path=_corpora_{name}" for name in "ab"]


def test_sweep_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tried = []

    def fail_first(job: Job) -> None:
        tried.append(job.seed)
        if job.seed == 1:
            raise UserError("no.")

    monkeypatch.setattr("nmt.training.run.run_training", fail_first)
    assert train("-m", "seed=1,2") == 1
    assert tried == [1, 2]
    assert "nmt: no.\n" in capsys.readouterr().err


def test_a_wrong_value_anywhere_in_a_sweep_stops_it_at_once(jobs: list[Job]) -> None:
    assert train("-m", "training.max_steps=1,many") == 2
    assert jobs == []


def test_run_leaves_what_it_promises(tiny_run: Path) -> None:
    assert yaml.safe_load((tiny_run / "config.yaml").read_text(encoding="utf-8"))["run_dir"] == str(tiny_run)
    for name in ("train.log", "metrics.jsonl", "tensorboard", "checkpoints/last", "checkpoints/best"):
        assert (tiny_run / name).exists()
    for name in ("model.safetensors", "tokenizer.model", "search.json", "evaluation.json", "README.md"):
        assert (tiny_run / "model" / name).exists()
    assert json.loads((tiny_run / "model" / "config.json").read_text(encoding="utf-8"))["source_language"] == "en"


def test_run_directory_of_another_run_is_refused(
    tiny_run: Path, tiny_settings: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tiny_run / "config.yaml").read_bytes()
    assert train(*tiny_settings, f"run_dir={tiny_run}", "seed=2") == 1
    error = capsys.readouterr().err
    assert str(tiny_run) in error
    assert "resume=true" in error
    assert (tiny_run / "config.yaml").read_bytes() == before


def test_a_run_ends_well_although_nobody_reads_what_it_says(tiny_settings: Sequence[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nmt", "train", *tiny_settings, f"run_dir={tmp_path}/run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()  # as `| head -1` does
    assert process.wait() == 0
    assert (tmp_path / "run" / "model" / "config.json").exists()
    assert "trained 2 steps" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
