"""What is shown is what the network computed: the explicit equations give the fused kernels' states, on the inputs of the run."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.inspection.trace import watching
from nmt.models.config import Cell, Wiring
from nmt.search import Beam, Greedy, Sampling, SearchStrategy
from nmt.tokenizer import BOS, EOS
from nmt.translator import Translator

TEXT = "A man rides a bike on the street."
BOUNDS = {"max_length_ratio": 0.5, "max_length_offset": 6}
SEARCHES = [Beam(**BOUNDS, beam_size=4, n_best=3), Greedy(**BOUNDS), Sampling(**BOUNDS, n_best=3), Greedy(0, 2)]


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_explicit_states_are_the_kernels_outputs(system: Translator) -> None:
    model = system.model.network
    source = torch.tensor([[5, 9, 14, 300, 7, EOS]])
    layers = [layer for by_direction in model.encoder.recurrent_layers() for layer in by_direction.values()]
    with torch.no_grad(), watching([*layers, *model.decoder.recurrent_layers()]) as watches:
        model(source, torch.ones_like(source, dtype=torch.bool), torch.tensor([[BOS, 40, 8, 301]]))
    for watch in watches:
        outputs = torch.cat(watch.outputs, dim=1)[0]
        close(watch.trace().states[:, : watch.layer.hidden_size], outputs)
    assert not any(module._forward_hooks for module in model.modules())


def test_shapes_names_and_ranges(system: Translator) -> None:
    found = system.inspect(TEXT)
    encoder, decoder = system.model.network.encoder.recurrent_layers(), system.model.network.decoder.recurrent_layers()
    src_len, tgt_len = len(found.source_pieces), len(found.target_pieces)
    assert found.source_pieces[-1] == "</s>"
    assert found.directions == (list(encoder[0]) if encoder else [])
    state_size = decoder[0].state_size if decoder else 0
    assert found.decoder_states.shape == (len(decoder), tgt_len, state_size)
    assert found.encoder_states.shape[:3] == (len(encoder), len(found.directions), src_len)
    for gates, states in ((found.encoder_gates, found.encoder_states), (found.decoder_gates, found.decoder_states)):
        for name, values in gates.items():
            assert values.shape[:-1] == states.shape[:-1]
            assert values.max() <= 1 and values.min() >= (-1 if name == "candidate" else 0)
    assert found.encoder_gates.keys() == found.decoder_gates.keys()
    gate = system.model.network.decoder.context_gate()
    assert (found.context_gate is None) == (gate is None)
    if gate is not None:
        assert found.context_gate is not None and found.context_gate.shape == (tgt_len, gate.share.out_features)
        assert found.context_gate.max() <= 1 and found.context_gate.min() >= 0


@pytest.mark.parametrize("wiring", [Wiring.first_layer, Wiring.previous_state, Wiring.input_feeding])
def test_the_context_gate_that_is_shown_is_the_models(wiring: Wiring, make: Callable[..., Translator]) -> None:
    """Its first step is the same whatever is written then."""
    translator = make(context_gate=True, wiring=wiring)
    gate = translator.model.network.decoder.context_gate()
    found = translator.inspect(TEXT)
    with torch.no_grad():
        gate.share.bias += 3
    opened = translator.inspect(TEXT, search=Greedy(**BOUNDS))
    assert found.context_gate is not None and opened.context_gate is not None
    close(opened.context_gate[0].logit(), found.context_gate[0].logit() + 3)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (Cell.gru, {"reset", "update", "candidate"}),
        (Cell.gru_cho, {"reset", "update", "candidate"}),
        (Cell.lstm, {"input", "forget", "candidate", "output"}),
        (Cell.rnn, set()),
    ],
)
def test_gates_by_cell(cell: Cell, names: set[str], make: Callable[..., Translator]) -> None:
    assert make(cell=cell).inspect(TEXT).decoder_gates.keys() == names


@pytest.mark.parametrize("cell", [Cell.gru, Cell.gru_cho])
def test_the_update_gate_takes_the_candidate(cell: Cell, make: Callable[..., Translator]) -> None:
    """h_t = (1 − z_t) h_{t−1} + z_t ĥ_t, forwards from the left and backwards from the right."""
    found = make(cell=cell).inspect(TEXT)
    z, candidate, h = found.encoder_gates["update"], found.encoder_gates["candidate"], found.encoder_states
    nothing = torch.zeros_like(h[:, 0, :1])
    before = torch.stack([torch.cat([nothing, h[:, 0, :-1]], dim=1), torch.cat([h[:, 1, 1:], nothing], dim=1)], dim=1)
    close(h, (1 - z) * before + z * candidate)


@pytest.mark.parametrize("search", SEARCHES)
def test_probabilities_and_attention_are_the_searchs(search: SearchStrategy, system: Translator) -> None:
    found = system.inspect(TEXT, search=search)
    best = found.hypotheses[0]
    assert len(found.token_log_probs) == len(best.pieces)
    assert float(found.token_log_probs.sum()) == pytest.approx(best.log_prob, abs=1e-4)
    if best.attention is None:
        assert found.attention is None
    else:
        assert found.attention is not None
        close(found.attention, torch.from_numpy(best.attention))
    (translation,) = system.translate([TEXT], search=search)
    for one, other in zip(found.hypotheses, translation.hypotheses, strict=True):
        assert one.text.startswith(other.text) if other.repeating else one.text == other.text  # a loop is shown whole


def test_inspecting_amid_training_is_without_dropout_and_leaves_the_model_training(make: Callable[..., Translator]) -> None:
    translator = make()
    expected = translator.inspect(TEXT)
    translator.model.network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = translator.inspect(TEXT)
    assert translator.model.network.training
    assert torch.equal(found.decoder_states, expected.decoder_states) and found.tree == expected.tree
    assert not found.decoder_states.requires_grad
    found.decoder_states.requires_grad_()  # an ordinary tensor


def test_a_text_must_be_one_sentence(make: Callable[..., Translator]) -> None:
    translator = make()
    for blank in ("", " \t", "\u3000"):
        with pytest.raises(UserError, match="the text to inspect must not be blank, but is"):
            translator.inspect(blank)
    with pytest.raises(UserError, match=r"the text to inspect must have at most 256 pieces, but has \d+ instead"):
        translator.inspect("man 🐈 " * 200)
