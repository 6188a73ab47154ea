"""Laws of the whole network, for every attention."""

import pytest
import torch

from nmt.data.batching import collate
from nmt.errors import UserError
from nmt.models.attention import AttentionKind
from nmt.models.seq2seq import ModelConfig, Seq2Seq, build

VOCAB = 20
SOURCES = [[5, 6, 7, 8, 9], [5], [10, 11, 12]]
TARGETS = [[6, 7], [8, 9, 10, 11, 12, 13], []]


def network(attention: AttentionKind = AttentionKind.multihead, joint: bool = True, tie: bool = True, layers: int = 2) -> Seq2Seq:
    torch.manual_seed(1)
    config = ModelConfig(
        attention=attention,
        attention_heads=2,
        embedding_size=6,
        hidden_size=8,
        encoder_hidden_size=4,
        encoder_layers=layers,
        decoder_layers=layers,
        tie_embeddings=tie,
    )
    return build(config, VOCAB, VOCAB, joint).eval()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("attention", list(AttentionKind))
def test_whole_sequence_equals_step_by_step(attention: AttentionKind, layers: int) -> None:
    model = network(attention, layers=layers)
    batch = collate(SOURCES, TARGETS)
    whole = model(batch.source, batch.source_mask, batch.target_in)
    memory = model.encode(batch.source, batch.source_mask)
    state = model.start(memory, width=1)
    for t in range(batch.target_in.shape[1]):
        output = model.step(batch.target_in[:, t], state, memory)
        state = output.state
        torch.testing.assert_close(output.logits, whole[:, t], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", list(AttentionKind))
def test_batch_equals_single_sentences(attention: AttentionKind) -> None:
    """So padding changes nothing."""
    model = network(attention)
    batch = collate(SOURCES, TARGETS)
    together = model(batch.source, batch.source_mask, batch.target_in)
    for i, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        alone = collate([source], [target])
        logits = model(alone.source, alone.source_mask, alone.target_in)[0]
        torch.testing.assert_close(together[i, : len(target) + 1], logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("attention", list(AttentionKind))
def test_rows_of_a_sentence_share_its_memory(attention: AttentionKind) -> None:
    """A beam of three rows a sentence steps like three copies of the sentence, also after rows and sentences are selected."""
    model = network(attention)
    batch = collate(SOURCES, TARGETS)
    tokens = torch.arange(9) + 4
    memory = model.encode(batch.source, batch.source_mask)
    wide = model.step(tokens, model.start(memory, width=3), memory)
    copies = memory.select(torch.arange(3).repeat_interleave(3))
    narrow = model.step(tokens, model.start(copies, width=1), copies)
    torch.testing.assert_close(wide.logits, narrow.logits)

    kept, rows = torch.tensor([2, 0]), torch.tensor([8, 6, 0, 0])
    wide_next = model.step(tokens[:4], wide.state.select(rows), memory.select(kept))
    narrow_next = model.step(tokens[:4], narrow.state.select(rows), copies.select(rows))
    torch.testing.assert_close(wide_next.logits, narrow_next.logits)


def test_every_parameter_learns() -> None:
    model = network().train()
    batch = collate(SOURCES, TARGETS)
    model(batch.source, batch.source_mask, batch.target_in).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("joint", "tie", "matrices"), [(True, True, 1), (False, True, 2), (True, False, 3), (False, False, 3)])
def test_tied_embeddings_share_one_matrix(joint: bool, tie: bool, matrices: int) -> None:
    model = network(joint=joint, tie=tie)
    weights = (model.encoder.embedding.matrix.weight, model.decoder.embedding.matrix.weight, model.output.weight)
    assert len({weight.data_ptr() for weight in weights}) == matrices


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("hidden_size", 0, "`model.hidden_size` must be at least 1, but is 0 instead"),
        ("dropout", 1.0, "`model.dropout` must be at least 0 and below 1, but is 1.0 instead"),
        ("word_dropout", -0.1, "`model.word_dropout` must be at least 0 and below 1, but is -0.1 instead"),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: float, message: str) -> None:
    with pytest.raises(UserError) as error:
        ModelConfig(**{setting: value})  # type: ignore[arg-type]
    assert str(error.value) == message
