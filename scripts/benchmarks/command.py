"""What the commands that measure this project beside others share: options, the others' environments, where a result goes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.process import REPOSITORY


def options(description: str | None, data: str) -> argparse.ArgumentParser:
    """A parser of the options that all have. ``data`` says which files the folder has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help=f"folder with {data}")
    parser.add_argument("--output", type=Path, help="file for the JSON (default: stdout)")
    parser.add_argument("--environments", type=Path, default=REPOSITORY / ".benchmarks", help="folder of the peers' environments")
    parser.add_argument("--skip-peers", action="store_true", help="measure this project alone")
    parser.add_argument("--quick", action="store_true", help="tiny networks and little to do: to see that all runs")
    return parser


def install_peers(chosen: argparse.Namespace) -> dict[str, Path]:
    """The Python of each of the others by its name, in an environment of its own; none if they are to be skipped."""
    return {} if chosen.skip_peers else {name: peer.install(chosen.environments) for name, peer in PEERS.items()}


def publish(result: Mapping[str, Any], table: str, output: Path | None) -> None:
    """The table on stderr, and the result as JSON in the file ``output``, or on stdout."""
    print(table, file=sys.stderr)
    text = json.dumps(result, indent=2)
    if output:
        output.write_text(f"{text}\n", encoding="utf-8")
    else:
        print(text)
