"""The interactive prompt of ``nmt translate``."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nmt.cli import BATCH_FITS, report
from nmt.cli.commands import COMMANDS, Conversation, run_command, translate_line
from nmt.errors import UserError, enough_memory
from nmt.translation import Translation

_HISTORY = 1000  # lines that are kept
_NO_HISTORY = (OSError, RuntimeError)  # no file, or no home: nothing to stop for


def converse(conversation: Conversation, to_line: Callable[[Translation], str], file: IO[bytes] | None) -> None:
    """Ask for lines and write their translations to ``file`` (stdout if None), until Ctrl-D or ``:quit``.

    Ctrl-C gives up a line, or its translation. Everything but translations goes to stderr.
    """
    print("One line, one translation; :help lists commands, Ctrl-D leaves.", file=sys.stderr)
    with _stdout_kept_for_results() as stdout, _line_editing() as keep:
        results = stdout if file is None else file
        while True:
            try:
                typed = input("> ")
                typed.encode()  # in some locales Python lets bytes that are no UTF-8 through, as halves of surrogates
                keep()
                for line in typed.split("\n"):  # what is pasted may have several
                    _answer(conversation, line, to_line, results)
            except KeyboardInterrupt:
                print(file=sys.stderr)
            except UnicodeError:
                print("nmt: the line must be UTF-8, but is not", file=sys.stderr)
            except EOFError:
                print(file=sys.stderr)
                return


def _answer(conversation: Conversation, line: str, to_line: Callable[[Translation], str], results: IO[bytes]) -> None:
    try:
        with enough_memory(BATCH_FITS):
            if line.startswith(":"):
                said = run_command(conversation, line)
            else:
                translation, said = translate_line(conversation, line)
                results.write(f"{to_line(translation)}\n".encode())
                results.flush()
            if said:
                print(said, file=sys.stderr)
    except UserError as error:
        report(error)


@contextmanager
def _stdout_kept_for_results() -> Iterator[IO[bytes]]:
    """Give stdout as a file of its own, while what ``input`` writes to stdout goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "wb", closefd=False) as file:
            yield file
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _line_editing() -> Iterator[Callable[[], None]]:
    """Line editing, the Tab key for names of commands, and a history that outlives the process, where the system has these.

    Yields what puts the newest lines into the history's file: at once, as other prompts have lines for it too.
    """
    try:
        import readline
    except ImportError:
        yield lambda: None
        return
    tab = "bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete"
    readline.parse_and_bind(tab)
    readline.set_completer_delims(" ")
    readline.set_completer(_complete)
    readline.set_history_length(_HISTORY)
    with suppress(*_NO_HISTORY):
        file = _history_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            readline.write_history_file(file)  # in the form of its own that the library may have
        file.chmod(0o600)
        readline.read_history_file(file)
    known = readline.get_current_history_length()

    def keep() -> None:
        nonlocal known
        new, known = readline.get_current_history_length() - known, readline.get_current_history_length()
        if new > 0:
            with suppress(*_NO_HISTORY):
                readline.append_history_file(new, _history_file())

    yield keep


def _complete(text: str, number: int) -> str | None:
    """The ``number``-th command that begins with ``text``."""
    matches = [f"{name} " for name in COMMANDS if text and name.startswith(text)]
    return matches[number] if number < len(matches) else None


def _history_file() -> Path:
    """Where the XDG Base Directory Specification (0.8) has such things; it has relative paths ignored."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "nmt" / "history"
