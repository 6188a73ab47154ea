"""Scoring a target by teacher forcing gives the log-probability that a search found it with, whatever the network."""

import math
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from nmt.backends import Backend, together
from nmt.cli import main
from nmt.errors import UserError
from nmt.model_directory import save_model_directory
from nmt.models.config import AttentionKind, Cell, ModelConfig, Wiring
from nmt.models.seq2seq import build
from nmt.models.torch_model import TorchModel
from nmt.search import Beam, Greedy, Sampling
from nmt.tokenizer import EOS, TokenizerConfig, TokenizerKind, train_tokenizers
from nmt.translator import Translator

WORDS = ["man", "woman", "dog", "street", "bike", "bus", "ball", "weather"]
TEXT = [" ".join(WORDS[start:] + WORDS[:start]) for start in range(8)]
TOKENIZERS = train_tokenizers(TEXT, TEXT, TokenizerConfig(TokenizerKind.bpe, vocab_size=310))
# Any text of these words, and no other, has one segmentation: the words.
WHOLE = [piece for (piece,) in TOKENIZERS.target.encode(WORDS)]
SOURCES = ["The man sees the dog.", "ball", "A woman on the street 猫 waits for the bus."]
SIZES = {
    "attention_heads": 2,
    "embedding_size": 8,
    "hidden_size": 8,
    "encoder_hidden_size": None,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "feedforward_size": 12,
}
PRESETS = sorted((Path(__file__).resolve().parents[1] / "conf" / "model").glob("*.yaml"))
SYSTEMS = {
    **{file.stem: OmegaConf.to_container(OmegaConf.load(file)) for file in PRESETS},
    **{f"cell {cell}": {"cell": cell} for cell in Cell},
    **{f"attention {attention}": {"attention": attention} for attention in AttentionKind},
    **{f"wiring {wiring}": {"wiring": wiring} for wiring in (Wiring.first_layer, Wiring.input_feeding, Wiring.previous_state)},
}


def configuration(**settings: object) -> ModelConfig:
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), settings, SIZES))
    assert isinstance(config, ModelConfig)
    return config


def translator(**settings: object) -> Translator:
    """Random weights; only the words, in an order that the source decides, and the end mark have any probability."""
    config = configuration(**settings)
    torch.manual_seed(5)
    model = build(config, len(TOKENIZERS.source), len(TOKENIZERS.target), True)
    with torch.no_grad():
        bias = torch.full_like(model.output.bias, -1000.0)
        bias[WHOLE] = 0.0
        bias[EOS] = 1.0
        model.output.bias.copy_(bias)
    return Translator(TorchModel(model), TOKENIZERS, Beam(beam_size=4, n_best=4, max_length_ratio=0.5, max_length_offset=6))


def check(system: Translator) -> None:
    """All that searches find has the log-probability that they say."""
    bounds = {"max_length_ratio": 0.5, "max_length_offset": 6}
    finished = 0
    for search in (system.search, Greedy(**bounds), Sampling(**bounds, n_best=3)):  # type: ignore[arg-type]
        for translation in system.translate(SOURCES, search=search):
            for hypothesis in translation.hypotheses:
                if hypothesis.repeating:  # its log_prob is that of more than there is
                    continue
                found = system.score(translation.source, hypothesis.text)
                assert found.text == hypothesis.text
                assert found.pieces == hypothesis.pieces + ["</s>"] * (not hypothesis.finished)
                assert len(found.log_probs) == len(found.pieces)
                written = sum(found.log_probs[: len(hypothesis.pieces)])
                assert written == pytest.approx(hypothesis.log_prob, abs=1e-4)
                if hypothesis.finished:
                    finished += 1
                    assert found.log_prob == pytest.approx(hypothesis.log_prob, abs=1e-4)
    assert finished > 3


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_score_gives_back_the_log_prob_of_what_a_search_found(name: str) -> None:
    check(translator(**SYSTEMS[name]))  # type: ignore[arg-type]


def test_the_same_of_several_models_as_one() -> None:
    systems = [translator(cell=cell) for cell in (Cell.gru, Cell.lstm)]
    search = systems[0].search
    check(Translator(together([system.model for system in systems]), TOKENIZERS, search))


def test_the_same_of_an_exported_model(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    system = translator()
    bounds = {"languages": ("en", "xx"), "card": ""}
    save_model_directory(tmp_path / "m", configuration(), system.model.network, TOKENIZERS, system.search, **bounds)  # type: ignore[arg-type]
    assert main(["export", str(tmp_path / "m")]) == 0
    exported = Translator.from_pretrained(tmp_path / "m", backend=Backend.onnx)
    check(exported)
    expected = system.score(SOURCES[0], "man bus dog").log_probs
    assert exported.score(SOURCES[0], "man bus dog").log_probs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_piece_by_piece_is_as_the_whole_at_once(name: str) -> None:
    system = translator(**SYSTEMS[name])  # type: ignore[arg-type]
    whole = system.inspect(SOURCES[0])
    found = system.score(SOURCES[0], whole.hypotheses[0].text).log_probs
    assert found[: len(whole.target_pieces)] == pytest.approx(whole.token_log_probs.tolist(), abs=1e-4)


def test_the_probabilities_of_all_targets_of_a_length_add_up() -> None:
    """Of one word, or none; what is longer has the rest."""
    system = translator()
    targets = ["", *TOKENIZERS.target.decode([[word] for word in WHOLE])]
    short = sum(math.exp(system.score(SOURCES[0], target).log_prob) for target in targets)
    first = sum(math.exp(system.score(SOURCES[0], target).log_probs[0]) for target in targets)
    assert short < first
    assert first == pytest.approx(1.0, abs=1e-5)


def test_a_blank_target_is_the_end_mark_alone() -> None:
    system = translator()
    for blank in ("", "  ", "\t"):
        found = system.score(SOURCES[0], blank)
        assert found.pieces == ["</s>"]
        assert found.log_prob == found.log_probs[0] < 0


def test_scoring_amid_training_is_without_dropout_in_fp32_and_leaves_the_model_training() -> None:
    system = translator()
    expected = system.score(SOURCES[0], "man bus")
    system.model.network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert system.score(SOURCES[0], "man bus") == expected
    assert system.model.network.training


def test_a_source_to_score_must_be_one_that_is_not_cut() -> None:
    system = translator()
    for blank in ("", " \t", "\u3000"):
        with pytest.raises(UserError, match="`source` must not be blank, but is"):
            system.score(blank, "man")
    with pytest.raises(UserError, match=r"`source` must have at most 256 pieces, but has 300 instead"):
        system.score("man " * 300, "man")
