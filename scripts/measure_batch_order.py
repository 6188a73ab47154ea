"""What the order of batches costs in memory and time: on corpora of synthetic sentences, written to disk as ``nmt train`` does.

    python scripts/measure_batch_order.py [PAIRS …]    # 10 and 100 million; about 60 bytes of temporary disk space a pair

A table goes to stderr and one JSON object to stdout. Memory is anonymous memory (``RssAnon``): pages of the file can be dropped.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from nmt.data.batching import SHARD_PAIRS, Cursor, TrainingBatches
from nmt.data.corpus import Pairs
from nmt.data.encoded import EncodedPairs, ids_schema
from nmt.tokenizer import TokenizerPair

BATCH = 10_000  # pairs of a record batch, as in the data cache
MEAN_LENGTH, VOCABULARY = 10, 4000
SHARDS = 8


def anonymous_mebibytes() -> float:
    """The memory of this process that is its own and not a file's."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


def write(file: Path, count: int) -> None:
    """An encoded corpus of ``count`` pairs with geometric lengths."""
    rng, schema = np.random.default_rng(1), ids_schema(VOCABULARY)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, count, BATCH):
            rows = np.arange(start, min(start + BATCH, count))
            sides = []
            for _ in ("source", "target"):
                offsets = np.concatenate([[0], np.cumsum(rng.geometric(1 / MEAN_LENGTH, len(rows)))]).astype(np.int32)
                ids = rng.integers(4, VOCABULARY, offsets[-1], dtype=np.uint16)
                sides.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)))
            writer.write_batch(pa.record_batch([*sides, pa.array(rows)], schema=schema))


def forget(file: Path) -> None:
    """Have the system drop the file from its memory, so that it is read from the disk again."""
    with file.open("rb") as opened:
        os.fsync(opened)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(file: Path) -> None:
    """Have the system keep as much of the file as fits into its memory."""
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def measure(count: int) -> dict[str, Any]:
    """Seconds and MiB of opening a corpus of ``count`` pairs, of the first batch from two cursors, and of whole shards."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.arrow"
        write(file, count)
        forget(file)
        return measure_file(file, count)


def measure_file(file: Path, count: int) -> dict[str, Any]:
    """The figures of one corpus on disk."""
    before = anonymous_mebibytes()
    began = time.perf_counter()
    dataset = datasets.Dataset.from_file(str(file))
    tokenizers: TokenizerPair = None  # type: ignore[assignment]  # without sampling nothing is tokenised
    pairs = EncodedPairs(Pairs(dataset, 0, ""), dataset, max_length=10**6)
    batches = TrainingBatches(pairs, tokenizers, 20_000, seed=1, sampling_alpha=0.0)
    figures: dict[str, Any] = {
        "pairs": count,
        "bytes_a_pair_on_disk": file.stat().st_size / count,
        "open_seconds": time.perf_counter() - began,
    }
    shards = -(-count // SHARD_PAIRS)
    peak = 0.0
    for name, cursor in (("cold_disk", Cursor(5)), ("start", Cursor()), ("middle", Cursor(3, shards // 2, 5))):
        began, seen = time.perf_counter(), 0
        for _, after in batches.iterate(cursor):
            if not seen:
                figures[f"first_batch_seconds_from_{name}"] = time.perf_counter() - began
            if after.shard != cursor.shard or after.epoch != cursor.epoch:
                seen += 1
                cursor = after
                peak = max(peak, anonymous_mebibytes())
            if seen == min(SHARDS, shards) or time.perf_counter() - began > 60:
                break
        figures[f"shard_seconds_from_{name}"] = (time.perf_counter() - began) / max(seen, 1)
        if name == "cold_disk":
            warm(file)
    return figures | {"mebibytes": peak - before}


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="*", default=[10_000_000, 100_000_000], help="the sizes of the corpora")
    counts = sorted(parser.parse_args().pairs)
    results = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for figures in pool.imap(measure, counts):
            results.append(figures)
            print("\n".join(f"{name:<36}{value:>16,.3f}" for name, value in figures.items()), end="\n\n", file=sys.stderr)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
