"""The interactive prompt of ``nmt translate``."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO

with contextlib.suppress(ImportError):  # line editing and history, where the system has it
    import readline  # noqa: F401


def converse(answer: Callable[[list[str]], bytes], file: IO[bytes] | None) -> None:
    """Ask for lines and write their answers to ``file`` (stdout if None), until Ctrl-D.

    Ctrl-C gives up a line, or its translation. Prompts go to stderr.
    """
    print("One sentence a line; Ctrl-D ends.", file=sys.stderr)
    with _stdout_kept_for_results() as stdout:
        results = stdout if file is None else file
        while True:
            try:
                results.write(answer([input("> ")]))
                results.flush()
            except KeyboardInterrupt:
                print(file=sys.stderr)
            except UnicodeError:
                print("nmt: the line must be UTF-8, but is not", file=sys.stderr)
            except EOFError:
                print(file=sys.stderr)
                return


@contextlib.contextmanager
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
