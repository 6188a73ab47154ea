"""Lines in, lines out: windows of input that wait for nobody, and output files that are whole or not there."""

import io
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, Queue
from stat import S_IMODE
from time import monotonic
from typing import IO, Any

from nmt.data.parallel import decode_lines, read_lines
from nmt.errors import UsageError, UserError

WINDOW = 1024  # lines at a time: enough for batches of like length, few enough for a result now and then
_PATIENCE = 0.05  # seconds that a line waits for others to share its window


@dataclass
class _End:
    """What comes after the last line: the error, if it was one, that there are no more."""

    error: Exception | None = None


def windows(path: str | None) -> Iterator[list[str]]:
    """The lines of the file ``path`` (``.gz`` too), or of stdin if None, in lists of at most ``WINDOW``.

    From stdin a list ends as soon as no further line is there, so that a slow writer has its answer at once.
    """
    if path is None:
        if sys.stdin is None:  # its number may be another file's by now
            raise UsageError("text must come from a file or from stdin, but stdin is closed")
        yield from _as_available(_stdin_lines())
        return
    window = []
    for line in read_lines(path):
        window.append(line)
        if len(window) == WINDOW:
            yield window
            window = []
    if window:
        yield window


def beside(parts: Iterable[list[str]], path: str | None) -> Iterator[tuple[list[str], list[str] | None]]:
    """The windows, each with its lines of the file ``path``, which has one for each of theirs; with None if ``path`` is None.

    Raises ``UserError`` if the file has fewer lines, or more.
    """
    lines, count = iter(()) if path is None else read_lines(path), 0
    rule = "`--prefixes` must have a line for each line of the input"
    for window in parts:
        found = list(islice(lines, len(window)))
        if path is not None and len(found) < len(window):
            raise UserError(f"{rule}, but `{path}` ends after {count + len(found)}")
        count += len(window)
        yield window, None if path is None else found
    if next(lines, None) is not None:
        raise UserError(f"{rule}, but `{path}` has more than its {count}")


def _stdin_lines() -> Iterator[str]:
    # A file object of our own: a thread that still reads sys.stdin when Python ends would crash it.
    with os.fdopen(os.dup(0), "rb") as file:
        yield from decode_lines(file, "the input")


def _as_available(lines: Iterable[str]) -> Iterator[list[str]]:
    """Windows of the lines that a thread has read so far; it reads on while a window is worked on."""
    queue: Queue[str | _End] = Queue(maxsize=4 * WINDOW)

    def read() -> None:
        try:
            for line in lines:
                queue.put(line)
            queue.put(_End())
        except Exception as error:
            queue.put(_End(error))

    threading.Thread(target=read, daemon=True).start()
    end = None
    while end is None:
        items = [queue.get()]
        deadline = monotonic() + _PATIENCE
        with suppress(Empty):
            while len(items) < WINDOW and isinstance(items[-1], str):
                items.append(queue.get(timeout=max(0.0, deadline - monotonic())))
        window = [item for item in items if isinstance(item, str)]
        end = next((item for item in items if isinstance(item, _End)), None)
        if window:
            yield window
    if end.error is not None:
        raise end.error


@contextmanager
def output(path: str | None, option: str = "--output") -> Iterator[IO[bytes]]:
    """Where the lines go: stdout if ``path`` is None, else a file that appears under its name once it is complete.

    Until then the lines are in ``PATH.part`` beside it, which stays, with the lines that were finished, if the work is
    interrupted or fails; that of an earlier work stays as it is until there are new ones. The file has the permissions of the
    one that it replaces. What is no regular file (a pipe, /dev/null) is written to directly. ``option`` asked for it.
    """
    if path is None or path == "/dev/stdout":
        yield sys.stdout.buffer
        return
    if not path:
        raise UserError(f"`{option}` must name a file, but is empty instead")
    target = Path(os.path.realpath(path))  # through a symbolic link: replace what it points to
    direct = os.path.exists(path) and not os.path.isfile(path)  # of a pipe `target` may be no path
    written = Path(path) if direct else target.with_name(f"{target.name}.part")
    try:
        file = written.open("wb") if direct else io.BufferedWriter(_Anew(written, "ab"))
    except OSError as error:
        raise UserError(f"`{option}` must be a file that can be written, but `{path}` is not: {error.strerror}") from error
    try:
        with file:
            yield file
            file.flush()
            file.raw.write(b"")  # in case that there was nothing to write
        if not direct:
            with suppress(FileNotFoundError):
                written.chmod(S_IMODE(target.stat().st_mode))
            os.replace(written, target)
    except BaseException:
        if not direct:
            _keep_finished(written)
        raise


class _Anew(io.FileIO):
    """A file that loses what it held as it is first written to."""

    written = False

    def write(self, data: Any, /) -> int:
        if not self.written:
            self.truncate(0)
        self.written = True
        return super().write(data)


def _keep_finished(part: Path) -> None:
    if part.stat().st_size:
        print(f"nmt: the lines finished so far are in `{part}`", file=sys.stderr)
    else:
        part.unlink()
