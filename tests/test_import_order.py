"""The house: each module imports only what stands before it, and only the command line knows Hydra."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nmt

PACKAGE = Path(nmt.__file__).parent
ORDER = [
    "version",
    "errors",
    "plain_data",
    "atomic",
    "pages",
    "languages",
    "tokenizer",
    "data",
    "models",
    "search",
    "shortlist",
    "model_directory",
    "onnx",
    "backends",
    "sentences",
    "chunks",
    "translation",
    "inspection",
    "translator",
    "evaluation",
    "training",
    "comparison",
    "config",
    "cli",
    "__main__",
]
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imported(file: str) -> Iterator[str]:
    """Every module that a file imports, at its top or later, by its full name; not what only type checkers read."""
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """`nmt/data/corpus.py` and `nmt.data.corpus` are in the room `data`."""
    return module.removesuffix(".py").replace("/", ".").removeprefix("nmt.").split(".")[0]


def test_every_room_is_in_the_order() -> None:
    assert {room(file) for file in FILES if file != "__init__.py"} == set(ORDER)


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_imports_go_one_way(file: str) -> None:
    own = ORDER.index(room(file))
    for module in imported(file):
        if module.startswith("nmt."):
            assert ORDER.index(room(module)) <= own, f"{file} imports {module}"


@pytest.mark.parametrize("file", FILES)
def test_hydra_stops_at_the_command_line(file: str) -> None:
    if room(file) != "cli":
        tops = {module.split(".")[0] for module in imported(file)}
        assert tops.isdisjoint({"hydra", "omegaconf"})


def test_search_imports_no_model() -> None:
    for file in FILES:
        if room(file) == "search":
            assert not any(module.startswith("nmt.models") for module in imported(file))


def modules_after(code: str) -> set[str]:
    report = "import sys; print(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", f"{code}; {report}"], check=True, capture_output=True, text=True, timeout=120)
    return set(result.stdout.split())


def test_translating_does_not_load_what_training_needs() -> None:
    command = modules_after("import nmt.cli.translate, nmt.cli.lines")
    assert "nmt.translator" in command
    assert not any(name.startswith(("nmt.training", "datasets", "tensorboard", "pyarrow", "sacrebleu")) for name in command)
    inspection = modules_after("import nmt.cli.inspect")
    assert not any(name.startswith(("nmt.training", "datasets", "tensorboard", "pyarrow", "matplotlib")) for name in inspection)
    python = modules_after("from nmt import Translator")
    assert not any(name.startswith(("nmt.training", "datasets", "tensorboard", "hydra", "omegaconf")) for name in python)


def test_the_prompt_does_not_wait_for_pytorch() -> None:
    assert modules_after("import nmt.cli.prompt").isdisjoint({"torch", "onnxruntime", "matplotlib", "tqdm"})


def test_help_does_not_wait_for_pytorch() -> None:
    assert "torch" not in modules_after("from nmt.cli import main; main(['--version'])")


def test_scoring_a_file_does_not_wait_for_pytorch(tmp_path: Path) -> None:
    for name in ("system", "baseline", "reference", "source"):
        (tmp_path / name).write_text(f"{name} .\n")
    arguments = ["evaluate", "tokenize=none", "--output", str(tmp_path / "kept")]
    for option, name in (("hypotheses", "system"), ("baseline",) * 2, ("reference",) * 2, ("source",) * 2):
        arguments += [f"--{option}", str(tmp_path / name)]
    modules = modules_after(f"from nmt.cli import main; assert main({arguments}) == 0")
    assert "nmt.evaluation.measure" in modules
    assert modules.isdisjoint({"torch", "onnxruntime", "datasets", "pyarrow", "tensorboard"})
