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

# Small models and short sentences: seconds on one core.
SMALL = [
    "data.max_length=9",
    "model.embedding_size=64",
    "model.hidden_size=96",
    "model.encoder_hidden_size=null",
    "model.encoder_layers=2",
    "model.decoder_layers=2",
    "model.feedforward_size=256",
    "model.dropout=0.0",
    "model.embedding_dropout=0.0",
    "training.label_smoothing=0.0",
    "training.batch_tokens=800",
    "training.learning_rate=0.01",
    "training.average=0.95",
    "training.max_steps=400",
    "training.validate_every=1000",
    "training.validation_sentences=20",
    "training.progress=false",
    "schedule.warmup_steps=40",
]
# Without attention all that is known of a sentence has to pass through one state: that takes longer to learn.
WITHOUT_ATTENTION = ["training.max_steps=700", "model.encoder_layers=1", "model.decoder_layers=1"]
ALSO = {"cho2014": WITHOUT_ATTENTION, "sutskever2014": WITHOUT_ATTENTION}


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_learns_the_toy_corpus(preset: str, tmp_path: Path) -> None:
    """A network that can't see its source, or can't use it, scores the same against the references of other sentences."""
    settings = [*SMALL, *ALSO.get(preset, [])]
    assert main(["train", "data=toy", f"model={preset}", f"run_dir={tmp_path / 'run'}", "device=cpu", *settings]) == 0
    pairs = [(source, target) for source, target in toy_pairs("val") if len(source.split()) <= 7][:200]
    sources, references = (list(side) for side in zip(*pairs, strict=True))
    translator = Translator.from_pretrained(tmp_path / "run" / "model", device="cpu")
    translations = [translation.text for translation in translator.translate(sources, search=Greedy())]
    others = random.Random(1).sample(references, len(references))
    own, shuffled = bleu(translations, references).score, bleu(translations, others).score
    assert own > 3 * shuffled + 5, (own, shuffled)
