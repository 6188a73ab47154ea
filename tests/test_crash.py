"""A run that is killed again and again comes to the same end as one that nobody touched."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_run_survives_its_kills(repository: Path) -> None:
    script = repository / "scripts" / "crash_test.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, script, "--kills", "5"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads(done.stdout)
    assert result["kills"] == 5 and all(result["identical"].values()) and not result["failed"]
