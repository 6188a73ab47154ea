"""`scripts/diversify.py`, tried on a tiny corpus."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diversify
import pytest

from nmt.errors import UserError


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


def test_teachers_of_the_other_direction_take_the_tokenizers_turned_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {}

    def train(run_dir: Path, settings: Sequence[str]) -> Path:
        begun[run_dir.name] = settings
        run_dir.mkdir(parents=True, exist_ok=True)
        config = {
            "data": {"path": "p", "source": "en", "target": "de", "synthetic": ["f", "b"]},
            "tokenizer": {"source_path": "en.model", "target_path": "de.model"},
        }
        (run_dir / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        return run_dir

    monkeypatch.setattr(diversify, "train", train)
    monkeypatch.setattr(diversify, "translate", lambda *_: None)
    diversify.diversify(tmp_path, ["a=1"], ["a=1", "b=2"], 1)
    turned = ["data.source=de", "data.target=en", "tokenizer.source_path=de.model", "tokenizer.target_path=en.model"]
    assert begun["forward1"] == ["a=1", "b=2", "seed=1"] and begun["backward1"] == [*begun["forward1"], *turned]
    begun.clear()
    with pytest.raises(UserError, match="`--teachers` must be 1, as `.*student` was begun with, but is 2 instead"):
        diversify.diversify(tmp_path, ["a=1"], ["a=1", "b=2"], 2)
    assert not begun


def test_a_translation_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[Sequence[str]] = []

    class Shouting:
        def translate(self, texts: Sequence[str]) -> list[str]:
            windows.append(texts)
            if len(windows) == 3:
                raise KeyboardInterrupt
            return [text.upper() + "\n!" for text in texts]

    translator: Any = Shouting()
    monkeypatch.setattr(diversify, "_WINDOW", 2)
    texts, part = list("abcdefg"), tmp_path / "new" / "forward1.part"
    with pytest.raises(KeyboardInterrupt):
        diversify.translations(translator, texts, part)
    part.write_bytes(part.read_bytes() + b"E !\nF")  # half a window, and half a line
    assert diversify.translations(translator, texts, part) == [f"{text.upper()} !" for text in texts]
    assert windows == [["a", "b"], ["c", "d"], ["e", "f"], ["e", "f"], ["g"]]
    assert diversify.translations(translator, texts, part) == [f"{text.upper()} !" for text in texts]
    assert windows[5:] == [["g"]]  # too little to be kept
