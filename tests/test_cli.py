"""What every command promises: exit codes, one sentence for a mistake, nothing on stdout that is not the result."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.cli import main
from nmt.errors import UsageError, UserError


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nmt {nmt.__version__}\n"


def test_without_a_command_the_usage_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: nmt")


def test_help_is_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: nmt")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == (
        "nmt: the command must be one of train, translate, evaluate, compare, inspect, export, but is `trian` instead;"
        " did you mean `train`?\n"
    )


def test_arguments_must_be_utf8(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", os.fsdecode(b"run_dir=\xff")]) == 2
    assert "must be UTF-8" in capsys.readouterr().err


NO_MEMORY = "a batch must fit into memory, but does not: lower `batch_size`, `search.beam_size` or `search.n_best`"


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (UserError("`x` must be y."), 1, "nmt: `x` must be y.\n"),
        (UsageError("`x` must be y."), 2, "nmt: `x` must be y.\n"),
        (KeyboardInterrupt(), 130, "nmt: interrupted\n"),
        (OSError(28, "No space left on device", "/full/file"), 1, "nmt: `/full/file`: No space left on device\n"),
        (SystemExit(3), 3, ""),
        (MemoryError("Unable to allocate 11.6 TiB"), 1, f"nmt: {NO_MEMORY}\n"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, f"nmt: {NO_MEMORY}\n"),
    ],
)
def test_exit_codes(
    raised: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(arguments: list[str]) -> int:
        raise raised

    monkeypatch.setattr("nmt.cli.translate.run", fail)
    assert main(["translate"]) == code
    captured = capsys.readouterr()
    assert captured.err == message
    assert captured.out == ""


def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise ValueError("a bug")

    monkeypatch.setattr("nmt.cli.translate.run", fail)
    with pytest.raises(ValueError, match="a bug"):
        main(["translate"])


@pytest.mark.parametrize("command", ["train", "translate", "evaluate"])
def test_scripts_are_the_commands(command: str, repository: Path) -> None:
    script = (repository / "scripts" / f"{command}.py").read_text(encoding="utf-8")
    assert f'main(["{command}", *sys.argv[1:]])' in script


def test_module_is_the_command_and_a_closed_pipe_ends_quietly() -> None:
    # The reader is gone before a line is written, so that the write fails for sure.
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "nmt", "--help"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, timeout=60)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_results_are_utf8_and_closed_streams_are_quiet() -> None:
    command = f"{sys.executable} -m nmt --help"
    help_text = subprocess.run(
        command, shell=True, capture_output=True, check=True, timeout=60, env=os.environ | {"PYTHONIOENCODING": "latin-1"}
    ).stdout
    assert "nmt COMMAND …" in help_text.decode()
    for closed, code in (("--help >&-", 0), ("wrong 2>&-", 2)):
        result = subprocess.run(f"{command.removesuffix('--help')} {closed}", shell=True, capture_output=True, timeout=60)
        assert (result.returncode, result.stdout, result.stderr) == (code, b"", b"")


def test_public_names_are_there_and_late() -> None:
    code = "import sys, nmt; assert 'numpy' not in sys.modules; nmt.Translator; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert set(nmt.__all__) <= set(dir(nmt))
    for name in nmt.__all__:
        assert getattr(nmt, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Tranlator'"):
        _ = nmt.Tranlator
