"""`nmt export`, and translating with what it wrote."""

import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nmt
from nmt.backends import Backend, model_of
from nmt.cli import main
from nmt.errors import UserError
from nmt.model_directory import load_model_directory
from nmt.models.torch_model import TorchModel
from nmt.translator import Translator

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

FILES = [
    *("encode.fp32.onnx", "encode.int8.onnx", "project.int8.onnx"),
    *("step.fp32.onnx", "step.int8.onnx", "step.int8.shortlist.onnx"),
]
NOT_HERE = "must be false with PyTorch, but is true: `nmt export` the model, and install `nmt[onnx]`"
SOURCES = ["The red car is small .", "", "dog cat"]


@pytest.fixture
def exported(tiny_model: Path, tmp_path: Path) -> Path:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    assert main(["export", str(model)]) == 0
    return model


def translations(model: Path, tmp_path: Path, *settings: str) -> list[str]:
    (tmp_path / "in").write_text("\n".join(SOURCES))
    arguments = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--format=jsonl", *settings]
    assert main(["translate", str(model), *arguments]) == 0
    return [json.loads(line)["translation"] for line in (tmp_path / "out").read_text().splitlines()]


def test_a_model_that_was_exported_translates_as_before(exported: Path, tmp_path: Path) -> None:
    assert sorted(file.name for file in (exported / "onnx").iterdir()) == FILES
    in_torch = translations(exported, tmp_path, "backend=torch")
    assert translations(exported, tmp_path) == in_torch
    for settings in (["quantised=true"], ["quantised=true", "shortlist=true"]):
        assert len(translations(exported, tmp_path, *settings)) == len(SOURCES)


