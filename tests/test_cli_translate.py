"""`nmt translate`: N lines in, N lines out, at once, and files that are whole or not there."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nmt.cli import main
from nmt.cli.lines import WINDOW, windows
from nmt.search import Beam, Greedy, Sampling
from nmt.search.base import SearchStrategy
from nmt.search.scoring import LengthPenalty
from nmt.translation import Translation
from nmt.translator import Translator

Feed = Callable[[bytes], None]
QUICK = "search.max_length_offset=5"
PATIENCE = 300  # seconds: the machine may be busy


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    """Gives bytes to the next command's stdin."""
    kept = os.dup(0)

    def give(text: bytes) -> None:
        file = tmp_path / "stdin"
        file.write_bytes(text)
        with file.open("rb") as opened:
            os.dup2(opened.fileno(), 0)

    yield give
    os.dup2(kept, 0)
    os.close(kept)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[SearchStrategy]:
    """The search settings of the translators that are made; they translate all the same."""
    seen: list[SearchStrategy] = []
    initialise = Translator.__init__

    def watch(self: Translator, model: object, tokenizers: object, search: SearchStrategy, *rest: object) -> None:
        seen.append(search)
        initialise(self, model, tokenizers, search, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Translator, "__init__", watch)
    return seen


def translate(model: Path, *arguments: str) -> int:
    return main(["translate", str(model), QUICK, *arguments])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"The dog sleeps.", 1),
        (b"The dog sleeps.\n\n   \nA cat eats.\n", 4),
        ("one\u2028line\u0085with\x0cseparators\rin it\n".encode(), 1),
        ("control \x00\x01\x1b[31m characters\n😀 emoji 👩‍👩‍👧\nתורה 日本語 ᚠᛇᚻ\n".encode(), 3),
        (b"windows\r\nline ends\r\n", 2),
        (b"\xef\xbb\xbfbyte order mark\n", 1),
        (b"word " * 2000 + b"\n", 1),
    ],
)
def test_as_many_lines_as_came_in(
    text: bytes, lines: int, tiny_model: Path, feed: Feed, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    feed(text)
    assert translate(tiny_model) == 0
    out = capfdbinary.readouterr().out
    assert out.count(b"\n") == lines
    assert out == b"" or out.endswith(b"\n")
    blank = [not line.strip() for line in text.decode().removesuffix("\n").split("\n")] if text else []
    found = out.decode().split("\n")[:-1]
    assert [line == "" for line, is_blank in zip(found, blank, strict=True) if is_blank] == [True] * sum(blank)


@pytest.mark.parametrize("from_file", [True, False])
def test_windows_hold_every_line_once(
    from_file: bool, tmp_path: Path, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmt.cli.lines.WINDOW", 3)
    lines = [f"line {number}" for number in range(10)]
    feed(("\ufeff" + "\r\n".join(lines)).encode())
    found = list(windows(str(tmp_path / "stdin") if from_file else None))
    assert [line for window in found for line in window] == lines
    assert all(1 <= len(window) <= 3 for window in found)


def test_order_is_kept_over_windows(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = ["a", "the dogs that the man sees are old", "", "she sleeps", "the boys"] * 3
    source = tmp_path / "in.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr("nmt.cli.lines.WINDOW", 4)
    assert translate(tiny_model, "--input", str(source), "--format", "jsonl", "search=greedy") == 0
    assert [json.loads(line)["source"] for line in capfd.readouterr().out.splitlines()] == lines


def test_python_and_the_command_say_the_same(
    tiny_model: Path, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    sentences = ["The dog sleeps.", "A cat eats the old bread."]
    feed("\n".join(sentences).encode())
    assert main(["translate", str(tiny_model)]) == 0
    expected = [str(one) for one in Translator.from_pretrained(tiny_model, "cpu").translate(sentences)]
    assert capfd.readouterr().out == "".join(f"{line}\n" for line in expected)


def test_jsonl_has_scores_of_all_hypotheses(
    tiny_model: Path, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    feed("Où est le chien ?\n\n".encode())
    assert translate(tiny_model, "--format", "jsonl", "search.n_best=3") == 0
    first, blank = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert first["source"] == "Où est le chien ?"
    assert first["translation"] == first["hypotheses"][0]["text"]
    scores = [hypothesis["score"] for hypothesis in first["hypotheses"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert blank == {"source": "", "translation": "", "hypotheses": []}
    translator = Translator.from_pretrained(tiny_model, "cpu")
    search = replace(translator.search, n_best=3, max_length_offset=5)
    (expected,) = translator.translate(["Où est le chien ?"], search=search)
    for written, one in zip(first["hypotheses"], expected.hypotheses, strict=True):
        assert (written["text"], written["pieces"], written["finished"]) == (one.text, one.pieces, one.finished)
        assert (written["score"], written["log_prob"]) == pytest.approx((one.score, one.log_prob), abs=1e-4)


def test_threads_and_sentences_at_a_time_are_passed_on(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    threads: list[int] = []
    sizes: list[int] = []
    translated = Translator.translate

    def noted(self: Translator, texts: Sequence[str], **settings: Any) -> list[Translation]:
        sizes.append(settings["batch_size"])
        return translated(self, texts, **settings)

    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(Translator, "translate", noted)
    for name in ("en", "fr"):
        (tmp_path / name).write_text("a\nb\n", encoding="utf-8")
    test_set = ["--source", str(tmp_path / "en"), "--reference", str(tmp_path / "fr"), QUICK]
    settings = ["batch_size=3", "num_threads=2"]
    assert main(["translate", str(tiny_model), "--input", str(tmp_path / "en"), *settings]) == 0
    assert main(["evaluate", str(tiny_model), *test_set, *settings]) == 0
    assert main(["compare", str(tiny_model), *test_set, *settings]) == 0
    assert set(threads) == {2} and len(threads) == 3
    assert set(sizes) == {3} and len(sizes) >= 3


def test_search_begins_as_the_models_own(tiny_run: Path, tmp_path: Path, feed: Feed, searches: list[SearchStrategy]) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in (tiny_run / "model").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    own = {"strategy": "beam", "beam_size": 3, "length_penalty": 0.25, "max_length_offset": 4}
    (model / "search.json").write_text(json.dumps(own), encoding="utf-8")
    for overrides in ([], ["search.beam_size=2"], ["search=greedy"], ["search=beam"], ["search=sampling", "search.seed=5"]):
        feed(b"")
        assert main(["translate", str(model), *overrides]) == 0
    assert searches == [
        Beam(beam_size=3, length_penalty=0.25, max_length_offset=4),
        Beam(beam_size=2, length_penalty=0.25, max_length_offset=4),
        Greedy(),
        Beam(),
        Sampling(seed=5),
    ]


def test_no_search_is_passed_over(tiny_model: Path, feed: Feed, searches: list[SearchStrategy]) -> None:
    feed(b"a\n")
    assert translate(tiny_model, "+search=greedy") == 2
    assert searches == []


def test_several_models_translate_as_one(
    tiny_model: Path, other_model: Path, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    found = []
    for models in ([], [str(tiny_model)], ["search.n_best=1", str(tiny_model), str(tiny_model)], [str(other_model)]):
        feed(b"The dog sleeps.\nA cat eats.\n")
        assert translate(tiny_model, "search=greedy", "search.max_length_offset=5", *models) == 0
        found.append(capfd.readouterr().out)
    assert found[0] == found[1] == found[2] != found[3]
    both = Translator.from_pretrained([tiny_model, other_model])
    expected = both.translate(["The dog sleeps.", "A cat eats."], search=Greedy(max_length_offset=5))
    assert found[3] == "".join(f"{translation}\n" for translation in expected)


def test_settings_may_stand_before_and_after_options(tiny_model: Path, tmp_path: Path, searches: list[SearchStrategy]) -> None:
    source = tmp_path / "a=b.txt"
    source.write_text("x\n", encoding="utf-8")
    arguments = ["search.beam_size=2", "--input", str(source), "search.n_best=2", "--output", os.devnull, "num_threads=1"]
    assert main(["translate", str(tiny_model), *arguments]) == 0
    assert searches[-1] == Beam(beam_size=2, n_best=2)


def test_search_settings_that_are_names_and_lists(tiny_model: Path, feed: Feed, searches: list[SearchStrategy]) -> None:
    settings = ["search.forbidden_pieces=[▁,<0x0A>]", "search.no_repeat_ngram=3", "search.length_penalty_form=plain"]
    feed(b"")
    assert main(["translate", str(tiny_model), *settings, "search.min_length_offset=2"]) == 0
    assert searches[-1] == Beam(
        forbidden_pieces=["▁", "<0x0A>"], no_repeat_ngram=3, length_penalty_form=LengthPenalty.plain, min_length_offset=2
    )


@pytest.mark.parametrize("window", [2, 1000])
def test_prefixes_stand_line_by_line(
    window: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nmt.cli.lines.WINDOW", window)
    source, prefixes = tmp_path / "in", tmp_path / "prefixes"
    source.write_text("the dog\n\nshe sleeps\nthe boys\n", encoding="utf-8")
    prefixes.write_text("le chien\nrien\n\nles\n", encoding="utf-8")
    assert translate(tiny_model, "--input", str(source), "--prefixes", str(prefixes)) == 0
    found = capfd.readouterr().out.split("\n")
    assert len(found) == 5
    assert found[0].startswith("le chien")
    assert found[1] == ""
    assert found[3].startswith("les")


@pytest.mark.parametrize("window", [2, 1000])
@pytest.mark.parametrize(("lines", "found"), [(2, "ends after 2"), (4, "has more than its 3")])
def test_prefixes_must_be_as_many_as_lines(
    window: int,
    lines: int,
    found: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    feed: Feed,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("nmt.cli.lines.WINDOW", window)
    prefixes = tmp_path / "prefixes"
    prefixes.write_text("le\n" * lines, encoding="utf-8")
    feed(b"a\nb\nc\n")
    assert translate(tiny_model, "--prefixes", str(prefixes)) == 1
    told = f"nmt: `--prefixes` must have a line for each line of the input, but `{prefixes}` {found}\n"
    assert capfd.readouterr().err == told


def test_loops_are_counted_at_the_end(
    tiny_model: Path, feed: Feed, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nmt.cli.lines.WINDOW", 2)
    monkeypatch.setattr("nmt.translator.loop_end", lambda tokens: 1)
    monkeypatch.setattr("nmt.translator.continues_character", lambda piece: False)  # so that the cut stays there
    feed(b"a\n\nb\nc\n")
    assert translate(tiny_model, "--format", "jsonl", "search.forbidden_pieces=[</s>]") == 0
    captured = capfd.readouterr()
    found = [json.loads(line) for line in captured.out.splitlines()]
    assert [[one["repeating"] for one in line["hypotheses"]] for line in found] == [[True], [], [True], [True]]
    assert all(len(one["pieces"]) == 1 for line in found for one in line["hypotheses"])
    assert captured.err == "nmt: 3 translations ran to the length limit in a loop, cut after the first round\n"
    monkeypatch.setattr("nmt.translator.loop_end", lambda tokens: None)
    feed(b"a\n")
    assert translate(tiny_model, "--format", "jsonl", "search.forbidden_pieces=[</s>]") == 0
    captured = capfd.readouterr()
    assert (json.loads(captured.out)["hypotheses"][0]["repeating"], captured.err) == (False, "")


def test_output_file_replaces_the_old_one_through_a_link(tiny_model: Path, tmp_path: Path, feed: Feed) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old\n", encoding="utf-8")
    link.symlink_to(target)
    feed(b"a\nb\n")
    assert translate(tiny_model, "--output", str(link)) == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").count("\n") == 2
    assert not (tmp_path / "target.txt.part").exists()


def test_output_may_be_a_pipe_by_any_name(tiny_model: Path, feed: Feed, capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    feed(b"a\n")
    assert translate(tiny_model, "--output", f"/dev/fd/{writer}") == 0
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        found = pipe.read()
    feed(b"a\n")
    assert translate(tiny_model, "--output", "/dev/stdout") == 0
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == (found, "") and found.endswith("\n")


def test_a_setting_may_be_longer_than_a_files_name(
    tiny_model: Path, feed: Feed, searches: list[SearchStrategy]
) -> None:
    pieces = [f"<0x{number:02X}>" for number in range(60)]
    feed(b"")
    assert translate(tiny_model, f"search.forbidden_pieces=[{','.join(pieces)}]") == 0
    assert searches[-1].forbidden_pieces == pieces


def test_input_may_be_the_output(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("a\n\nb\n", encoding="utf-8")
    assert translate(tiny_model, "--input", str(file), "--output", str(file)) == 0
    assert len(file.read_text(encoding="utf-8").split("\n")) == 4


def test_invalid_utf8_keeps_the_lines_before_it(
    tiny_model: Path, tmp_path: Path, feed: Feed, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    target.write_text("old\n", encoding="utf-8")
    feed(b"good\nbad \xff byte\nnever reached\n")
    assert translate(tiny_model, "--output", str(target)) == 1
    assert target.read_text(encoding="utf-8") == "old\n"
    assert (tmp_path / "out.part").read_text(encoding="utf-8").count("\n") == 1
    assert capfd.readouterr().err == (
        f"nmt: the lines finished so far are in `{target}.part`\n"
        "nmt: the input must be UTF-8, but line 2 has the byte 0xff at byte offset 9 instead (invalid start byte)\n"
    )


def test_failure_before_the_first_line_leaves_all_as_it_was(tiny_model: Path, tmp_path: Path, feed: Feed) -> None:
    feed(b"\xff\n")
    assert translate(tiny_model, "--output", str(tmp_path / "out")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["stdin"]
    part = tmp_path / "out.part"
    part.write_text("hours\nof\nwork\n", encoding="utf-8")
    feed(b"\xff\n")
    assert translate(tiny_model, "--output", str(tmp_path / "out")) == 1
    assert part.read_text(encoding="utf-8") == "hours\nof\nwork\n"


@pytest.mark.parametrize("text", [b"", b"a\nb\n"])
def test_the_lines_of_an_earlier_work_give_way_to_new_ones(text: bytes, tiny_model: Path, tmp_path: Path, feed: Feed) -> None:
    target, part = tmp_path / "out", tmp_path / "out.part"
    feed(text)
    assert translate(tiny_model, "--output", str(target)) == 0
    expected = target.read_bytes()
    target.write_text("old\n", encoding="utf-8")
    target.chmod(0o600)
    part.write_text("an earlier and longer work\n" * 20, encoding="utf-8")
    feed(text)
    assert translate(tiny_model, "--output", str(target)) == 0
    assert target.read_bytes() == expected
    assert target.stat().st_mode & 0o777 == 0o600, "what nobody else may read stays so"
    assert not part.exists()


@pytest.mark.parametrize("to_file", [True, False])
def test_a_closed_stdin_is_told(to_file: bool, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old\n", encoding="utf-8")
    command = [sys.executable, "-m", "nmt", "translate", str(tiny_model), *(["--output", str(target)] if to_file else [])]
    result = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, timeout=PATIENCE)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "nmt: text must come from a file or from stdin, but stdin is closed\n"
    assert target.read_text(encoding="utf-8") == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--input", "missing.txt"], 1, ["missing.txt", "No such file"]),
        (["--output", "missing/out.txt"], 1, ["`--output`", "missing/out.txt", "No such file"]),
        (["--output", "."], 1, ["`--output`", "Is a directory"]),
        (["--output", ""], 1, ["`--output` must name a file, but is empty instead"]),
        (["--prefixes", "p", "shortlist=true"], 2, ["--prefixes must be given with `shortlist=false`, but it is true instead"]),
        (["--format", "xml"], 2, ["--format", "xml", "jsonl"]),
        (["--nonsense"], 2, ["--nonsense"]),
        (["search.beam=3"], 2, ["`search.beam`"]),
        (["search.forbidden_pieces=[▁zzz]"], 1, ["`forbidden_pieces` must be pieces of the target's vocabulary, but `▁zzz` is"]),
        (["search.forbidden_pieces=a"], 2, ["`search.forbidden_pieces` must be a list in brackets (`[a,b]`), but is `a`"]),
        (["search.length_penalty_form=wu"], 2, ["`search.length_penalty_form` must be one of gnmt, plain, but is `wu`"]),
        (["search=bem"], 2, ["`search` must be one of beam, greedy, mbr, sampling", "did you mean `beam`?"]),
        (["search.beam_size=0"], 2, ["`beam_size` must be at least 1, but is 0 instead"]),
        (["search.beam_size=2,3"], 2, ["`search.beam_size=2,3` must have one value"]),
        (["batch_size=0"], 2, ["`batch_size` must be at least 1, but is 0 instead"]),
        (["num_threads=10000000000"], 2, ["`num_threads` must be below 2**31, but is 10000000000 instead"]),
        (["+extra=1"], 2, ["`extra`"]),
        (["data=toy"], 2, ["data"]),
        (["just words"], 1, ["there is no model directory `just words`"]),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    words: list[str],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    feed: Feed,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    feed(b"text\n")
    assert main(["translate", str(tiny_model), *arguments]) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    for word in words:
        assert word in captured.err
    assert "Traceback" not in captured.err


def test_model_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate"]) == 2
    assert capsys.readouterr().err.endswith("error: the following arguments are required: MODEL\n")
    assert main(["translate", "search.n_best=1"]) == 2
    assert capsys.readouterr().err == "nmt: at least one model directory must be given, but there are only settings\n"
    assert main(["translate", "no/such/model"]) == 1
    assert "no/such/model" in capsys.readouterr().err


@contextmanager
def started(
    model: Path,
    *arguments: str,
    stdin: int = subprocess.PIPE,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """`nmt translate MODEL` in a process of its own."""
    command = [sys.executable, "-m", "nmt", "translate", str(model), QUICK, *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()  # a test that fails must not wait for it


def test_slow_pipe_is_answered_at_once_and_an_interrupt_ends_it(tiny_model: Path) -> None:
    with started(tiny_model) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"The dog sleeps.\n", b"\n", b"A cat eats.\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 60)[0], "no answer while the pipe is open"
            assert os.read(process.stdout.fileno(), 1 << 16).count(b"\n") == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b"nmt: interrupted\n"


def test_reader_that_leaves_ends_it_quietly(tiny_model: Path) -> None:
    with started(tiny_model) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"The dog sleeps.\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"One more.\n" * (2 * WINDOW))
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_prompt_on_a_terminal(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    keyboard, terminal = pty.openpty()
    with started(tiny_model, stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        assert process.stdout is not None
        expect(keyboard, b"> ")
        os.write(keyboard, b"The dog sleeps.\n")
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        assert os.read(process.stdout.fileno(), 1 << 16).count(b"\n") == 1
        expect(keyboard, b"log-probability", b"> ")
        os.write(keyboard, b"half a li")
        expect(keyboard, b"half a li")
        process.send_signal(signal.SIGINT)  # Ctrl-C gives up the line
        while not select.select([keyboard], [], [], 2)[0]:  # Python does not notice one that comes while readline reads a key
            process.send_signal(signal.SIGINT)
        expect(keyboard, b"> ")
        os.write(keyboard, b"\n")
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        assert os.read(process.stdout.fileno(), 1 << 16) == b"\n"
        expect(keyboard, b"> ")
        os.write(keyboard, b":att\t\n")
        expect(keyboard, b":attention", "█".encode(), b"\n> ")
        os.write(keyboard, b"\x04")  # Ctrl-D leaves
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b""
    os.close(keyboard)
    assert "The dog sleeps.\n:attention \n" in (tmp_path / "nmt" / "history").read_text(encoding="utf-8")


def test_a_prompt_writes_a_file_in_the_form_that_was_asked_for(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    keyboard, terminal = pty.openpty()
    out = tmp_path / "out.jsonl"
    with started(tiny_model, "--format=jsonl", f"--output={out}", stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        assert process.stdout is not None
        expect(keyboard, b"> ")
        for line in (b"The dog sleeps.\n", b"A cat eats.\n"):
            os.write(keyboard, line)
            expect(keyboard, b"log-probability", b"> ")
        assert not out.exists()
        os.write(keyboard, b"\x04")
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == b""
    os.close(keyboard)
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [record["source"] for record in records] == ["The dog sleeps.", "A cat eats."]
    assert all(record["hypotheses"][0]["text"] == record["translation"] for record in records)


def test_prefixes_of_a_terminal_are_wrong_usage(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("Le\n")
    keyboard, terminal = pty.openpty()
    with started(tiny_model, f"--prefixes={tmp_path / 'prefixes'}", stdin=terminal) as process:
        assert process.stderr is not None
        told = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 2
    os.close(terminal)
    os.close(keyboard)
    assert "--prefixes must be given together with --input or a pipe, but the input is a terminal" in told


@pytest.mark.parametrize("to_terminal", [False, True])
def test_a_bar_on_the_terminal_unless_the_translations_come_there(to_terminal: bool, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("The dog sleeps.\nA cat eats.\n")
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    stdout = terminal if to_terminal else subprocess.PIPE
    with started(tiny_model, f"--input={tmp_path / 'in'}", stdout=stdout, stderr=terminal) as process:
        assert process.wait(PATIENCE) == 0
        os.write(terminal, b"END")
        shown = b""
        while b"END" not in shown:
            shown += os.read(keyboard, 1 << 16)
    os.close(terminal)
    os.close(keyboard)
    assert (b"100%|" in shown and b"2 lines" in shown) != to_terminal


def expect(keyboard: int, *texts: bytes) -> None:
    """Read what the program shows on its terminal until `texts` were there, one after the other."""
    shown = b""
    deadline = time.monotonic() + PATIENCE
    for text in texts:
        while text not in shown:
            assert select.select([keyboard], [], [], max(0, deadline - time.monotonic()))[0], shown
            shown += os.read(keyboard, 1 << 16)
        shown = shown.partition(text)[2]
