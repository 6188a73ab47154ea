"""The three files that COMET's command line reads: a source, a translation and a reference a line.

    comet-score -s DIR/source.txt -t DIR/hypotheses.txt -r DIR/reference.txt
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nmt.atomic import atomic_directory
from nmt.errors import UserError

FILES = ("source.txt", "hypotheses.txt", "reference.txt")


@dataclass(frozen=True)
class CometFiles:
    """Where the three files go; None: nowhere."""

    directory: Path | None

    def write(self, *columns: Sequence[str]) -> None:
        """Write sources, translations and references."""
        if self.directory is None:
            return
        for name, texts in zip(FILES, columns, strict=True):
            # COMET reads with universal newlines: what ends a line within a text would shift all below it.
            lines = (text.translate({ord("\n"): " ", ord("\r"): " "}) for text in texts)
            (self.directory / name).write_bytes("".join(f"{line}\n" for line in lines).encode())


@contextmanager
def comet_files(output: str | None) -> Iterator[CometFiles]:
    """What is written in the block becomes the folder ``output`` when the block ends well.

    Raises ``UserError`` if ``output`` holds anything else than these files, which would be lost, or can't be written.
    """
    if output is None:
        yield CometFiles(None)
        return
    if not output:
        raise UserError("`--output` must name a folder, but is empty instead")
    target = Path(output)
    if not target.absolute().parent.is_dir():
        raise UserError(f"`--output` must be in a folder that there is, but `{output}` is not")
    if target.exists() and not target.is_dir():
        raise UserError(f"`--output` must be a folder, but `{output}` is a file")
    strangers = sorted(path.name for path in target.iterdir() if path.name not in FILES) if target.is_dir() else []
    if strangers:
        rule = "must be a new folder or that of an earlier evaluation"
        raise UserError(f"`--output` {rule}, but `{output}` holds `{strangers[0]}`")
    with atomic_directory(target) as directory:
        yield CometFiles(directory)
