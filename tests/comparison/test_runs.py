"""Runs as the disk has them, with names that tell them apart."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from nmt.comparison.runs import Training, Validation, find_runs
from nmt.errors import UsageError, UserError
from nmt.plain_data import write_json
from nmt.training.state import Progress

METRICS = [
    {"kind": "train", "step": 100, "time": 1.0, "tokens_per_second": 10.0},
    {"kind": "validation", "step": 100, "time": 2.0, "bleu": 1.5},
    {"kind": "train", "step": 200, "time": 3.0, "tokens_per_second": 40},
    {"kind": "validation", "step": 200, "time": 4.0, "bleu": 2.5},
    {"kind": "train", "step": 300, "time": 9.0, "tokens_per_second": 30.0},
    {"kind": "validation", "step": 200, "time": 9.5, "bleu": 3.5},
]


def make_run(path: Path) -> Path:
    (path / "model").mkdir(parents=True)
    (path / "model" / "config.json").write_text("{}")
    (path / "checkpoints" / "last").mkdir(parents=True)
    progress = Progress(step=300, best_step=200, best_bleu=3.5, seconds=60.5)
    write_json(path / "checkpoints" / "last" / "progress.json", asdict(progress))
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in METRICS))
    return path


def names(*paths: Path) -> list[str]:
    return [run.name for run in find_runs([str(path) for path in paths])]


def test_a_run_tells_of_its_training(tmp_path: Path) -> None:
    [run] = find_runs([str(make_run(tmp_path / "a"))])
    assert run.model == tmp_path / "a" / "model"
    assert run.training == Training(300, 200, 60.5, 30.0, [Validation(100, 1.5), Validation(200, 3.5)])


def test_a_model_or_a_run_without_its_records_tells_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    [model] = find_runs([str(run / "model")])
    assert model.model == run / "model"
    assert model.training == Training(validations=[])
    (run / "metrics.jsonl").unlink()
    (run / "checkpoints" / "last" / "progress.json").unlink()
    assert find_runs([str(run)])[0].training == Training(validations=[])


def test_a_name_is_the_shortest_end_of_the_path_that_no_other_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, other = make_run(tmp_path / "x" / "a"), make_run(tmp_path / "x" / "b"), make_run(tmp_path / "y" / "a")
    assert names(a, b) == ["a", "b"]
    assert names(a / "model", b) == ["a", "b"]
    assert names(a, other, b) == ["x/a", "y/a", "b"]
    monkeypatch.chdir(a)
    assert names(Path("."), Path("../b/model/")) == ["a", "b"]


@pytest.mark.parametrize("again", ["a", "a/", "a/model", "./b/../a", "link"])
def test_a_run_twice_is_a_mistake(again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(Path("a"))
    make_run(Path("b"))
    Path("link").symlink_to("a")
    with pytest.raises(UsageError, match="every run must be given once, but `.*` is there twice") as raised:
        find_runs(["a", "b", again])
    assert ("as `a`" in str(raised.value)) == (again != "a")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "3",
        '{"kind": "train"}',
        '{"kind": "train", "step": 1}',
        '{"kind": "validation", "step": 2, "bleu": "3"}',
        '{"step": 1}',
    ],
)
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    metrics = make_run(tmp_path / "a") / "metrics.jsonl"
    metrics.write_text(f"{json.dumps(METRICS[0])}\n{line}\n{json.dumps(METRICS[1])}\n")
    with pytest.raises(UserError) as raised:
        find_runs([str(tmp_path / "a")])
    assert str(raised.value) == f"`{metrics}` is damaged: line 2 must be a record of a run, but is `{line}` instead"


def test_damaged_progress_is_named(tmp_path: Path) -> None:
    progress = make_run(tmp_path / "a") / "checkpoints" / "last" / "progress.json"
    progress.write_text(progress.read_text().replace("300", '"many"'))
    with pytest.raises(UserError, match="progress.json`: `step` must be of type int"):
        find_runs([str(tmp_path / "a")])
