"""A bar that goes by bytes and ends at the end, where somebody waits for it; a file of any length in the same memory."""

import gzip
import io
import os
import re
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from nmt.cli import main
from nmt.cli.lines import WINDOW, windows
from nmt.cli.progress import progress
from nmt.translation import TranslatedHypothesis, Translation
from nmt.translator import Translator

LINES = "".join(f"{'x' * (number % 50)} 猫\n" for number in range(2 * WINDOW))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What the bar takes for stderr."""
    found = Terminal()
    monkeypatch.setattr("nmt.cli.progress.sys", SimpleNamespace(stderr=found))
    return found


@pytest.fixture
def stdin() -> Iterator[int]:
    """Its number; it is what it was after the test."""
    kept = os.dup(0)
    yield 0
    os.dup2(kept, 0)
    os.close(kept)


def shares(path: str | None, terminal: Terminal, hidden: bool = False) -> list[int]:
    """What a bar shows, in percent, as windows are read."""
    with progress(path, hidden) as done:
        for window in windows(path):
            done(window)
    return [int(share) for share in re.findall(r"(\d+)%\|", terminal.getvalue())]


@pytest.mark.parametrize(
    "content",
    [LINES, LINES.removesuffix("\n"), "\ufeff" + LINES.replace("\n", "\r\n"), "x\n", "x", "\n\n"],
    ids=["plain", "no last line feed", "windows", "a line", "half a line", "blank"],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_bar_goes_by_bytes_and_ends_at_the_end(content: str, suffix: str, tmp_path: Path, terminal: Terminal) -> None:
    file = tmp_path / f"in.txt{suffix}"
    file.write_bytes(gzip.compress(content.encode()) if suffix else content.encode())
    found = shares(str(file), terminal)
    assert found[0] == 0 and found[-1] == 100
    assert found == sorted(found)
    assert f"{content.count(chr(10)) + (not content.endswith(chr(10))):,} lines" in terminal.getvalue()


@pytest.mark.parametrize("kind", ["plain", "gz", "stdin"])
def test_the_share_is_that_of_the_bytes(kind: str, tmp_path: Path, terminal: Terminal, stdin: int) -> None:
    """Of those to come, if some of stdin were read before."""
    before, content = b"x" * 4096, b"a\n" * WINDOW + b"abcde\n" * WINDOW
    file = tmp_path / f"in.{kind}"
    file.write_bytes({"plain": content, "gz": gzip.compress(content), "stdin": before + content}[kind])
    if kind == "stdin":
        with file.open("rb") as opened:
            os.dup2(opened.fileno(), stdin)
        os.lseek(stdin, len(before), os.SEEK_SET)
    path = None if kind == "stdin" else str(file)
    with progress(path, hidden=False) as done:
        time.sleep(0.2)  # a bar is not drawn more often than ten times a second
        done(["a"] * WINDOW)
        assert re.findall(r"(\d+)%\|", terminal.getvalue())[-1] == "25"


def test_nothing_is_shown_where_nobody_looks_or_nothing_is_known(
    tmp_path: Path, terminal: Terminal, stdin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "in.txt"
    file.write_text(LINES, encoding="utf-8")
    assert shares(str(file), terminal, hidden=True) == []
    reading, writing = os.pipe()
    os.write(writing, b"line\n")
    os.close(writing)
    os.dup2(reading, stdin)
    os.close(reading)
    assert shares(None, terminal) == []
    assert terminal.getvalue() == ""
    pipe = io.StringIO()
    monkeypatch.setattr("nmt.cli.progress.sys", SimpleNamespace(stderr=pipe))
    with progress(str(file), hidden=False) as done:
        done(["line"])
    assert pipe.getvalue() == ""


def test_a_damaged_file_is_told_as_it_is_read(
    tmp_path: Path, tiny_model: Path, terminal: Terminal, echo: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.gz"
    file.write_bytes(gzip.compress(LINES.encode())[:-100])
    assert main(["translate", str(tiny_model), "--input", str(file), "--output", os.devnull]) == 1
    assert capfd.readouterr().err.startswith(f"nmt: {file} cannot be decompressed")
    assert terminal.getvalue() == ""


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lets every translation be its source, and gives the number of lines so far."""
    done = [0]

    def translate(self: Translator, texts: Sequence[str], **settings: object) -> list[Translation]:
        done[0] += len(texts)
        return [Translation(text, [], [TranslatedHypothesis(text, [], 0.0, 0.0, True)]) for text in texts]

    monkeypatch.setattr(Translator, "translate", translate)
    return done


@pytest.mark.parametrize("from_file", [True, False])
def test_memory_does_not_grow_with_the_lines(
    from_file: bool, tmp_path: Path, tiny_model: Path, echo: list[int], stdin: int
) -> None:
    peaks = []
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    for count in (10_000, 10_000, 100_000):  # once to warm up
        source.write_text("".join(f"line {number}\n" for number in range(count)), encoding="utf-8")
        with source.open("rb") as opened:
            os.dup2(opened.fileno(), stdin)
        tracemalloc.start()
        arguments = ["--input", str(source)] if from_file else []
        assert main(["translate", str(tiny_model), *arguments, "--output", str(target)]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert target.read_bytes() == source.read_bytes()
    assert echo[0] == 120_000
    assert peaks[2] < 1.5 * peaks[1], peaks


def test_ctrl_c_leaves_the_finished_lines(
    tmp_path: Path,
    tiny_model: Path,
    echo: list[int],
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
    capfd: pytest.CaptureFixture[str],
) -> None:
    translate = Translator.translate

    def interrupted(self: Translator, texts: Sequence[str], **settings: object) -> list[Translation]:
        if echo[0] == 2 * WINDOW:
            raise KeyboardInterrupt
        return translate(self, texts, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Translator, "translate", interrupted)
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text(2 * LINES, encoding="utf-8")
    assert main(["translate", str(tiny_model), "--input", str(source), "--output", str(target)]) == 130
    assert (tmp_path / "out.txt.part").read_text(encoding="utf-8") == LINES
    assert not target.exists()
    assert terminal.getvalue().endswith("\n")  # messages have lines of their own
    assert capfd.readouterr().err == f"nmt: the lines finished so far are in `{target}.part`\nnmt: interrupted\n"
