"""How much of the input is translated, for those who wait at a terminal."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_FORMAT = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
_BLOCK = 1 << 20


@contextmanager
def progress(path: str | None, hidden: bool) -> Iterator[Callable[[Sequence[str]], None]]:
    """A bar with time left on stderr, if that is a terminal; what it gives is to be told of each window of lines that is done.

    The input is the file ``path``, or stdin if None. The bar goes by bytes, decompressed ones. A pipe has none, as nobody knows
    how much will come, and neither has what is to be ``hidden``, so that results can be read on the terminal.
    """
    size = _size(path) if sys.stderr.isatty() and not hidden else 0
    if not size:
        yield lambda lines: None
        return
    from tqdm import tqdm

    done = 0
    with tqdm(total=size, file=sys.stderr, dynamic_ncols=True, bar_format=_FORMAT) as bar:

        def advance(lines: Sequence[str]) -> None:
            nonlocal done
            done += len(lines)
            bar.set_postfix_str(f"{done:,} lines, {done / max(bar.format_dict['elapsed'], 1e-3):.0f} lines/s", refresh=False)
            bar.update(sum(len(line.encode()) + 1 for line in lines))

        yield advance
        bar.update(size - bar.n)  # a byte order mark, carriage returns, a line feed that the last line has not


def _size(path: str | None) -> int:
    """Bytes to come, decompressed; 0 if that is not known."""
    try:
        if path is None:
            return os.fstat(0).st_size - os.lseek(0, 0, os.SEEK_CUR)
        size = os.stat(path).st_size
        if not size or not path.endswith(".gz"):
            return size
        with gzip.open(path) as file:
            return sum(map(len, iter(lambda: file.read(_BLOCK), b"")))
    except (OSError, EOFError, zlib.error):  # who reads it will tell
        return 0
