"""`scripts/measure_batch_order.py`, tried on a small corpus."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_it_measures_from_three_cursors(repository: Path) -> None:
    command = [sys.executable, str(repository / "scripts" / "measure_batch_order.py"), "3000"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stderr
    [figures] = json.loads(result.stdout)
    assert figures["pairs"] == 3000
    assert 40 < figures["bytes_a_pair_on_disk"] < 80  # two sides of 10 ids of 2 bytes and an offset of 4, and the row's number
    for place in ("cold_disk", "start", "middle"):
        assert 0 < figures[f"first_batch_seconds_from_{place}"] <= figures[f"shard_seconds_from_{place}"]
    assert "shard_seconds_from_middle" in result.stderr
