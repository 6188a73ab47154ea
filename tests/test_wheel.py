"""The wheel, installed somewhere else, trains the toy corpus from a third folder."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

Run = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=repository, check=True, capture_output=True, timeout=120)
    [file] = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs Python with arguments in an empty folder, where `nmt` is the wheel's; gives what it prints."""
    site, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*arguments: str, text: str = "") -> str:
        command = [sys.executable, *arguments]
        result = subprocess.run(
            command, cwd=elsewhere, env=environment, input=text, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_wheel_holds_the_package_and_nothing_else(wheel: Path, repository: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"nmt"}
    configuration = {path.relative_to(repository).as_posix() for path in (repository / "conf").rglob("*.yaml")}
    assert {f"nmt/{name}" for name in configuration} <= names
    assert "nmt/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    [entry_points] = [name for name in names if name.endswith("/entry_points.txt")]
    assert "nmt = nmt.cli:main" in zipfile.ZipFile(wheel).read(entry_points).decode()


def test_wheel_trains_and_translates_the_toy_corpus(run: Run, repository: Path, tiny_training: Sequence[str]) -> None:
    assert not run("-c", "import nmt; print(nmt.__file__)").startswith(str(repository))
    assert yaml.safe_load(run("-m", "nmt", "train", "--cfg", "job"))["data"]["form"] == "toy"
    quick = ["training.validation_sentences=4", "search=greedy", "search.max_length_ratio=0.1", "search.max_length_offset=1"]
    assert run("-m", "nmt", "train", *tiny_training, *quick) == ""
    translated = run("-m", "nmt", "translate", "runs/toy/model", text="The dog sleeps.\n\n")
    assert translated.count("\n") == 2
