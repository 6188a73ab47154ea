"""`nmt inspect`: a page or a picture, whole or not there, and one sentence for each mistake."""

import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nmt.cli import main
from nmt.model_directory import load_model_directory, save_model_directory
from nmt.models.config import Architecture
from nmt.models.seq2seq import build

TEXT = "The dog sleeps."
QUICK = "search.max_length_offset=0"


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Gives text to the next command's stdin."""
    kept = os.dup(0)

    def give(text: str) -> None:
        file = tmp_path / "stdin"
        file.write_text(text, encoding="utf-8")
        with file.open("rb") as opened:
            os.dup2(opened.fileno(), 0)

    yield give
    os.dup2(kept, 0)
    os.close(kept)


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal's end for a program."""
    controller, end = pty.openpty()
    yield end
    os.close(end)
    os.close(controller)


@pytest.fixture(scope="module")
def transformer(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of a network without recurrence."""
    directory = tmp_path_factory.mktemp("models") / "attention-only"
    model = load_model_directory(tiny_model)
    config = model.config
    config.architecture = Architecture.transformer
    network = build(config, len(model.tokenizers.source), len(model.tokenizers.target), joint=True)
    save_model_directory(directory, config, network, model.tokenizers, model.search, languages=("en", "fr"), card="")
    return directory


def inspect(*arguments: object) -> int:
    return main(["inspect", *map(str, arguments)])


def test_a_page_from_an_argument_or_from_stdin(
    tiny_model: Path, tmp_path: Path, feed: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert inspect(tiny_model, TEXT, "--output", page, QUICK) == 0
    assert capfd.readouterr() == ("", "")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    feed(f"\n{TEXT}\n")
    assert inspect(tiny_model, QUICK) == 0
    assert capfd.readouterr().out == page.read_text(encoding="utf-8")
    assert list(tmp_path.glob("*.part")) == []


def test_settings_are_those_of_translate_and_a_beam_shows_all_it_kept(tiny_model: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for settings, kept in ((["search.beam_size=3"], 3), (["search.beam_size=3", "++search.n_best=2"], 2), (["search=greedy"], 1)):
        assert inspect(tiny_model, TEXT, "--output", page, QUICK, *settings) == 0
        assert f"{kept}. score" in page.read_text(encoding="utf-8")
        assert f"{kept + 1}. score" not in page.read_text(encoding="utf-8")


def test_a_picture(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "picture.PNG"
    assert inspect(tiny_model, TEXT, "--output", picture, QUICK) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert capfd.readouterr() == ("", "")


def test_a_missing_matplotlib_is_told(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("picture", "canvas", "tree_picture", "memory_picture"):
        monkeypatch.delitem(sys.modules, f"nmt.inspection.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert inspect(tiny_model, TEXT, "--output", tmp_path / "picture.png") == 1
    assert "which is not installed: pip install 'nmt[plot]'" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_memory_of_several_models(
    tiny_run: Path, tmp_path: Path, feed: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    copies = [tmp_path / name / "model" for name in ("one", "two")]
    for copy in copies:
        copy.parent.mkdir()
        copy.symlink_to(tiny_run / "model") if copy == copies[0] else copy.mkdir()
    for file in (tiny_run / "model").iterdir():
        (copies[1] / file.name).write_bytes(file.read_bytes())
    sentences = tmp_path / "sentences.txt"
    sentences.write_text(f"{TEXT}\n\nA cat eats the old bread.\n", encoding="utf-8")
    page = tmp_path / "page.html"
    assert inspect(*copies, "--memory", "--source", sentences, "--output", page) == 0
    out, err = capfd.readouterr()
    curves = json.loads(out)["curves"]
    assert len({curve["model"] for curve in curves}) == 2
    assert all(curve["model"] in page.read_text(encoding="utf-8") for curve in curves)
    assert curves[0]["norm"] == curves[1]["norm"] and curves[0]["norm"][0] == 1.0
    assert curves[0]["sentences"] == 2 and curves[0]["sentences_by_distance"][0] == 2
    assert "measuring on 2 sentences" in err
    feed(sentences.read_text(encoding="utf-8"))
    assert inspect(copies[1], "--memory") == 0
    assert capfd.readouterr().out.startswith("<!DOCTYPE html>")


def test_mistakes_of_usage(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], terminal: int) -> None:
    page = tmp_path / "page.html"
    two = "one model and one text (in quotes) must be given, but there is more"
    cases = [
        ((tiny_model, TEXT, "--output", tmp_path / "page.pdf"), "`--output` must end in .html or .png, but is `"),
        ((tiny_model, tiny_model, "--output", page), two),
        ((tiny_model, "a", "b", "--output", page), two),
        (("search.beam_size=3", "--output", page), "a model directory must be given, but there are only settings"),
        ((tiny_model, TEXT, "--source", page, "--output", page), "--source must be given with --memory only"),
        ((tiny_model, TEXT, "search.beam_sise=3", "--output", page), "did you mean `search.beam_size`?"),
        ((tiny_model, TEXT, "backend=onnx", "--output", page), "must compute with PyTorch in fp32, but `backend` or"),
        ((tiny_model, "--memory", "--source", page, "quantised=true", "--output", page), "must compute with PyTorch in fp32"),
        ((tiny_model, tiny_model, "--memory", "--source", page, "--output", page), "every run must be given once"),
    ]
    for arguments, message in cases:
        assert inspect(*arguments) == 2
        found = capfd.readouterr()
        assert message in found.err and found.err.count("\n") == 1 and found.out == ""
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_there_must_be_a_file_and_a_text(
    tiny_model: Path, tmp_path: Path, terminal: int, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = os.dup(0), os.dup(1)
    try:
        os.dup2(terminal, 0)
        assert inspect(tiny_model, "--output", tmp_path / "page.html") == 2
        assert inspect(tiny_model, "--memory", "--output", tmp_path / "page.html") == 2
        os.dup2(terminal, 1)
        assert inspect(tiny_model, TEXT) == 2
    finally:
        os.dup2(kept[0], 0)
        os.dup2(kept[1], 1)
        for descriptor in kept:
            os.close(descriptor)
    told = capfd.readouterr().err
    assert "a text must be given, as an argument after the model or on stdin, but is not" in told
    assert "sentences must be given, by --source FILE or on stdin, but are not" in told
    assert "--output must name a .html or .png file where stdout is a terminal, but is not given" in told


def test_what_cannot_be_inspected(
    tiny_model: Path, transformer: Path, tmp_path: Path, feed: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text("before", encoding="utf-8")
    blank = tmp_path / "blank.txt"
    blank.write_text("\n \n", encoding="utf-8")
    feed("a\nb\n")
    cases = [
        ((tiny_model,), "the text to inspect must be one line of stdin, but there are 2 that are not blank"),
        ((tiny_model, "  "), "the text to inspect must not be blank, but is"),
        ((tiny_model, "word " * 500), "the text to inspect must have at most 256 pieces, but has"),
        ((tmp_path, TEXT), "is no model directory"),
        ((tiny_model, "--memory", "--source", blank), f"`{blank}` must have sentences to measure memory on, but has none"),
        ((transformer, "--memory", "--source", blank), "`attention-only`: the model must have a recurrent encoder"),
    ]
    for arguments, message in cases:
        assert inspect(*arguments, "--output", page) == 1
        found = capfd.readouterr()
        assert message in found.err and found.err.count("\n") == 1 and found.out == ""
    assert page.read_text(encoding="utf-8") == "before"
    assert inspect(transformer, TEXT, "--output", page, QUICK) == 0
    assert "no gates" in page.read_text(encoding="utf-8")
