"""`scripts/benchmark_training.py`: it counts what it says that it counts, and runs."""

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import benchmark_training
import pytest
import torch
from benchmarks.corpus import write_corpus
from benchmarks.floor import training_flops
from benchmarks.ours import Run
from benchmarks.peers import JOEYNMT, OPENNMT, PEERS
from benchmarks.rows import FULL, QUICK, Row, our_rows, our_settings
from torch.utils.flop_counter import FlopCounterMode

from nmt.cli.compose import compose, register, to_settings
from nmt.cli.resume import CHOICES
from nmt.config.train import TrainConfig
from nmt.data.batch import collate
from nmt.data.batching import Cursor, TrainingBatches
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import EncodedPairs
from nmt.models.config import AttentionKind, ModelConfig, Readout, Wiring
from nmt.models.seq2seq import build
from nmt.tokenizer import TokenizerPair
from nmt.training.validation import batch_loss

# Of the shapes of total += left @ right, which PyTorch does not count by itself.
IN_PLACE = {torch.ops.aten.addmm_: lambda total, left, right, **_: 2 * left[0] * left[1] * right[1]}


@pytest.fixture(scope="module")
def data(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus, whose French passes for German."""
    folder = tmp_path_factory.mktemp("benchmark") / "data"
    shutil.copytree(tiny_corpus, folder)
    for file in folder.glob("*.fr"):
        file.rename(file.with_suffix(".de"))
    return folder


def test_rows_beside_other_systems_have_nothing_that_these_lack() -> None:
    register("train", TrainConfig, CHOICES)
    for row in our_rows(FULL):
        settings = ["data=multi30k_en_de", "data.path=p", "run_dir=r", *our_settings(row, FULL)]
        model = to_settings(compose("train", TrainConfig, settings), TrainConfig).model
        assert (model.embedding_scale, model.lexical_values, model.readout) == (1.0, False, Readout.tanh)
        assert not model.context_gate
        assert (model.word_dropout, model.layer_norm) == (0.0, False)


def test_the_tokens_are_those_that_batches_predict(data: Path, tmp_path: Path) -> None:
    counts = write_corpus(str(data), QUICK.pieces, tmp_path)
    tokenizers = TokenizerPair.load(tmp_path)
    pairs = EncodedPairs.from_pairs(load_pairs(DataConfig(path=str(data), source="en", target="de"), "train"), tokenizers, 256)
    source = target = attended = 0
    for batch, after in TrainingBatches(pairs, tokenizers, 200, seed=1, sampling_alpha=0).iterate(Cursor()):
        lengths = torch.bincount(batch.positions // batch.target_in.shape[1])
        source += int(batch.source_mask.sum())
        target += batch.target_tokens
        attended += int((batch.source_mask.sum(dim=1) * lengths).sum())
        if after.epoch == 1:
            break
    assert counts == {"sentences": 120, "source_tokens": source, "target_tokens": target, "attended": attended}


def test_all_systems_get_the_same_pieces(data: Path, tmp_path: Path) -> None:
    write_corpus(str(data), QUICK.pieces, tmp_path)
    tokenizer = TokenizerPair.load(tmp_path).target
    vocabulary = (tmp_path / "vocabulary").read_text(encoding="utf-8").splitlines()
    assert len(vocabulary) + 4 == len(tokenizer) == QUICK.pieces
    ids = {piece: number for number, piece in enumerate(vocabulary, start=4)}
    lines = (tmp_path / "val.de").read_text(encoding="utf-8").splitlines()
    texts = (data / "val.de").read_text(encoding="utf-8").splitlines()
    assert [[ids[piece] for piece in line.split(" ")] for line in lines] == tokenizer.encode(texts)


@pytest.mark.parametrize(
    ("attention", "wiring", "tied", "lexical"),
    [(*kind, tied, lexical) for kind, tied, lexical in product(FULL.wirings, (True, False), (True, False))],
)
def test_the_floor_has_the_products_that_pytorch_counts(attention: str, wiring: str, tied: bool, lexical: bool) -> None:
    config = ModelConfig(
        attention=AttentionKind(attention),
        wiring=Wiring(wiring),
        embedding_size=24,
        hidden_size=40,
        encoder_hidden_size=16,
        encoder_layers=1,
        decoder_layers=1,
        tie_embeddings=tied,
        lexical_values=lexical,
    )
    model = build(config, 300, 300, joint=True)
    sentences, source_length, target_length = 6, 22, 21
    batch = collate([[5] * (source_length - 1)] * sentences, [[7] * (target_length - 1)] * sentences)
    counts = {
        "sentences": sentences,
        "source_tokens": sentences * source_length,
        "target_tokens": sentences * target_length,
        "attended": sentences * source_length * target_length,
    }
    floor = sum(training_flops(model, config, counts).values())
    with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as forward, torch.no_grad():
        model(batch.source, batch.source_mask, batch.target_in)
    assert forward.get_total_flops() == floor // 3
    with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as both:
        batch_loss(model, batch)[0].backward()
    # The encoder starts from a state without a gradient, which spares some products.
    assert 0.97 * floor < both.get_total_flops() <= floor


def test_logs_of_the_other_systems() -> None:
    joey = "Epoch   1, Step: {0}, Batch Loss: 96.3, Batch Acc: 0.06, Tokens per Sec: {1:8}, Lr: 0.001000\n"
    assert JOEYNMT.windows("".join(joey.format(*line) for line in ((20, 3), (40, 1530), (60, 595)))) == [1530, 595]
    opennmt = "Step {0}/   60; acc: 8.5; ppl: 1881.6; bsz:  720/ 736/64; 1406/{1:3} tok/s;     26 sec;\n"
    assert OPENNMT.windows("".join(opennmt.format(*line) for line in ((20, 3), (40, 1437), (60, 95)))) == [1437, 95]


def test_figures_are_medians_over_all_rounds_and_compare_like_with_like() -> None:
    rows = [*(row for peer in PEERS.values() for row in peer.rows(QUICK)), *our_rows(QUICK)]
    speeds = {rows[0]: 100.0, rows[1]: 50.0, rows[2]: 400.0, rows[3]: 300.0, rows[4]: 1000.0, rows[5]: 2000.0}
    runs = {row: [Run([speed / 2, speed], 10.0), Run([speed, speed, 2 * speed], 11.0)] for row, speed in speeds.items()}
    floor = {"rates": {"fp32": {"large": 6e6, "small": 3e6}}, "flops": [{"encoder": 40_000, "decoder": 20_000}] * 3}
    slower = {**floor, "rates": {"fp32": {"large": 5e6, "small": 4e6}}}
    found = benchmark_training.results(runs, {"target_tokens": 10}, [floor, slower])
    assert found["flop_rates"] == {"fp32": {"large": 6e6, "small": 4e6}}
    by_row = {Row(*(row[name] for name in Row.__dataclass_fields__)): row for row in found["rows"]}
    assert {row: by_row[row]["tokens_per_second"] for row in rows} == speeds
    assert [by_row[row]["ratios"] for row in rows] == [
        *({}, {}, {}),
        {"joeynmt general": 3.0, "joeynmt additive": 6.0},
        {"opennmt general": 2.5},
        {},  # another shape than theirs
    ]
    assert by_row[rows[3]]["floor"] == 6e6 / 6_000
    assert by_row[rows[3]]["share_of_floor"] == 0.3
    assert by_row[rows[3]]["peak_memory_mib"] == 11.0


def test_it_runs(data: Path, tmp_path: Path, repository: Path) -> None:
    script, output = repository / "scripts" / "benchmark_training.py", tmp_path / "result.json"
    command = [sys.executable, str(script), "--data", str(data), "--quick", "--skip-peers", "--output", str(output)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    result = json.loads(output.read_text())
    assert set(result) == {"machine", "commit", "versions", "scale", "corpus", "flop_rates", "rows"}
    assert {"processor", "cores", "threads", "memory_gib"} <= set(result["machine"])
    assert [(row["encoder"], row["own_shape"]) for row in result["rows"]] == [(32, False), (16, False), (16, True)]
    for row in result["rows"]:
        assert row["system"] == "nmt"
        assert row["tokens_per_second"] > 0
        assert [len(windows) for windows in row["windows"]] == [2]
        assert 0 < row["share_of_floor"] < 1
        assert 0 <= row["padding"] < 1
        assert 0 < row["validation_loss"] < 7
        assert 100 < row["peak_memory_mib"] < 1536
    assert "of floor" in run.stderr
