"""`scripts/benchmark_decoding.py`: it measures what it says that it measures, and runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import benchmark_decoding
import pytest
from benchmarks.decode_nmt import numbers, translator
from benchmarks.decoding import Job, Sentences, check, measure
from benchmarks.systems import QUICK, RUNTIMES, System
from benchmarks.write_nmt import write

from nmt.model_directory import load_model_directory

SOURCES = [["a"] * length for length in (3, 9, 1, 4, 9, 2, 7)]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Sources of 1 to 9 pieces, 3 at a time."""
    file = tmp_path / "sources"
    file.write_text("".join(" ".join(sentence) + "\n" for sentence in SOURCES), encoding="utf-8")
    return Job(str(file), [1, 4], batch_size=3, singles=2, steps=None)


@pytest.fixture(scope="module")
def data(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus under multi30k's names; its French passes for German, too."""
    folder = tmp_path_factory.mktemp("benchmark") / "data"
    folder.mkdir()
    for file in tiny_corpus.iterdir():
        for language in ("fr", "de") if file.suffix == ".fr" else ("en",):
            shutil.copy(file, folder / f"{file.stem.replace('test', 'test_2016_flickr')}.{language}")
    return folder


def test_batches_are_of_like_length_and_translations_in_order(job: Job) -> None:
    asked = []

    def translate(sentences: Sentences, beam_size: int, n_best: int) -> list[Sentences]:
        asked.append(([len(sentence) for sentence in sentences], beam_size, n_best))
        return [[["b"] * len(sentence)] * n_best for sentence in sentences]

    found = measure(job, translate, 4)
    batches = [[9, 9, 7], [4, 3, 2], [1]]
    singles = [[3], [9]]
    assert asked == [(lengths, 4, 1) for lengths in [batches[0], *batches, *singles, *singles]]  # what warms up comes first
    assert found.translations == [["b"] * len(sentence) for sentence in SOURCES]
    assert found.seconds > 0 and len(found.latencies) == 2


def test_a_narrow_beam_and_another_length_are_told(job: Job) -> None:
    forced = Job(**vars(job) | {"steps": 2})
    sentences = job.sentences()[:2]
    check(forced, lambda asked, size, n: [[["b", str(rank)] for rank in range(n)] for _ in asked], 3, sentences)
    with pytest.raises(RuntimeError, match="a beam of 3 must find as many translations, but found 1 instead"):
        check(forced, lambda asked, size, n: [[["b", "c"]] * n for _ in asked], 3, sentences)
    with pytest.raises(RuntimeError, match=r"translations must have 2 pieces, but have \[1, 2\] instead"):
        check(forced, lambda asked, size, n: [[["b", "c"], ["d"]] for _ in asked], 2, sentences)


def test_every_runtime_translates_to_the_length_and_as_wide_as_asked(data: Path, tmp_path: Path) -> None:
    write(str(data), {"recipe": ["experiment=multi30k_en_de", *QUICK.recipe]}, "", tmp_path)
    loaded = load_model_directory(tmp_path / "recipe" / "model")
    lines = (tmp_path / "recipe" / "sources").read_text(encoding="utf-8").splitlines()
    ids = numbers(loaded.tokenizers.source)
    texts = (data / "test_2016_flickr.en").read_text(encoding="utf-8").splitlines()
    assert [[ids[piece] for piece in line.split(" ")] for line in lines] == loaded.tokenizers.source.encode(texts)
    for runtime in RUNTIMES:
        found = translator(loaded, runtime, steps=5)([line.split(" ") for line in lines], 4, 3)
        assert [[len(pieces) for pieces in hypotheses] for hypotheses in found] == [[5] * 3] * len(lines)
        assert all(len(set(map(tuple, hypotheses))) == 3 for hypotheses in found)


def test_figures_are_medians_and_percentiles_over_the_rounds() -> None:
    ours, theirs = System("nmt", "gru", "fp32", "decode_nmt", ()), System("joeynmt", "gru", "fp32", "decode_joeynmt", ())

    def run(seconds: float, latencies: list[float], memory: float) -> dict[str, object]:
        one = {"sentences": 10, "pieces": 150, "seconds": seconds, "latencies": latencies, "bleu": None}
        return {"passes": [{"beam_size": size, **one} for size in (1, 5)], "peak_memory_mib": memory}

    ten = [0.001 * number for number in range(1, 11)]
    runs = {
        theirs: [run(8.0, [0.01], 90.0)] * 2,
        ours: [run(2.0, ten, 30.0), run(5.0, ten, 40.0), run(1.0, [0.0055], 20.0)],
    }
    peer, row = benchmark_decoding.results(runs)
    assert list(row["searches"]) == ["greedy", "beam 5"]
    found = row["searches"]["beam 5"]
    assert found["sentences_per_second"] == 5 and found["pieces_per_second"] == 75 and found["rounds"] == [5, 2, 10]
    assert found["milliseconds_p50"] == pytest.approx(5.5)
    assert found["milliseconds_p95"] == pytest.approx(10)
    assert row["peak_memory_mib"] == 40
    assert peer["ratios"] == {}
    ratio = {"sentences_per_second": 4, "milliseconds_p50": pytest.approx(0.55)}
    assert row["ratios"] == {"joeynmt gru": {"greedy": ratio, "beam 5": ratio}}
    assert "4.00 4.00; 0.55 0.55" in benchmark_decoding.table([peer, row])


def test_it_runs(data: Path, tiny_model: Path, tmp_path: Path, repository: Path) -> None:
    script, output = repository / "scripts" / "benchmark_decoding.py", tmp_path / "result.json"
    command = [sys.executable, str(script), "--data", str(data), "--model", str(tiny_model), "--quick", "--skip-peers"]
    run = subprocess.run([*command, "--output", str(output)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    result = json.loads(output.read_text())
    assert set(result) == {"machine", "commit", "model", "versions", "scale", "rows"}
    assert {"torch", "onnxruntime"} <= set(result["versions"])
    networks = [("GRU 32", True), ("recipe", True), ("trained", False)]
    expected = [(*network, runtime) for network in networks for runtime in RUNTIMES]
    assert [(row["network"], row["forced"], row["runtime"]) for row in result["rows"]] == expected
    for row in result["rows"]:
        assert list(row["searches"]) == ["greedy", "beam 2"]
        assert 20 < row["peak_memory_mib"] < 1024
        for found in row["searches"].values():
            assert 0 < found["milliseconds_p50"] <= found["milliseconds_p95"]
            if row["forced"]:
                assert found["pieces_per_second"] == pytest.approx(QUICK.steps * found["sentences_per_second"])
            assert (found["bleu"] is None) == row["forced"]
    without_torch = [row["peak_memory_mib"] for row in result["rows"] if row["runtime"].startswith("ONNX")]
    assert max(without_torch) < min(row["peak_memory_mib"] for row in result["rows"] if row["runtime"].startswith("PyTorch"))
    assert "recipe" in run.stderr
    assert not (tiny_model / "onnx").exists()
