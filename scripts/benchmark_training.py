"""Training speed of this project beside Joey NMT 2.3 and OpenNMT-py 3.5, in one run, on one thread of one machine.

    python scripts/benchmark_training.py --data DIR --output benchmark.json

DIR is the folder of the raw multi30k files. A table goes to stderr and JSON to stdout, or to --output. The figure of a row is the
median over windows of updates, in rounds in which the systems take turns, of target tokens/s: end marks counted, padding not,
reading of batches and optimiser in the timing, start-up not. It takes an hour and a half: leave the machine alone meanwhile.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.command import install_peers, options, publish
from benchmarks.ours import Run, train
from benchmarks.peers import PEERS
from benchmarks.process import ask
from benchmarks.rows import FULL, QUICK, Row, Scale, our_rows


def main() -> None:
    """The command."""
    chosen = options(__doc__, "train.en, train.de, val.en, val.de").parse_args()
    peers = install_peers(chosen)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(str(Path(chosen.data).resolve()), peers, QUICK if chosen.quick else FULL, Path(folder))
    publish(result, report.table(result), chosen.output)


def measure(data: str, peers: Mapping[str, Path], scale: Scale, folder: Path) -> dict[str, Any]:
    """All rows, of this project and of the ``peers`` (the Python of each by its name). ``folder`` is for what the runs leave."""
    began = {"machine": report.machine(), "commit": report.commit()}
    corpus = folder / "corpus"
    corpus.mkdir()
    counts = ask("corpus", [data, str(scale.pieces), corpus], folder / "corpus.log")
    rows = [row for name in peers for row in PEERS[name].rows(scale)] + our_rows(scale)
    runs: dict[Row, list[Run]] = {row: [] for row in rows}
    floors = []
    for number in range(scale.rounds):
        updates = scale.updates if number == 0 else scale.later_updates
        models = []
        for row in rows:
            run_dir = folder / str(number) / re.sub(r"\W+", "-", row.name)
            if row.system in PEERS:
                found = PEERS[row.system].train(peers[row.system], row, scale, scale.later_updates, corpus, run_dir)
                shutil.rmtree(run_dir)
            else:
                found = train(row, scale, updates, data, corpus, run_dir)
                shutil.rmtree(run_dir / "checkpoints")
                models.append(run_dir / "model")
            runs[row].append(found)
            speed = statistics.median(found.tokens_per_second)
            print(f"round {number + 1} of {scale.rounds}: {row.name}: {speed:,.0f} tokens/s", file=sys.stderr)
        floors.append(ask("floor", [json.dumps(counts), str(scale.product_seconds), *models], folder / str(number) / "floor.log"))
    versions = report.versions({name: PEERS[name].package for name in peers})
    return {**began, "versions": versions, "scale": asdict(scale), "corpus": counts, **results(runs, counts, floors)}


def results(runs: Mapping[Row, Sequence[Run]], counts: Mapping[str, int], floors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The best rate of each product over the rounds, and the rows with what follows from them."""
    rates = {
        precision: {name: max(floor["rates"][precision][name] for floor in floors) for name in names}
        for precision, names in floors[0]["rates"].items()
    }
    ours = [row for row in runs if row.system not in PEERS]
    per_token = {
        row.shape: sum(parts.values()) / counts["target_tokens"] for row, parts in zip(ours, floors[0]["flops"], strict=True)
    }
    speeds = {row: statistics.median(speed for run in runs[row] for speed in run.tokens_per_second) for row in runs}
    rows = []
    for row, speed in speeds.items():
        rivals = [peer for peer in speeds if peer.system in PEERS and peer.encoder == row.encoder]
        compared = row.system not in PEERS and not row.own_shape
        flops = per_token.get(row.shape)  # a peer has those of the row of the same shape, if there is one
        floor = None if flops is None else max(rates[row.precision].values()) / flops
        rows.append(
            {
                **asdict(row),
                "tokens_per_second": speed,
                "ratios": {f"{peer.system} {peer.attention}": speed / speeds[peer] for peer in rivals} if compared else {},
                "flops_per_token": flops,
                "floor": floor,
                "share_of_floor": None if floor is None else speed / floor,
                "padding": runs[row][0].padding,
                "validation_loss": runs[row][0].validation_loss,
                "peak_memory_mib": max(run.peak_memory_mib for run in runs[row]),
                "windows": [run.tokens_per_second for run in runs[row]],
            }
        )
    return {"flop_rates": rates, "rows": rows}


if __name__ == "__main__":
    main()
