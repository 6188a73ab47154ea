"""Directories that are written whole or not at all."""

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nmt.errors import UserError


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str], previous: Path | None = None) -> Iterator[Path]:
    """Yield an empty directory that becomes ``path`` when the block ends well, and vanishes when it does not.

    It is a hidden neighbour of ``path`` (``.NAME.saving.PROCESS``; those that killed processes left are removed first).
    At the end all its files are fsynced, then it takes its name in one rename. Where there is a directory of
    that name already, Linux exchanges the two in one step (renameat2), so that at every instant ``path`` is
    wholly the old directory or wholly the new one. Elsewhere, and on file systems that can't exchange, the
    old one is renamed to ``.NAME.replaced`` just before: a crash between these two renames leaves it
    complete, but under that name. With ``previous`` the old directory is not deleted but takes the place of the one of
    that name: at every instant one of the two is complete.

    Raises ``UserError`` if something could not be written; the old directory is then as it was.
    """
    target = Path(os.path.realpath(path))  # through a symbolic link: replace what it points to
    new = target.with_name(f".{target.name}.saving.{os.getpid()}")
    try:
        remove_leftovers(new)
        new.mkdir(parents=True)
        yield new
        for file in [*new.rglob("*"), new]:
            synchronise(file)
        _put_in_place(new, target, previous)
        synchronise(target.parent)
    except OSError as error:
        raise UserError(f"`{target}` could not be written and is as it was before: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)  # after an exchange this is the directory that was replaced


def remove_leftovers(own: Path) -> None:
    """Delete directories that are called as this process's ``own``, which ends in its number, but for the number of one that
    runs no more.
    """
    for path in own.parent.iterdir() if own.parent.is_dir() else ():
        process = path.name.removeprefix(f"{own.stem}.")
        if path.stem == own.stem and process.isdecimal() and (int(process) == os.getpid() or not _runs(int(process))):
            shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is someone else's
        pass
    return True


def _put_in_place(new: Path, target: Path, previous: Path | None) -> None:
    if not target.is_dir():
        new.rename(target)
    elif _exchange(new, target):
        if previous is not None:
            _put_in_place(new, previous, None)
    else:
        old = previous or target.with_name(f".{target.name}.replaced")
        if previous is None:
            shutil.rmtree(old, ignore_errors=True)
        _put_in_place(target, old, None)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        if previous is None:
            shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step with Linux's renameat2; False where that can't be done."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def synchronise(file: Path) -> None:
    """Have the disk hold what a file holds, or which files a directory has, where the file system can do that of directories."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (file.is_dir() and error.errno in (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP)):
            raise
    finally:
        os.close(descriptor)
