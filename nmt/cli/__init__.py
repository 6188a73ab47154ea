"""The command ``nmt``: one sub-command a job, and what all of them promise about exit codes and messages."""

import io
import os
import select
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from nmt.cli.allocation import keep_memory
from nmt.errors import UsageError, UserError, enough_memory
from nmt.version import __version__

USAGE = """\
usage: nmt COMMAND …

  nmt train       train a translator                nmt train --help
  nmt translate   translate text                    nmt translate --help
  nmt evaluate    score translations of a test set  nmt evaluate --help
  nmt compare     several runs on one test set      nmt compare --help
  nmt inspect     look inside a translation         nmt inspect --help
  nmt export      for faster translation on a CPU   nmt export --help

  nmt --version
"""

_COMMANDS = ("train", "translate", "evaluate", "compare", "inspect", "export")
BATCH_FITS = "a batch must fit into memory, but does not: lower `batch_size`, `search.beam_size` or `search.n_best`"
DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``nmt`` with the ``arguments`` (those of the process if None) and return its exit code.

    0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 ended by SIGTERM. The user's mistakes end in one sentence on
    stderr, a pipe that its reader closed in none.
    """
    keep_memory()
    _open_streams()
    try:
        with enough_memory(BATCH_FITS):
            code = _run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()  # here, where a closed pipe is still ours to handle
    except UserError as error:
        return report(error)
    except KeyboardInterrupt:
        print("nmt: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError as error:
        if not _stdout_is_closed():
            return report(UserError(f"a pipe broke: {error}"))
        # Python flushes stdout once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # a full disk, a folder that may not be written
        return report(of_system(error))
    return code


def _open_streams() -> None:
    """Results are UTF-8 whatever the locale; a stream that the caller closed (`2>&-`) swallows what it is given."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def of_system(error: OSError) -> UserError:
    """What the operating system refused, as a sentence."""
    name = f"`{error.filename}`: " if error.filename else ""
    return UserError(f"{name}{error.strerror or error}")


def report(error: UserError) -> int:
    """Tell the user; returns the exit code."""
    print(f"nmt: {error}", file=sys.stderr)
    return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def _run(arguments: list[str]) -> int:
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= character <= "\udfff" for character in argument):
            raise UsageError(f"every argument must be UTF-8, but {argument!r} is not")
    try:
        return _command(arguments)
    except SystemExit as stop:  # --help, --version and errors of argparse
        return stop.code if isinstance(stop.code, int) else DONE


def _command(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    match command:
        case "train":
            from nmt.cli import train

            return train.run(rest)
        case "translate":
            from nmt.cli import translate

            return translate.run(rest)
        case "evaluate":
            from nmt.cli import evaluate

            return evaluate.run(rest)
        case "compare":
            from nmt.cli import compare

            return compare.run(rest)
        case "inspect":
            from nmt.cli import inspect

            return inspect.run(rest)
        case "export":
            from nmt.cli import export

            return export.run(rest)
        case "--version" | "-V":
            print(f"nmt {__version__}")
            return DONE
        case "--help" | "-h" | "help":
            print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
            return DONE if arguments else WRONG_USAGE
    close = get_close_matches(command, _COMMANDS, n=1)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    raise UsageError(f"the command must be one of {', '.join(_COMMANDS)}, but is `{command}` instead{hint}")


def _stdout_is_closed() -> bool:
    """Whether nobody reads our stdout any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
