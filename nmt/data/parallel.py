"""Strict readers of text: Moses-style parallel files (`train.en`, `train.de`) and TSV, plain or `.gz`."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO

from nmt.errors import UserError

Row = tuple[str, str]


def read_lines(path: str | Path) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or `.gz`, without their ends; see `decode_lines`. Raises UserError."""
    return decode_lines(_raw_lines(Path(path)), str(path))


def decode_lines(raw_lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines of UTF-8 as text, without their ends.

    Lines end at '\\n' or '\\r\\n' only, not at a lone '\\r', U+2028, U+0085 or form feed. A byte order mark
    at the start is taken off. Raises UserError that gives, for invalid UTF-8, the `name` of the text, the
    line (from 1) and the byte offset (from 0, in the decompressed file).
    """
    offset = 0
    for number, raw in enumerate(raw_lines, start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name} must be UTF-8, but line {number} has the byte 0x{raw[error.start]:02x} "
                f"at byte offset {offset + error.start} instead ({error.reason})"
            ) from error
        offset += len(raw)
        line = line.removesuffix("\r\n").removesuffix("\n")
        yield line.removeprefix("\ufeff") if number == 1 else line


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            yield from file
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be decompressed: {error}") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def find_text(path: str) -> Path | None:
    """`path` itself or `path`.gz, whichever is a file."""
    return next((file for file in (Path(path), Path(f"{path}.gz")) if file.is_file()), None)


def content_hash(*paths: Path) -> str:
    """sha256 over the bytes of files, as stored, in order."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            part = hashlib.sha256()
            while block := file.read(1 << 20):
                part.update(block)
        whole.update(part.digest())
    return whole.hexdigest()


def read_parallel(source: Path, target: Path) -> Iterator[Row]:
    """Line N of one file with line N of the other. Raises UserError with both counts if these are unequal."""
    source_lines, target_lines = read_lines(source), read_lines(target)
    for number, (left, right) in enumerate(zip_longest(source_lines, target_lines)):
        if left is None or right is None:
            longer = number + 1 + sum(1 for _ in (source_lines if right is None else target_lines))
            counts = (longer, number) if right is None else (number, longer)
            raise UserError(f"{source} and {target} must have equally many lines, but have {counts[0]} and {counts[1]} instead")
        yield left, right


def read_tsv(path: Path, source: str, target: str) -> Iterator[Row]:
    """Two columns of a TSV file: those that its first line names `source` and `target`, else its only two."""
    columns, width = (0, 1), 2
    for number, line in enumerate(read_lines(path), start=1):
        cells = line.split("\t")
        if number == 1 and source in cells and target in cells:
            columns, width = (cells.index(source), cells.index(target)), len(cells)
            continue
        if number == 1 and (source in cells or target in cells):
            rule = f"must name both `{source}` and `{target}` or neither"
            raise UserError(f"the first line of {path} {rule}, but is `{line}` instead")
        if len(cells) != width:
            raise UserError(
                f"{path} must have {width} columns (two, or all of a header with `{source}`, `{target}`), "
                f"but line {number} has {len(cells)} instead"
            )
        yield cells[columns[0]], cells[columns[1]]
