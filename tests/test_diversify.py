"""`scripts/diversify.py`, tried on a tiny corpus."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def test_the_student_learns_from_what_its_teachers_make(repository: Path, tmp_path: Path, tiny_settings: Sequence[str]) -> None:
    script = str(repository / "scripts" / "diversify.py")
    command = [sys.executable, script, str(tmp_path / "all"), *tiny_settings, "--teacher", "training.max_steps=1"]
    environment = os.environ | {"PYTHONPATH": str(repository)}

    def run() -> str:
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        assert result.returncode == 0, result.stderr
        return result.stderr

    told = run()
    lines = {
        (teacher, language): (tmp_path / "all" / "synthetic" / teacher / f"pairs.{language}").read_text("utf-8").split("\n")[:-1]
        for teacher in ("forward1", "backward1")
        for language in ("en", "fr")
    }
    corpus = Path(next(setting for setting in tiny_settings if setting.startswith("data.path=")).partition("=")[2])
    real = {language: set((corpus / f"train.{language}").read_text("utf-8").splitlines()) for language in ("en", "fr")}
    assert set(lines["forward1", "en"]) == real["en"] and set(lines["backward1", "fr"]) == real["fr"]
    made = sum(
        bool(english.strip() and french.strip())
        for teacher in ("forward1", "backward1")
        for english, french in zip(lines[teacher, "en"], lines[teacher, "fr"], strict=True)
    )
    assert f" pairs of 120 real and {made} synthetic ones (" in told
    steps = {
        name: json.loads((tmp_path / "all" / name / "model" / "evaluation.json").read_text())["steps"]
        for name in ("forward1", "backward1", "student")
    }
    assert steps == {"forward1": 1, "backward1": 1, "student": 2}

    (tmp_path / "all" / "student" / "model" / "evaluation.json").unlink()
    again = run()
    assert again.count("this run is finished") == 2
    assert "translated" not in again
    assert (tmp_path / "all" / "student" / "model" / "evaluation.json").exists()
