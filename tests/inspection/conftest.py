"""Small networks of every kind, and a tokenizer for them."""

import pytest
import torch

from nmt.models.config import Architecture, AttentionKind, BridgeKind, Cell, Direction, ModelConfig, Wiring
from nmt.models.seq2seq import build
from nmt.models.torch_model import TorchModel
from nmt.search import Beam
from nmt.tokenizer import EOS, TokenizerConfig, TokenizerPair, train_tokenizers
from nmt.translator import Translator

LINES = [
    "A man rides a bike. Is he late?",
    "The woman on the red bike is late!",
    "猫は庭で寝ています。犬は走ります。",
    "A cat 🐈 sleeps on the street and a dog 🐕 runs.",
]
SIZES = {"attention_heads": 2, "embedding_size": 8, "hidden_size": 8, "encoder_hidden_size": 4, "feedforward_size": 12}
NO_ATTENTION = {"attention": AttentionKind.none}
ONE_WAY = {"direction": Direction.backwards, "encoder_hidden_size": 8}
SYSTEMS: dict[str, dict[str, object]] = {
    **{f"{cell}": {"cell": cell} for cell in Cell},
    **{f"{cell}, input feeding": {"cell": cell, "wiring": Wiring.input_feeding} for cell in Cell},
    **{f"{cell}, previous state": {"cell": cell, "wiring": Wiring.previous_state} for cell in Cell},
    "handed over": {"cell": Cell.lstm, "bridge": BridgeKind.hand_over},
    "summary": {"wiring": Wiring.summary, **NO_ATTENTION},
    "state only": {"wiring": Wiring.state_only, "bridge": BridgeKind.hand_over, **NO_ATTENTION, **ONE_WAY},
    "forwards, three layers": {"direction": Direction.forwards, "encoder_layers": 3, "decoder_layers": 1},
    "context gate": {"context_gate": True},
    "context gate, input feeding": {"context_gate": True, "wiring": Wiring.input_feeding},
    "context gate, rnn": {"context_gate": True, "cell": Cell.rnn},
    "transformer": {"architecture": Architecture.transformer},
}


@pytest.fixture(scope="session")
def tokenizers() -> TokenizerPair:
    return train_tokenizers(LINES, [], TokenizerConfig(vocab_size=306))


class Make:
    """Translators with random weights, whose probabilities are far from even, so that rounding decides nothing."""

    def __init__(self, tokenizers: TokenizerPair) -> None:
        self.tokenizers = tokenizers

    def __call__(self, **settings: object) -> Translator:
        torch.manual_seed(5)
        config = ModelConfig(**SIZES | settings)  # type: ignore[arg-type]
        model = build(config, len(self.tokenizers.source), len(self.tokenizers.target), True).eval()
        with torch.no_grad():
            model.output.weight *= 8
            model.output.bias[EOS] += 3
        search = Beam(beam_size=4, n_best=3, max_length_ratio=0.5, max_length_offset=6)
        return Translator(TorchModel(model), self.tokenizers, search)


@pytest.fixture(scope="session")
def make(tokenizers: TokenizerPair) -> Make:
    return Make(tokenizers)


@pytest.fixture(params=list(SYSTEMS))
def system(request: pytest.FixtureRequest, make: Make) -> Translator:
    """A translator of each kind."""
    return make(**SYSTEMS[request.param])
