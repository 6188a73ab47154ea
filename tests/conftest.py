"""What the tests share: a data cache of their own, a tiny corpus, and a run trained on it for a moment."""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Before `datasets` is imported, which reads these once. Subprocesses inherit them.
CACHE = tempfile.mkdtemp(prefix="nmt-tests-")
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
os.environ["HF_DATASETS_CACHE"] = CACHE
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the networks here are too small for more

# A shell that starts a job in the background has it ignore Ctrl-C, and all that the job starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]

# A network and a training that take about a second.
TINY = [
    "tokenizer.vocab_size=320",
    "model.embedding_size=16",
    "model.hidden_size=16",
    "model.encoder_hidden_size=8",
    "training.max_steps=2",
    "training.validate_every=2",
    "training.checkpoint_every=2",
    "training.batch_tokens=200",
    "device=cpu",
]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora beside the repository; the test is skipped where there is none."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the corpora in {folder}")
    return folder


@pytest.fixture(scope="session")
def other_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of the same vocabulary with other weights."""
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(tiny_model, tmp_path_factory.mktemp("other") / "model")
    weights = load_file(other / "model.safetensors")
    save_file({name: weight + 0.3 * weight.std() for name, weight in weights.items()}, other / "model.safetensors")
    return other


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of parallel text, English and French: 120 pairs to train on, 8 for validation, 8 to test."""
    from nmt.data.toy import toy_pairs

    folder = tmp_path_factory.mktemp("corpus")
    pairs = toy_pairs("val")
    for split, first, last in (("train", 0, 120), ("val", 120, 128), ("test", 128, 136)):
        for side, language in enumerate(("en", "fr")):
            lines = [f"{pair[side]}\n" for pair in pairs[first:last]]
            (folder / f"{split}.{language}").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_training() -> Sequence[str]:
    """Arguments of `nmt train`, but for `run_dir` and `data`, that train for a moment."""
    return TINY


@pytest.fixture(scope="session")
def tiny_settings(tiny_corpus: Path, tiny_training: Sequence[str]) -> Sequence[str]:
    """The same, on the tiny corpus."""
    return ["data=parallel", f"data.path={tiny_corpus}", "data.source=en", "data.target=fr", *tiny_training]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Sequence[str]) -> Path:
    """A finished run directory. Its model knows nothing, but translates."""
    from nmt.cli import main

    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", *tiny_settings, f"run_dir={run_dir}"]) == 0
    return run_dir


@pytest.fixture(scope="session")
def tiny_model(tiny_run: Path) -> Path:
    """The model directory of the tiny run: to be read only."""
    return tiny_run / "model"
