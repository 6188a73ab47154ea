"""Speed of translation on one thread: this project beside Joey NMT, OpenNMT-py and CTranslate2, in one run on one machine.

    python scripts/benchmark_decoding.py --data DIR [--model MODEL] --output benchmark.json

DIR is the folder of the raw multi30k files. A table goes to stderr and JSON to stdout, or to --output. The English side of
test_2016_flickr is translated, from pieces to pieces, by greedy search and with a beam of 5: all of it in batches of 64
sentences of like length, for sentences and pieces a second, and the first 100 sentences one by one, for the percentiles of
their milliseconds. Weights are random and all translations have 15 pieces, as speed knows no quality; only a trained MODEL
translates as it likes, and is scored. Every system has a process of its own, pinned to one core, whose peak memory is told;
figures are medians over rounds in which the systems take turns. It takes half an hour: leave the machine alone meanwhile.

The networks of `nmt`: one of Joey NMT's size (`general` attention asked by the decoder's only layer), that of the recipe for
multi30k, and MODEL; in PyTorch, and exported, in fp32, with 8-bit products, and with a shortlist learned from the training set.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.command import install_peers, options, publish
from benchmarks.process import ask
from benchmarks.systems import FULL, QUICK, DecodingScale, System, our_systems, peer_systems


def main() -> None:
    """The command."""
    parser = options(__doc__, "train, val and test_2016_flickr in .en and .de")
    parser.add_argument("--model", type=Path, help="a trained model directory, to be measured and scored too")
    chosen = parser.parse_args()
    peers = install_peers(chosen)
    data, model = str(Path(chosen.data).resolve()), str(chosen.model.resolve()) if chosen.model else ""
    with tempfile.TemporaryDirectory() as folder:
        result = measure(data, model, peers, QUICK if chosen.quick else FULL, Path(folder))
    publish(result, table(result["rows"]), chosen.output)


def measure(data: str, model: str, peers: Mapping[str, Path], scale: DecodingScale, folder: Path) -> dict[str, Any]:
    """All rows, of this project and of the ``peers`` (the Python of each by its name). ``folder`` is for what the runs need."""
    began = {"machine": report.machine(), "commit": report.commit(), "model": model}
    ours = our_systems(scale, data, model, folder)
    systems = [*peer_systems(scale, peers, folder), *ours]
    runs: dict[System, list[Any]] = {system: [] for system in systems}
    for number in range(1, scale.rounds + 1):
        for system in systems:
            run = ask(system.module, system.arguments, folder / "decode.log", system.python)
            runs[system].append(run)
            rates = ", ".join(f"{search_name(one)} {one['sentences'] / one['seconds']:,.1f}" for one in run["passes"])
            print(f"round {number} of {scale.rounds}: {system.name}: {rates} sentences/s", file=sys.stderr)
    packages = {found[0]["package"]: found[0]["version"] for found in runs.values()}
    return {**began, "versions": report.versions(packages), "scale": asdict(scale), "rows": results(runs)}


def results(runs: Mapping[System, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows: medians over the rounds, percentiles over all that was measured, and ours over the others'."""
    figures = {system: _figures(rounds) for system, rounds in runs.items()}
    peers = [system for system in runs if system.system != "nmt"]
    rows = []
    for system, rounds in runs.items():
        compared = peers if system.system == "nmt" else []
        rows.append(
            {
                "system": system.system,
                "network": system.network,
                "runtime": system.runtime,
                "forced": system.forced,
                "searches": figures[system],
                "peak_memory_mib": max(run["peak_memory_mib"] for run in rounds),
                "ratios": {f"{peer.system} {peer.network}": _ratios(figures[system], figures[peer]) for peer in compared},
            }
        )
    return rows


def search_name(found: Mapping[str, Any]) -> str:
    """What the search of a pass is called."""
    return "greedy" if found["beam_size"] == 1 else f"beam {found['beam_size']}"


def _figures(rounds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By search."""
    figures = {}
    for passes in zip(*(run["passes"] for run in rounds), strict=True):
        rates = [one["sentences"] / one["seconds"] for one in passes]
        latencies = [1000 * latency for one in passes for latency in one["latencies"]]
        figures[search_name(passes[0])] = {
            "sentences_per_second": statistics.median(rates),
            "pieces_per_second": statistics.median(one["pieces"] / one["seconds"] for one in passes),
            "milliseconds_p50": statistics.median(latencies),
            "milliseconds_p95": statistics.quantiles(latencies, n=20, method="inclusive")[-1],
            "bleu": passes[0]["bleu"],
            "rounds": rates,
        }
    return figures


def _ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    names = ("sentences_per_second", "milliseconds_p50")
    return {search: {name: ours[search][name] / theirs[search][name] for name in names} for search in ours}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows for people, and a second table of what is ours over the others'."""
    searches = list(rows[0]["searches"])
    quantities = [f"{search}, {what}" for what in ("/s", "pieces/s", "ms p50, p95", "BLEU") for search in searches]
    lines = [["system", "network", "runtime", *quantities, "MiB"]]
    for row in rows:
        found = [row["searches"][search] for search in searches]
        lines.append(
            [
                *_names(row),
                *(f"{one['sentences_per_second']:,.1f}" for one in found),
                *(f"{one['pieces_per_second']:,.0f}" for one in found),
                *(f"{one['milliseconds_p50']:.2f}, {one['milliseconds_p95']:.2f}" for one in found),
                *("" if one["bleu"] is None else f"{one['bleu']:.2f}" for one in found),
                f"{row['peak_memory_mib']:,.0f}",
            ]
        )
    compared = [row for row in rows if row["ratios"]]
    if not compared:
        return report.aligned(lines)
    peers = list(compared[0]["ratios"])
    title = f"÷ theirs: sentences/s of {' and of '.join(searches)}, then ms p50 in the same order"
    ratios = [["system", "network", "runtime", *peers]]
    ratios += [[*_names(row), *(_cell(row["ratios"][peer].values()) for peer in peers)] for row in compared]
    return "\n".join([report.aligned(lines), "", title, report.aligned(ratios)])


def _names(row: Mapping[str, Any]) -> list[str]:
    return [row["system"], row["network"], row["runtime"]]


def _cell(ratios: Collection[Mapping[str, float]]) -> str:
    return "; ".join(" ".join(f"{one[name]:.2f}" for one in ratios) for name in ("sentences_per_second", "milliseconds_p50"))


if __name__ == "__main__":
    main()
