"""Every published system trains, from its file in conf/model, and learns to translate what it is given."""

import random
from pathlib import Path

import pytest

from nmt import Translator
from nmt.cli import main
from nmt.data.toy import toy_pairs
from nmt.evaluation import bleu
from nmt.search import Greedy

CONF = Path(__file__).resolve().parents[1] / "conf"
PRESETS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))

# Small and short: a minute for all that has to be learnt, on one core.
SMALL = [
    "model.embedding_size=128",
    "model.hidden_size=128",
    "model.encoder_hidden_size=null",
    "model.encoder_layers=2",
    "model.decoder_layers=2",
    "model.feedforward_size=256",
    "model.dropout=0.0",
    "model.embedding_dropout=0.0",
    "training.label_smoothing=0.0",
    "training.batch_tokens=2000",
    "training.learning_rate=0.005",
    "training.average=0.95",
    "training.max_steps=250",
    "training.validate_every=250",
    "training.validation_sentences=100",
    "schedule.warmup_steps=40",
    "training.progress=false",
]


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_learns_the_toy_corpus(preset: str, tmp_path: Path) -> None:
    """A network that can't see its source, or can't use it, scores the same on the sources of other sentences."""
    assert main(["train", "data=toy", f"model={preset}", f"run_dir={tmp_path}", "device=cpu", *SMALL]) == 0
    pairs = toy_pairs("val")[:200]
    sources, references = [pair["en"] for pair in pairs], [pair["fr"] for pair in pairs]
    translator = Translator.from_pretrained(tmp_path / "model", device="cpu")
    right = [translation.text for translation in translator.translate(sources, search=Greedy())]
    wrong = right[:]
    random.Random(1).shuffle(wrong)
    own, shuffled = bleu(right, references).score, bleu(wrong, references).score
    assert own > 3 * shuffled + 5, (own, shuffled)
