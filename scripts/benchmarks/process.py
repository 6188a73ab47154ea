"""Commands in processes of their own, on one thread, and the memory that they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


def run(command: Sequence[str | Path], log: Path, modules: Sequence[Path] = ()) -> float:
    """Run a command on one thread and one core, with what it says in ``log``; returns its peak resident memory in MiB.

    ``modules`` are folders that it imports from beside its own. The kernel counts from the process that starts the command on,
    which must be small itself. Ends the program if it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, modules))}
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=subprocess.STDOUT, env=environment)
        if hasattr(os, "sched_setaffinity"):  # as it begins: what it starts later inherits it
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        sys.exit(f"{last}\n`{' '.join(map(str, command))}` ended with code {process.returncode}")
    return usage.ru_maxrss / 1024


def ask(module: str, arguments: Sequence[str | Path], log: Path, python: str | Path = sys.executable) -> Any:
    """The JSON that ``python -m benchmarks.MODULE ARGUMENTS… OUTPUT``, run by ``python``, writes to the file OUTPUT."""
    with tempfile.NamedTemporaryFile() as output:
        run([python, "-m", f"benchmarks.{module}", *arguments, output.name], log, [REPOSITORY, REPOSITORY / "scripts"])
        return json.load(output)
