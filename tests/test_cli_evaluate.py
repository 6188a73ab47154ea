"""`nmt evaluate`: one JSON object on stdout, a table on stderr."""

import json
from pathlib import Path

import pytest

from nmt.cli import main

QUICK = "search.max_length_offset=5"


def evaluate(model: Path, *arguments: str) -> int:
    return main(["evaluate", str(model), QUICK, *arguments])


@pytest.fixture
def files(tiny_corpus: Path) -> list[str]:
    return ["--source", str(tiny_corpus / "test.en"), "--reference", str(tiny_corpus / "test.fr")]


def test_files(tiny_model: Path, tiny_corpus: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "comet"
    assert evaluate(tiny_model, *files, "--output", str(output), "search.beam_size=2") == 0
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

    # What was kept is what was scored, and what `nmt translate` says.
    again = tmp_path / "again.fr"
    search = [QUICK, "search.beam_size=2"]
    assert main(["translate", str(tiny_model), "--input", files[1], "--output", str(again), *search]) == 0
    translated = again.read_bytes()
    assert translated.count(b"\n") == 8
    kept = {file.name: file.read_bytes() for file in output.iterdir()}
    source, reference = (tiny_corpus / name for name in ("test.en", "test.fr"))
    assert kept == {"source.txt": source.read_bytes(), "hypotheses.txt": translated, "reference.txt": reference.read_bytes()}


def test_data(tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = [f"data.path={tiny_corpus}", "data.source=en", "data.target=fr", "search=greedy"]
    found = {}
    for split in ("test", "validation", "val", "train"):
        assert evaluate(tiny_model, *data, f"split={split}", "--output", str(tmp_path / split)) == 0
        found[split] = json.loads(capfd.readouterr().out)["sentences"]
    assert found == {"test": 8, "validation": 8, "val": 8, "train": 120}
    translated = {split: (tmp_path / split / "hypotheses.txt").read_bytes() for split in found}
    assert translated["val"] == translated["validation"] != translated["test"]


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


def test_what_is_kept_has_a_line_for_each_sentence_however_it_is_read(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("source", "1\r2\r\n\n\u20283\x0c4"), ("reference", "\n\ufeffz\n\r\n")):
        Path(name).write_bytes(text.encode())
    for _ in range(2):  # the folder of an earlier evaluation is replaced
        assert evaluate(tiny_model, "--source", "source", "--reference", "reference", "--output", "kept") == 0
    for name, lines in (("source", ["1 2", "", "\u20283\x0c4"]), ("reference", ["", "\ufeffz", ""])):
        with open(f"kept/{name}.txt", encoding="utf-8") as file:  # as COMET does
            assert [line.removesuffix("\n") for line in file.readlines()] == lines


def test_a_folder_that_comes_to_nothing_leaves_nothing(
    tiny_model: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nmt.translator.Translator.translate", interrupt)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "hypotheses.txt").write_text("the one before")
    for output in ("kept", "new"):
        assert evaluate(tiny_model, *files, "--output", str(tmp_path / output)) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert [path.read_text() for path in kept.iterdir()] == ["the one before"]


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
        (
            ["--source", "two.en", "--reference", "two.fr", "--output", "folder"],
            1,
            "`--output` must be a new folder or that of an earlier evaluation, but `folder` holds `mine.txt`",
        ),
        (
            ["--source", "two.en", "--reference", "two.fr", "--output", "two.en"],
            1,
            "`--output` must be a folder, but `two.en` is a file",
        ),
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
    Path("folder").mkdir()
    Path("folder/mine.txt").touch()
    assert evaluate(tiny_model, *arguments) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nmt: ")
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
