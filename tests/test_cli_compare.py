"""`nmt compare`: one JSON object on stdout, a table on stderr, a page with plots in a file."""

import json
import shutil
from pathlib import Path

import pytest

from nmt.cli import main

QUICK = "search.max_length_offset=5"


@pytest.fixture(scope="module")
def other_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run again, which searches otherwise."""
    other = tmp_path_factory.mktemp("others") / "seed=2"
    shutil.copytree(tiny_run, other)
    (other / "model" / "search.json").write_text('{"strategy": "greedy", "max_length_offset": 5}')
    return other


@pytest.fixture
def files(tiny_corpus: Path) -> list[str]:
    return ["--source", str(tiny_corpus / "test.en"), "--reference", str(tiny_corpus / "test.fr")]


def test_two_runs(tiny_run: Path, other_run: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["compare", str(tiny_run), str(other_run), *files, "--output", str(page), "search.max_length_ratio=0.5"]) == 0
    captured = capfd.readouterr()
    assert captured.out.count("\n") == 1
    found = json.loads(captured.out)
    assert [run["name"] for run in found["runs"]] == ["tiny", "seed=2"]
    assert [run["search"]["strategy"] for run in found["runs"]] == ["beam", "greedy"]
    assert {run["search"]["max_length_ratio"] for run in found["runs"]} == {0.5}
    for run in found["runs"]:
        assert run["parameters"] > 0
        assert run["training"]["steps"] == run["training"]["best_step"] == 2
        assert run["training"]["seconds"] > 0
        assert run["sentences_per_second"] > 0
        assert f"\n{run['name']} " in captured.err and run["bleu"]["signature"] in captured.err
    assert (found["sentences"], found["languages"]) == (8, ["en", "fr"])
    assert found["measured"] == {"device": "cpu", "num_threads": 1, "batch_size": 64}
    written = page.read_text(encoding="utf-8")
    assert written.startswith("<!DOCTYPE html>") and written.endswith("</html>\n")
    assert "seed=2" in written
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_the_figures_are_those_of_evaluate(tiny_run: Path, tiny_corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = ["data=parallel", f"data.path={tiny_corpus}", "data.source=en", "data.target=fr", "split=val", QUICK, "lowercase=true"]
    data.append("tokenize=char")
    assert main(["evaluate", str(tiny_run / "model"), *data]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert main(["compare", str(tiny_run / "model"), *data]) == 0
    found = json.loads(capfd.readouterr().out)
    [run] = found["runs"]
    assert run["name"] == "tiny"
    assert set(run["training"].values()) == {None}
    assert main(["compare", str(tiny_run / "model"), *data, "num_threads=null"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["measured"]["num_threads"] is None and "threads as they came" in captured.err
    for metric in ("bleu", "chrf"):
        assert run[metric] == {**scores[metric], "p_value": None}
    assert run["search"] == scores["search"] and "|tok:char|" in run["bleu"]["signature"]
    assert found["test_set"] == " ".join(data[:5])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["RUN"], 2, "the test set must be given, by --source FILE and --reference FILE or by `data=…`, but is not"),
        (["data=toy"], 2, "at least one run must be given, but there are only settings"),
        (["RUN", "RUN/model", "data=toy"], 2, "every run must be given once, but `RUN/model` is there twice, as `RUN`"),
        (["RUN", "runs/seed=3", "data=toy"], 1, "there is no model directory `runs/seed=3`"),
        (["RUN", "unfinished", "data=toy"], 1, "there is no model directory `unfinished/model`"),
        (["RUN", "german", "data=toy"], 1, "all runs must translate en to fr, as `RUN` does, but `german` translates en to de"),
        (["RUN", "--source", "two.en", "--reference", "three.fr"], 1, "but have 2 and 3 instead"),
        (["RUN", "--source", "two.en", "--reference", "two.fr", "tokenize=14a"], 1, "`tokenize` must be one of"),
        (["RUN", "--source", "none.en", "--reference", "none.en"], 1, "the test set has no sentences"),
        (["RUN", "data=toy", "search.beam_sise=2"], 2, "did you mean `search.beam_size`?"),
        (["RUN", "data=toy", "--output", "no/page.html"], 1, "`--output` must be a file that can be written"),
        (["damaged", "data=toy"], 1, "`damaged/metrics.jsonl` is damaged: line 1 must be a record of a run, but is `{` instead"),
    ],
)
def test_mistakes_are_told_before_any_work(
    arguments: list[str],
    code: int,
    sentence: str,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nmt.translator.Translator.translate", None)  # nothing may get so far
    for name, lines in (("two.en", 2), ("two.fr", 2), ("three.fr", 3), ("none.en", 0)):
        Path(name).write_text("x\n" * lines, encoding="utf-8")
    Path("RUN").symlink_to(tiny_run)
    Path("unfinished/checkpoints").mkdir(parents=True)
    Path("damaged").mkdir()
    Path("damaged/model").symlink_to(tiny_run / "model")
    Path("damaged/metrics.jsonl").write_text("{\n")
    shutil.copytree(tiny_run / "model", "german")
    config = Path("german/config.json")
    config.write_text(config.read_text().replace('"fr"', '"de"'))
    assert main(["compare", *arguments]) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nmt: ")
    assert captured.err.count("\n") == 1
    assert sentence in captured.err


def test_a_page_that_comes_to_nothing_leaves_nothing(
    tiny_run: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nmt.translator.Translator.translate", interrupt)
    page = tmp_path / "page.html"
    page.write_text("the one before")
    assert main(["compare", str(tiny_run), *files, "--output", str(page)]) == 130
    assert [file.read_text() for file in tmp_path.iterdir()] == ["the one before"]
