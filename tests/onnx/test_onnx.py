"""What ONNX Runtime computes is what the network computes, for every part that exports."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nmt.model_directory import ONNX, LoadedModel
from nmt.models.config import AttentionKind, BridgeKind, Cell, Direction, ModelConfig, Readout, Wiring
from nmt.models.seq2seq import Seq2Seq, build
from nmt.models.torch_model import TorchModel
from nmt.search import Beam, Sampling
from nmt.shortlist import Shortlist
from nmt.tokenizer import BOS, EOS, PAD

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from nmt.onnx.export import functions  # noqa: E402
from nmt.onnx.function import Function, has_vnni  # noqa: E402
from nmt.onnx.graph import Graph  # noqa: E402
from nmt.onnx.model import OnnxModel  # noqa: E402

VOCABULARY = 40
STEPWISE = (Wiring.previous_state, Wiring.input_feeding)
WITH_AND_WITHOUT_WORD = (Wiring.first_layer, Wiring.input_feeding)  # in the readout
SYSTEMS: dict[str, dict[str, object]] = {
    **{f"{cell}, {kind}": {"cell": cell, "attention": kind} for cell in Cell for kind in AttentionKind},
    **{f"{cell}, {wiring}": {"cell": cell, "wiring": wiring} for cell in Cell for wiring in STEPWISE},
    **{
        f"{kind}, lexical values": {"attention": kind, "lexical_values": True}
        for kind in AttentionKind
        if kind is not AttentionKind.none
    },
    "scaled embeddings": {"embedding_scale": 4.0, "lexical_values": True},
    **{f"normed readout, {wiring}": {"wiring": wiring, "readout": Readout.layer_norm} for wiring in WITH_AND_WITHOUT_WORD},
    **{f"context gate, {wiring}": {"wiring": wiring, "context_gate": True} for wiring in WITH_AND_WITHOUT_WORD},
    "context gate, additive attention": {"context_gate": True, "attention": AttentionKind.additive, "encoder_hidden_size": 12},
    "summary": {"wiring": Wiring.summary, "attention": AttentionKind.none},
    "state only": {
        "wiring": Wiring.state_only,
        "attention": AttentionKind.none,
        "bridge": BridgeKind.hand_over,
        "direction": Direction.backwards,
    },
    "handed over": {"cell": Cell.lstm, "bridge": BridgeKind.hand_over},
    "forwards": {"direction": Direction.forwards, "encoder_layers": 3, "decoder_layers": 1},
    "one unit": {"hidden_size": 1, "encoder_hidden_size": 1, "attention_heads": 1},
    "plain": {"residual": False, "layer_norm": False, "tie_embeddings": False, "readout_size": 24, "encoder_hidden_size": 12},
}


def network(system: str) -> Seq2Seq:
    torch.manual_seed(3)
    sizes = {"attention_heads": 2, "embedding_size": 16, "hidden_size": 16}
    model = build(ModelConfig(**sizes | SYSTEMS[system]), VOCABULARY, VOCABULARY, True).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)  # biases too
        model.output.weight *= 6  # far from even, so that rounding decides nothing
        model.output.bias[EOS] += 8  # some end, and some are cut
    return model


def exported(model: Seq2Seq, folder: Path, quantised: bool = False) -> OnnxModel:
    (folder / ONNX).mkdir()
    for name, content in functions(model).items():
        (folder / ONNX / name).write_bytes(content)
    return OnnxModel(directory(model, folder), quantised, 1)


def directory(model: Seq2Seq, folder: Path) -> LoadedModel:
    """As much of a model directory as is asked for."""
    tokenizers = SimpleNamespace(target=range(VOCABULARY))
    return SimpleNamespace(directory=folder, model=model, tokenizers=tokenizers)  # type: ignore[return-value]


def test_a_shortlist_of_all_pieces_changes_nothing_and_a_short_one_keeps_to_it(tmp_path: Path) -> None:
    model = network("gru, multihead")
    whole = exported(model, tmp_path, quantised=True)
    expected = Beam(beam_size=4, n_best=4)(whole, *sources())
    for common in (range(2, VOCABULARY), range(2, 20)):
        shortlist = Shortlist(np.array(common, dtype=np.int32), np.zeros((VOCABULARY, 1), dtype=np.int32))
        limited = OnnxModel(directory(model, tmp_path), True, 1, shortlist)
        found = Beam(beam_size=4, n_best=4)(limited, *sources())
        tokens = {token for hypotheses in found for hypothesis in hypotheses for token in hypothesis.tokens}
        assert tokens <= set(common)
        samples = Sampling(n_best=4, seed=1)(limited, *sources())
        assert {token for hypotheses in samples for hypothesis in hypotheses for token in hypothesis.tokens} <= set(common)
        if len(common) > 20 and has_vnni():
            assert [[h.tokens for h in ours] for ours in found] == [[h.tokens for h in theirs] for theirs in expected]
            # But for the probability of PAD and BOS, which no shortlist has.
            assert found[0][0].score == pytest.approx(expected[0][0].score, abs=0.05)


@pytest.mark.parametrize("vnni", [has_vnni(), False])
def test_products_with_a_shortlist_do_not_overflow(vnni: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.onnx.model.has_vnni", lambda: vnni)
    model = network("gru, multihead")
    pieces = np.arange(2, VOCABULARY, dtype=np.int32)
    shortlist = Shortlist(pieces, np.zeros((VOCABULARY, 1), dtype=np.int32))
    probabilities = []
    for one in (exported(model, tmp_path, quantised=True), OnnxModel(directory(model, tmp_path), True, 1, shortlist)):
        memory = one.encode(*sources())
        found = np.exp(one.step(np.full(6, BOS), one.start(memory, 1), memory).log_prob()[:, pieces])
        probabilities.append(found / found.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(*probabilities, rtol=0, atol=1e-6 if vnni else 0.03)


def sources() -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([9, 2, 5, 7, 1, 4])
    mask = np.arange(9) < lengths[:, None]
    ids = np.random.default_rng(1).integers(4, VOCABULARY, mask.shape)
    ids[np.arange(6), lengths - 1] = EOS
    return np.where(mask, ids, PAD), mask


@pytest.mark.parametrize("system", SYSTEMS)
def test_probabilities_state_and_attention_step_by_step(system: str, tmp_path: Path) -> None:
    model = network(system)
    both = [TorchModel(model), exported(model, tmp_path)]
    memories = [one.encode(*sources()) for one in both]
    states = [one.start(memory, 2) for one, memory in zip(both, memories, strict=True)]  # type: ignore[arg-type]
    rng = np.random.default_rng(2)
    tokens = np.full(12, BOS)
    for _ in range(4):
        expected, found = (one.step(tokens, *rest) for one, *rest in zip(both, states, memories, strict=True))  # type: ignore[arg-type]
        np.testing.assert_allclose(found.log_prob(), expected.log_prob(), atol=1e-4)
        for one, other in zip(found.best(5), expected.best(5), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
        assert (found.attention is None) == (expected.attention is None)
        if found.attention is not None and expected.attention is not None:
            np.testing.assert_allclose(found.attention, expected.attention, atol=1e-5)
        rows, tokens = rng.integers(0, 2, 12) + np.arange(12) // 2 * 2, rng.integers(4, VOCABULARY, 12)
        states = [found.state.select(rows) for found in (expected, found)]


@pytest.mark.parametrize("quantised", [False, True])
def test_products_of_words_are_the_same_looked_up_and_multiplied(
    quantised: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network("scaled embeddings")
    found = []
    for largest in (10**6, 0):
        monkeypatch.setattr("nmt.onnx.layers.LARGEST_TABLE", largest)
        (tmp_path / f"{largest}").mkdir()
        one = exported(model, tmp_path / f"{largest}", quantised=quantised)
        memory = one.encode(*sources())
        found.append(one.step(np.full(6, BOS), one.start(memory, 1), memory).log_prob())
    np.testing.assert_allclose(np.exp(found[1]), np.exp(found[0]), atol=0.05 if quantised else 1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_free_row_has_no_say_in_the_others(system: str, tmp_path: Path) -> None:
    model = exported(network(system), tmp_path)
    memory = model.encode(*sources())
    states = [model.start(memory, 3)] * 2
    rng = np.random.default_rng(4)
    for _ in range(3):
        tokens, live = rng.integers(4, VOCABULARY, 18), rng.random(18) < 0.6
        expected, found = model.step(tokens, states[0], memory), model.step(np.where(live, tokens, PAD), states[1], memory)
        np.testing.assert_allclose(found.log_prob()[live], expected.log_prob()[live], atol=1e-5)
        np.testing.assert_allclose(found.best(4)[1][live], expected.best(4)[1][live], atol=1e-5)
        if found.attention is not None and expected.attention is not None:
            np.testing.assert_allclose(found.attention[live], expected.attention[live], atol=1e-5)
        rows = rng.choice(np.flatnonzero(live), 18)
        states = [expected.state.select(rows), found.state.select(rows)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_search_finds_the_same(system: str, tmp_path: Path) -> None:
    model = network(system)
    search = Beam(beam_size=4, n_best=4)
    expected, found = (search(one, *sources(), with_attention=True) for one in (TorchModel(model), exported(model, tmp_path)))
    for ours, theirs in zip(found, expected, strict=True):
        assert [(h.tokens, h.finished) for h in ours] == [(h.tokens, h.finished) for h in theirs]
        assert [h.score for h in ours] == pytest.approx([h.score for h in theirs], abs=1e-4)


@pytest.mark.parametrize("few", [1, 9])
@pytest.mark.parametrize("system", SYSTEMS)
def test_in_8_bits_it_is_close(system: str, few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.onnx.model.FEW", few)  # many sources are encoded otherwise than few
    model = network(system)
    both = [TorchModel(model), exported(model, tmp_path, quantised=True)]
    memories = [one.encode(*sources()) for one in both]
    states = [one.start(memory, 1) for one, memory in zip(both, memories, strict=True)]  # type: ignore[arg-type]
    tokens = np.full(6, BOS)
    expected, found = (one.step(tokens, *rest).log_prob() for one, *rest in zip(both, states, memories, strict=True))  # type: ignore[arg-type]
    assert 0 < np.abs(np.exp(found) - np.exp(expected)).max() < 0.1


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_product_of_8_bits_has_a_zero_of_its_own(system: str) -> None:
    """Without, ONNX Runtime before 1.30 lets products overflow where there is no VNNI, whatever it is asked for."""
    for name, content in functions(network(system)).items():
        graphs = [onnx.load_from_string(content).graph]
        for graph in graphs:
            graphs += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
            constants = {constant.name: constant.data_type for constant in graph.initializer}
            products = [node for node in graph.node if node.op_type == "MatMulIntegerToFloat" and node.input[1] in constants]
            zeros = [product.input[5] for product in products]
            assert [constants[zero] for zero in zeros] == [onnx.TensorProto.INT8] * len(products), name
            assert sum(zero in node.input for zero in zeros for node in graph.node) == len(products)


@pytest.mark.parametrize("vnni", [has_vnni(), False])
def test_products_of_8_bits_do_not_overflow(vnni: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.onnx.function.has_vnni", lambda: vnni)
    graph = Graph("product", quantised=True)
    graph.output("y", graph.linear(graph.input("x", np.float32, ["rows", 64]), torch.ones(32, 64)), np.float32, ["rows", 32])
    (tmp_path / "product.onnx").write_bytes(graph.serialised())
    found = Function(tmp_path / "product.onnx", 1)({"x": np.ones((5, 64), dtype=np.float32)})
    np.testing.assert_allclose(found["y"], np.full((5, 32), 64.0), rtol=1e-5)
