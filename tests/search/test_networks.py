"""Search over the real networks: their states and memories are selected rightly, whatever they are made of."""

import numpy as np
import pytest
import torch

from nmt.models.config import Architecture, AttentionKind, BridgeKind, Cell, ModelConfig, Wiring
from nmt.models.seq2seq import Seq2Seq, build
from nmt.models.torch_model import TorchModel
from nmt.search import Beam, Greedy, Hypothesis
from nmt.tokenizer import BOS, EOS, PAD

VOCABULARY = 40


SYSTEMS = {
    **{str(kind): {"attention": kind} for kind in AttentionKind},
    "gru_cho, previous state": {"cell": Cell.gru_cho, "wiring": Wiring.previous_state},
    "lstm, input feeding": {"cell": Cell.lstm, "wiring": Wiring.input_feeding, "bridge": BridgeKind.hand_over},
    "rnn, summary": {"cell": Cell.rnn, "wiring": Wiring.summary, "attention": AttentionKind.none},
    "transformer": {"architecture": Architecture.transformer},
}


def network(system: str) -> Seq2Seq:
    torch.manual_seed(3)
    config = ModelConfig(attention_heads=2, embedding_size=16, hidden_size=16, feedforward_size=16, **SYSTEMS[system])  # type: ignore[arg-type]
    model = build(config, VOCABULARY, VOCABULARY, True).eval()
    with torch.no_grad():
        model.output.weight *= 6  # far from even, so that rounding decides nothing
        model.output.bias[EOS] += 14 if system == "transformer" else 8  # some end, and some are cut
    return model


def searchable(network: Seq2Seq) -> TorchModel:
    return TorchModel(network, torch.device("cpu"))


def sources() -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([9, 2, 5, 7, 1, 4])
    mask = np.arange(9) < lengths[:, None]
    ids = np.random.default_rng(1).integers(4, VOCABULARY, mask.shape)
    ids[np.arange(6), lengths - 1] = EOS
    return np.where(mask, ids, PAD), mask


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_batch_is_its_sentences_one_by_one(system: str) -> None:
    model, (ids, mask) = searchable(network(system)), sources()
    beta = 0.0 if SYSTEMS[system].get("attention") is AttentionKind.none else 0.2
    search = Beam(beam_size=4, n_best=4, coverage_penalty=beta)
    for found, source, source_mask in zip(search(model, ids, mask), ids, mask, strict=True):
        (alone,) = search(model, source[source_mask][None], source_mask[source_mask][None])
        assert [(h.tokens, h.finished) for h in found] == [(h.tokens, h.finished) for h in alone]
        assert [h.log_prob for h in found] == pytest.approx([h.log_prob for h in alone], abs=1e-4)
        assert [h.score for h in found] == pytest.approx([h.score for h in alone], abs=1e-4)


@pytest.mark.parametrize("system", SYSTEMS)
def test_log_prob_is_that_of_teacher_forcing(system: str) -> None:
    model, (ids, mask) = network(system), sources()

    def forced(place: int, hypothesis: Hypothesis) -> float:
        out = hypothesis.tokens + [EOS] * hypothesis.finished
        target_in = torch.tensor([[BOS, *out[:-1]]])
        source, source_mask = ids[place][mask[place]][None], mask[place][mask[place]][None]
        with torch.no_grad():
            log_probs = model(torch.from_numpy(source), torch.from_numpy(source_mask), target_in).log_softmax(-1)
        return float(log_probs[0, torch.arange(len(out)), torch.tensor(out)].sum())

    finished = set()
    cut = Beam(beam_size=4, n_best=4, max_length_ratio=0.0, max_length_offset=2)
    for search in (Greedy(), Beam(beam_size=4, n_best=4), cut):
        for place, found in enumerate(search(searchable(model), ids, mask)):
            expected = [forced(place, hypothesis) for hypothesis in found]
            assert [h.log_prob for h in found] == pytest.approx(expected, abs=1e-4)
            finished |= {hypothesis.finished for hypothesis in found}
    assert finished == {True, False}