def test_what_was_written_is_told_on_stderr(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    assert main(["export", str(model)]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    told = [line.split()[0] for line in err.splitlines() if line.endswith(" MB")]
    assert told == [str(model / "onnx" / name) for name in FILES]


def test_without_onnxruntime_pytorch_translates_unless_it_was_asked_for(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, find = load_model_directory(exported), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    for module in [name for name in sys.modules if name.startswith("nmt.onnx")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(nmt, "onnx")  # which the import below would leave behind, unlike what is in sys.modules
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert isinstance(model_of(loaded), TorchModel)
    with pytest.raises(UserError, match=r"onnxruntime, which can't be imported \(.*\): install `nmt\[onnx\]`, or use"):
        model_of(loaded, backend="onnx")
    with pytest.raises(UserError, match="`nmt export` the model, and install"):
        model_of(loaded, quantised=True)


@pytest.mark.parametrize("missing", [["onnx"], ["onnx", "onnxruntime"]])
def test_without_onnx_nothing_is_exported(missing: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("nmt.onnx")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(nmt, "onnx", raising=False)
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"exporting needs the package onnx, which is missing: install `nmt\[onnx\]`"):
        importlib.import_module("nmt.onnx.export").export(load_model_directory(tiny_model))


@pytest.mark.parametrize("backend", list(Backend))
def test_there_is_a_thread_at_least(backend: Backend, exported: Path) -> None:
    with pytest.raises(UserError, match="`num_threads` must be at least 1, but is 0 instead"):
        model_of(load_model_directory(exported), backend=backend, num_threads=0)


def test_the_backend_is_the_exported_one_unless_another_is_asked_for(exported: Path, tiny_model: Path) -> None:
    loaded = load_model_directory(exported)
    assert type(model_of(loaded)).__name__ == type(model_of(loaded, "cpu", Backend.onnx)).__name__ == "OnnxModel"
    assert isinstance(model_of(loaded, backend=Backend.torch), TorchModel)
    assert isinstance(Translator.from_pretrained(exported, backend="torch").model, TorchModel)
    translator = Translator.from_pretrained(exported, quantised=True, shortlist=True, num_threads=1)
    assert translator.device == "cpu, ONNX Runtime, 8 bits, shortlist"
    assert translator.translate(["The cat sleeps."])[0].hypotheses
    with pytest.raises(UserError, match="`backend` must be one of auto, torch, onnx, but is 'pytorch' instead"):
        model_of(loaded, backend="pytorch")
    assert isinstance(model_of(load_model_directory(tiny_model)), TorchModel)
    assert model_of(loaded).network.parameter_count == loaded.model.parameter_count
    for threads in (1, 2):
        model: Any = model_of(loaded, num_threads=threads)
        assert model.function._session.get_session_options().intra_op_num_threads == threads


def test_translating_with_it_needs_no_pytorch(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("\n".join(SOURCES))
    arguments = ["translate", str(exported), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    code = f"import sys; sys.modules['torch'] = None; from nmt.cli import main; sys.exit(main({arguments!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert (tmp_path / "out").read_text().count("\n") == len(SOURCES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["backend=onnx"], "`backend=onnx` needs an exported model, but `{}` is none: see `nmt export --help`"),
        (["quantised=true"], f"`quantised` {NOT_HERE}"),
        (["shortlist=true"], f"`shortlist` {NOT_HERE}"),
        (["backend=onnx", "device=cuda"], "`backend` must be torch with `device=cuda`, but is onnx instead"),
    ],
)
def test_a_backend_that_is_not_there(
    tiny_model: Path, settings: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", str(tiny_model), *settings]) == 1
    assert capsys.readouterr().err == f"nmt: {message.format(tiny_model)}\n"


def test_what_computes_in_8_bits_is_named(exported: Path, tiny_corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To who has exported the model already."""
    capsys.readouterr()
    data = ["data=parallel", f"data.path={tiny_corpus}", "data.source=en", "data.target=fr"]
    assert main(["evaluate", str(exported), *data, "quantised=true"]) == 1
    assert capsys.readouterr().err == "nmt: `backend` must be onnx with `quantised=true`, but is torch instead\n"


def test_a_shortlist_needs_8_bits_and_its_file(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["translate", str(exported), "shortlist=true"]) == 1
    assert capsys.readouterr().err == "nmt: `quantised` must be true with `shortlist=true`, but is false instead\n"
    (exported / "shortlist.safetensors").unlink()
    assert main(["translate", str(exported), "shortlist=true", "quantised=true"]) == 1
    assert "needs" in (message := capsys.readouterr().err) and "but it is missing" in message


def test_evaluating_is_in_pytorch_unless_told_otherwise(
    exported: Path, tiny_corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = ["data=parallel", f"data.path={tiny_corpus}", "data.source=en", "data.target=fr"]
    devices = {}
    shortlist = "backend=onnx quantised=true shortlist=true"
    for backend in ("", "backend=onnx", "backend=auto", "backend=onnx quantised=true", shortlist):
        assert main(["evaluate", str(exported), *data, *backend.split()]) == 0
        devices[backend] = json.loads(capfd.readouterr().out)["computed_on"]
    onnx = "cpu, ONNX Runtime"
    assert devices.pop(shortlist) == f"{onnx}, 8 bits, shortlist"
    assert devices == {"": "cpu", "backend=onnx": onnx, "backend=auto": onnx, "backend=onnx quantised=true": f"{onnx}, 8 bits"}


def test_a_damaged_file_is_named(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (exported / "onnx" / "step.int8.onnx").write_bytes(b"onnx")
    capsys.readouterr()
    assert main(["translate", str(exported), "quantised=true"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"nmt: `{exported / 'onnx' / 'step.int8.onnx'}` is missing, damaged or no ONNX file (")
    assert told.endswith("): export the model again\n") and told.count("\n") == 1
    assert main(["translate", str(exported), "quantised=true", "device=cuda"]) == 1
    assert capsys.readouterr().err == "nmt: `device` must be auto or cpu with `quantised=true`, but is cuda instead\n"


def test_a_transformer_says_why_not(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    config = json.loads((model / "config.json").read_text())
    config["architecture"]["architecture"] = "transformer"
    (model / "config.json").write_text(json.dumps(config))
    assert main(["export", str(model)]) == 1
    expected = "nmt: `model.architecture` must be recurrent to be exported, but is transformer instead\n"
    assert capsys.readouterr().err == expected
    assert not (model / "onnx").exists()
