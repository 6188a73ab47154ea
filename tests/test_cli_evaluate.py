"""`nmt evaluate`: one JSON object on stdout, a table on stderr."""

import json
from pathlib import Path

import pytest

from nmt.cli import main

QUICK = "search.max_length_offset=5"


def evaluate(model: Path, *arguments: str) -> int:
    return main(["evaluate", str(model), QUICK, *arguments])


def test_files(tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, reference, output = tiny_corpus / "test.en", tiny_corpus / "test.fr", tmp_path / "hypotheses.fr"
    arguments = ["--source", str(source), "--reference", str(reference), "--output", str(output)]
    assert evaluate(tiny_model, *arguments, "search.beam_size=2") == 0
    captured = capfd.readouterr()
    scores = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert scores["sentences"] == 8
    for metric in ("bleu", "chrf", "ter"):
        low, high = scores[metric]["interval"]
        assert low <= scores[metric]["score"] <= high
        assert scores[metric]["signature"] in captured.err
    assert "tok:13a" in scores["bleu"]["signature"]
    assert (scores["search"]["strategy"], scores["search"]["beam_size"]) == ("beam", 2)
    translated = output.read_text(encoding="utf-8")
    assert translated.count("\n") == 8

    # What was kept is what was scored, and what `nmt translate` says.
    again = tmp_path / "again.fr"
    search = [QUICK, "search.beam_size=2"]
    assert main(["translate", str(tiny_model), "--input", str(source), "--output", str(again), *search]) == 0
    assert again.read_text(encoding="utf-8") == translated


def test_data(tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = [f"data.path={tiny_corpus}", "data.source=en", "data.target=fr", "search=greedy"]
    found = {}
    for split in ("test", "validation", "val", "train"):
        output = tmp_path / split
        assert evaluate(tiny_model, *data, f"split={split}", "--output", str(output)) == 0
        found[split] = json.loads(capfd.readouterr().out)["sentences"]
    assert found == {"test": 8, "validation": 8, "val": 8, "train": 120}
    assert (tmp_path / "val").read_bytes() == (tmp_path / "validation").read_bytes() != (tmp_path / "test").read_bytes()


def test_default_split_has_the_name_that_data_gives_it(
    tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for language in ("en", "fr"):
        (tmp_path / f"test_2016_flickr.{language}").write_bytes((tiny_corpus / f"test.{language}").read_bytes())
    assert evaluate(tiny_model, "data=multi30k_en_fr", f"data.path={tmp_path}", "split=test", "search=greedy") == 0
    assert json.loads(capfd.readouterr().out)["sentences"] == 8


def test_blank_lines_count(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test.en").write_text("a\n\nb\n", encoding="utf-8")
    (tmp_path / "test.fr").write_text("c\n\n\n", encoding="utf-8")
    for test_set in (
        ["--source", str(tmp_path / "test.en"), "--reference", str(tmp_path / "test.fr")],
        [f"data.path={tmp_path}", "data.source=en", "data.target=fr"],
    ):
        assert evaluate(tiny_model, *test_set) == 0
        assert json.loads(capfd.readouterr().out)["sentences"] == 3


def test_settings_of_the_scores(tiny_model: Path, tiny_corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = ["--source", str(tiny_corpus / "test.en"), "--reference", str(tiny_corpus / "test.fr"), "search=greedy"]
    assert evaluate(tiny_model, *files, "tokenize=char", "lowercase=true") == 0
    signature = json.loads(capfd.readouterr().out)["bleu"]["signature"]
    assert "tok:char" in signature
    assert "case:lc" in signature


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "the test set must be given, by --source FILE and --reference FILE or by `data=…`, but is not"),
        (["--source", "two.en"], 2, "--source and --reference must be given together, but only one is there"),
        (
            ["--source", "two.en", "--reference", "two.fr", "data=toy"],
            2,
            "the test set must be either --source and --reference or `data`, but is both (data=toy)",
        ),
        (["--source", "two.en", "--reference", "three.fr"], 1, "but have 2 and 3 instead"),
        (["--source", "two.en", "--reference", "none.fr"], 1, "none.fr cannot be read: No such file or directory"),
        (["--source", "two.en", "--reference", "two.fr", "tokenize=14a"], 1, "`tokenize` must be one of"),
        (["data=toy", "split=tset"], 1, "tset"),
        (["data=tyo"], 2, "did you mean `toy`?"),
        (["data=toy", "data.paht=x"], 2, "did you mean `data.path`?"),
        (["data=toy", "search.beam_size=2.5"], 2, "`search.beam_size` must be a whole number, but is `2.5` instead"),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    sentence: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("two.en", 2), ("two.fr", 2), ("three.fr", 3)):
        Path(name).write_text("x\n" * lines, encoding="utf-8")
    assert evaluate(tiny_model, *arguments) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nmt: ")
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
