"""What a benchmark ran on, and its results as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.process import REPOSITORY

_PACKAGES = ("torch", "numpy", "sentencepiece", "datasets")


def machine() -> dict[str, Any]:
    """The processor, its cores, the memory, and the load of the last minute, which should be low."""
    names = [line.partition(":")[2].strip() for line in _cpu_information() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "threads": 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
    }


def versions(others: Mapping[str, str]) -> dict[str, str]:
    """Those of Python, of what the project stands on, and of ``others``."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}, **others}


def commit() -> str:
    """The commit of the working copy, with a + if it was changed since."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def table(result: Mapping[str, Any]) -> str:
    """The rows of a result, for people."""
    ratios = list(dict.fromkeys(name for row in result["rows"] for name in row["ratios"]))
    header = ["system", "encoder", "attention", "wiring", "type", "tokens/s", *(f"× {name}" for name in ratios)]
    lines = [[*header, "of floor", "padding", "loss", "MiB"]]
    for row in result["rows"]:
        own = " (own shape)" if row["own_shape"] else ""
        lines.append(
            [
                *(row["system"] + own, str(row["encoder"]), row["attention"], row["wiring"], row["precision"]),
                f"{row['tokens_per_second']:,.0f}",
                *(_number(row["ratios"].get(name), ".2f") for name in ratios),
                *(_number(row["share_of_floor"], ".0%"), _number(row["padding"], ".1%"), _number(row["validation_loss"], ".3f")),
                f"{row['peak_memory_mib']:,.0f}",
            ]
        )
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns; the first line is the header."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _cpu_information() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
