"""Laws of the whole network, for every attention."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from nmt.data.batch import collate
from nmt.errors import UserError
from nmt.models.config import Architecture, AttentionKind, BridgeKind, Cell, Direction, ModelConfig, Readout, Wiring
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.seq2seq import Seq2Seq, build
from nmt.models.transformer import TransformerDecoderLayer
from nmt.tokenizer import EOS

VOCAB = 20
SOURCES = [[5, 6, 7, 8, 9], [5], [10, 11, 12]]
TARGETS = [[6, 7], [8, 9, 10, 11, 12, 13], []]


def variant(**settings: object) -> ModelConfig:
    sizes = {"attention_heads": 2, "embedding_size": 8, "hidden_size": 8, "encoder_hidden_size": 4, "feedforward_size": 12}
    return ModelConfig(**sizes | settings)  # type: ignore[arg-type]


NONE, HAND_OVER = {"attention": AttentionKind.none}, {"bridge": BridgeKind.hand_over}
ONE_WAY = {"direction": Direction.backwards, "encoder_hidden_size": 8}
ADDITIVE = {"attention": AttentionKind.additive}
GATED = (Wiring.first_layer, Wiring.previous_state, Wiring.input_feeding)
SYSTEMS = {
    **{f"{kind} attention": variant(attention=kind) for kind in AttentionKind},
    **{f"{layers} layers": variant(encoder_layers=layers, decoder_layers=layers) for layers in (1, 3)},
    **{f"{cell}": variant(cell=cell) for cell in Cell},
    **{f"{cell}, handed over": variant(cell=cell, **HAND_OVER) for cell in Cell},
    **{f"{cell}, input feeding": variant(cell=cell, wiring=Wiring.input_feeding, **HAND_OVER) for cell in Cell},
    **{f"{cell}, previous state": variant(cell=cell, wiring=Wiring.previous_state) for cell in Cell},
    "previous state, one layer": variant(wiring=Wiring.previous_state, attention=AttentionKind.additive, decoder_layers=1),
    "previous state, no attention": variant(wiring=Wiring.previous_state, **NONE),
    "input feeding, no attention": variant(wiring=Wiring.input_feeding, **NONE),
    "summary": variant(wiring=Wiring.summary, **NONE),
    "state only": variant(wiring=Wiring.state_only, **NONE, **HAND_OVER, **ONE_WAY),
    "forwards": variant(direction=Direction.forwards, encoder_hidden_size=8),
    "backwards": variant(**ONE_WAY),
    **{
        f"wide readout, {wiring}": variant(readout_size=12, tie_embeddings=False, wiring=wiring)
        for wiring in (Wiring.first_layer, Wiring.input_feeding)
    },
    **{
        f"normed readout, {wiring}": variant(readout=Readout.layer_norm, wiring=wiring)
        for wiring in (Wiring.first_layer, Wiring.input_feeding)
    },
    **{f"context gate, {wiring}": variant(context_gate=True, wiring=wiring) for wiring in GATED},
    "context gate, wide": variant(context_gate=True, readout_size=12, encoder_hidden_size=10, tie_embeddings=False, **ADDITIVE),
    **{
        f"{kind} attention, lexical values": variant(attention=kind, lexical_values=True)
        for kind in AttentionKind
        if kind is not AttentionKind.none
    },
    "scaled embeddings": variant(embedding_scale=4.0, lexical_values=True),
    "no norm": variant(layer_norm=False, residual=False),
    "transformer": variant(architecture=Architecture.transformer),
    "transformer, 1 layer": variant(architecture=Architecture.transformer, encoder_layers=1, decoder_layers=1),
}


def network(config: ModelConfig, joint: bool = True) -> Seq2Seq:
    torch.manual_seed(1)
    return build(config, VOCAB, VOCAB, joint).eval()


@pytest.fixture(params=list(SYSTEMS))
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return network(SYSTEMS[request.param])


def test_whole_sequence_equals_step_by_step(model: Seq2Seq) -> None:
    batch = collate(SOURCES, TARGETS)
    whole = model(batch.source, batch.source_mask, batch.target_in)
    memory = model.encode(batch.source, batch.source_mask)
    state = model.start(memory, width=1)
    for t in range(batch.target_in.shape[1]):
        output = model.step(batch.target_in[:, t], state, memory)
        state = output.state
        torch.testing.assert_close(output.logits, whole[:, t], rtol=1e-5, atol=1e-5)


def test_batch_equals_single_sentences(model: Seq2Seq) -> None:
    """So padding changes nothing."""
    batch = collate(SOURCES, TARGETS)
    together = model(batch.source, batch.source_mask, batch.target_in)
    for i, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        alone = collate([source], [target])
        logits = model(alone.source, alone.source_mask, alone.target_in)[0]
        torch.testing.assert_close(together[i, : len(target) + 1], logits, rtol=1e-5, atol=1e-5)


def test_no_token_sees_those_after_it(model: Seq2Seq) -> None:
    batch = collate(SOURCES, TARGETS)
    before = model(batch.source, batch.source_mask, batch.target_in)
    after = model(batch.source, batch.source_mask, torch.cat([batch.target_in[:, :3], batch.target_in[:, 3:] + 1], dim=1))
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_the_source_counts(model: Seq2Seq) -> None:
    batch = collate(SOURCES, TARGETS)
    other = torch.where(batch.source > EOS, batch.source + 1, batch.source)
    before = model(batch.source, batch.source_mask, batch.target_in)
    assert not torch.allclose(before, model(other, batch.source_mask, batch.target_in), atol=1e-3)


def test_rows_of_a_sentence_share_its_memory(model: Seq2Seq) -> None:
    """A beam of three rows a sentence steps like three copies of the sentence, also after rows and sentences are selected."""
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


def test_bf16_is_close_to_fp32(model: Seq2Seq) -> None:
    batch = collate(SOURCES, TARGETS)
    whole = model(batch.source, batch.source_mask, batch.target_in)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(batch.source, batch.source_mask, batch.target_in)
        with torch.no_grad():
            taught = model(batch.source, batch.source_mask, batch.target_in)  # by other kernels, in part
    torch.testing.assert_close(low.float(), whole, rtol=0.1, atol=0.1)
    torch.testing.assert_close(taught.float(), whole, rtol=0.1, atol=0.1)


def test_every_parameter_learns(model: Seq2Seq) -> None:
    model.train()
    batch = collate(SOURCES, TARGETS)
    model(batch.source, batch.source_mask, batch.target_in).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0}
TRANSFORMER = {"architecture": Architecture.transformer}


@pytest.mark.parametrize(
    "other",
    [
        *({name: 0.5} for name in NO_DROPOUT),
        *(TRANSFORMER | {name: 0.5} for name in NO_DROPOUT),
        {"residual": False},
        {"layer_norm": False},
        {"attention_heads": 4},
        TRANSFORMER | {"attention_heads": 4},
    ],
    ids=str,
)
def test_each_setting_changes_what_the_network_computes(other: dict[str, object]) -> None:
    """Against the same but for the last of the settings, from the same weights and random numbers."""
    without = {name: value for name, value in other.items() if name != list(other)[-1]}
    batch = collate(SOURCES, TARGETS)
    one, changed = (network(variant(**NO_DROPOUT | settings)).train() for settings in (without, other))
    assert type(one.encoder) is type(changed.encoder)
    if [tensor.shape for tensor in one.parameters()] == [tensor.shape for tensor in changed.parameters()]:
        changed.load_state_dict(one.state_dict())
    logits = []
    for model in (one, changed):
        torch.manual_seed(2)
        logits.append(model(batch.source, batch.source_mask, batch.target_in))
    assert not torch.allclose(*logits)


def test_word_dropout_takes_whole_words() -> None:
    embedding = Embedding(nn.Embedding(VOCAB, 8), Dropout(0.0), word_dropout=0.5, scale=2.0)
    tokens = torch.arange(VOCAB).repeat(5, 1)
    kept, whole = embedding(tokens), embedding.matrix(tokens) * 4
    assert torch.equal(kept.any(dim=2, keepdim=True) * whole, kept)
    assert 20 < int(kept.any(dim=2).sum()) < 80


@pytest.mark.parametrize(
    ("system", "in_encoder", "in_decoder"),
    [
        # Encoder: before and after the second layer, on the states. Decoder: on query and context, before and after the second
        # layer, on the readout.
        ("gru", 3, 5),
        ("no norm", 2, 4),  # without residual connections there is nothing after a layer
        ("gru, input feeding", 3, 5 * 7),
        ("gru, previous state", 3, 2 * 7 + 7 + 1),  # the state before is asked with as it is
    ],
)
def test_dropout_is_where_the_docstrings_say(system: str, in_encoder: int, in_decoder: int) -> None:
    model, batch, calls = network(SYSTEMS[system]).train(), collate(SOURCES, TARGETS), []
    assert model.encoder.dropout is model.decoder.dropout
    model.encoder.dropout.register_forward_hook(lambda *_: calls.append(1))
    memory = model.encode(batch.source, batch.source_mask)
    assert len(calls) == in_encoder
    model.decoder(batch.target_in, model.start(memory, width=1), memory)
    assert len(calls) == in_encoder + in_decoder


def test_one_sentence_of_one_token_learns_in_bf16(model: Seq2Seq) -> None:
    """The smallest batch there is, and the gradient under autocast."""
    model.train()
    batch = collate([[5]], [[]])
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.source, batch.source_mask, batch.target_in)
    logits.float().square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("wiring", [Wiring.first_layer, Wiring.input_feeding])
def test_gradients_in_bf16_are_those_in_fp32(wiring: Wiring) -> None:
    """Of a batch as large as the recipe's: what bf16 loses in adding up shows in thousands of tokens."""
    sizes = {"embedding_size": 32, "hidden_size": 32, "encoder_hidden_size": 16}
    model = network(variant(**sizes, wiring=wiring, readout=Readout.layer_norm, **NO_DROPOUT)).train()
    # targets that the source tells, so that there is something to learn
    sources = [[4 + (row * position) % 15 for position in range(24)] for row in range(1, 101)]
    batch = collate(sources, [[piece + 1 for piece in source] for source in sources])

    def gradients(in_bf16: bool) -> dict[str, torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
            logits = model(batch.source, batch.source_mask, batch.target_in)
        functional.cross_entropy(logits.float().flatten(0, 1)[batch.positions], batch.labels).backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}

    exact = gradients(in_bf16=False)
    for name, gradient in gradients(in_bf16=True).items():
        assert functional.cosine_similarity(gradient.flatten(), exact[name].flatten(), dim=0) > 0.99, name
        assert 0.95 < gradient.norm() / exact[name].norm() < 1.05, name


def test_tokens_may_come_several_at_a_time(model: Seq2Seq) -> None:
    batch = collate(SOURCES, TARGETS)
    whole = model(batch.source, batch.source_mask, batch.target_in)
    memory = model.encode(batch.source, batch.source_mask)
    state, parts = model.start(memory, width=1), []
    for tokens in batch.target_in.split([2, 3, 2], dim=1):
        features, state, _ = model.decoder(tokens, state, memory)
        parts.append(model.output(features))
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("other", [{"attention": AttentionKind.none}, {"architecture": Architecture.transformer}])
def test_without_recurrence_or_attention_there_are_no_lexical_values(other: dict[str, object]) -> None:
    assert network(variant(lexical_values=True, **other)).state_dict().keys() == network(variant(**other)).state_dict().keys()


@pytest.mark.parametrize("kind", [kind for kind in AttentionKind if kind is not AttentionKind.none])
def test_lexical_values_add_a_projection_of_each_words_embedding(kind: AttentionKind) -> None:
    model = network(variant(attention=kind, lexical_values=True))
    batch = collate(SOURCES, TARGETS)
    with_words = model.encode(batch.source, batch.source_mask)
    projection = model.decoder.lexical
    model.decoder.lexical = None
    without = model.encode(batch.source, batch.source_mask)
    embedded = model.encoder.embedding.matrix.weight[batch.source]
    torch.testing.assert_close(with_words.values, without.values + embedded @ projection.weight.T)
    torch.testing.assert_close(with_words.keys, without.keys)
    torch.testing.assert_close(with_words.initial, without.initial)


@pytest.mark.parametrize("other", [NONE, {"architecture": Architecture.transformer}, {**NONE, "wiring": Wiring.state_only}])
def test_without_recurrence_or_attention_there_is_no_context_gate(other: dict[str, object]) -> None:
    gated, plain = (network(variant(context_gate=gate, **{**HAND_OVER, **ONE_WAY, **other})) for gate in (True, False))
    assert gated.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("wiring", GATED)
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_context_gate_shares_the_readout_out_between_context_and_target(wiring: Wiring, share: float) -> None:
    gated, plain = (network(variant(context_gate=gate, wiring=wiring)) for gate in (True, False))
    replaced = ("decoder.readout", "decoder.gate")
    others = {name: weight for name, weight in gated.state_dict().items() if not name.startswith(replaced)}
    plain.load_state_dict({**plain.state_dict(), **others})
    readout, gate, hidden = gated.decoder.readout, gated.decoder.gate, gated.decoder.layers[-1].hidden_size
    with torch.no_grad():
        gate.share.weight.zero_()
        gate.share.bias.fill_(torch.logit(torch.tensor(share)))
        of_state, of_word = (1 - share) * readout.weight[:, :hidden], (1 - share) * readout.weight[:, hidden:]
        plain.decoder.readout.weight.copy_(torch.cat([of_state, share * gate.source.weight, of_word], dim=1))
        plain.decoder.readout.bias.copy_((1 - share) * readout.bias)
    batch = collate(SOURCES, TARGETS)
    arguments = batch.source, batch.source_mask, batch.target_in
    torch.testing.assert_close(gated.features(*arguments), plain.features(*arguments))


@pytest.mark.parametrize("wiring", [Wiring.first_layer, Wiring.previous_state, Wiring.input_feeding])
def test_a_scale_of_the_embeddings_is_one_of_what_is_read_and_not_of_the_output(wiring: Wiring) -> None:
    scaled, plain = (network(variant(embedding_scale=scale, lexical_values=True, wiring=wiring)) for scale in (4.0, 1.0))
    batch = collate(SOURCES, TARGETS)
    arguments = batch.source, batch.source_mask, batch.target_in
    expected = scaled.features(*arguments)
    assert not torch.allclose(plain.features(*arguments), expected, atol=1e-3)
    with torch.no_grad():
        plain.encoder.embedding.matrix.weight *= 4  # the decoder's and the output's too, as all are tied
    torch.testing.assert_close(plain.features(*arguments), expected)
    torch.testing.assert_close(plain.output(expected), 4 * scaled.output(expected))


def test_a_transformer_reads_its_embeddings_at_the_root_of_their_size_among_sinusoids() -> None:
    model = network(variant(architecture=Architecture.transformer, embedding_scale=3.0))
    tokens = torch.tensor([[5, 7, 9, 7]])
    embedded = model.decoder.positions.embedding.matrix.weight[tokens] * 8**0.5
    places, rates = torch.arange(2, 6.0), torch.tensor([1, 10, 100, 1000.0])
    angles = places[:, None] / rates  # position / 10000^(2i / 8)
    placed, plain = model.decoder.positions(tokens, first=2)
    torch.testing.assert_close(plain, embedded)
    torch.testing.assert_close(placed, embedded + torch.cat([angles.sin(), angles.cos()], dim=1))


def test_transformer_decoder_layer_is_pytorchs() -> None:
    torch.manual_seed(1)
    own = TransformerDecoderLayer(8, 2, 12, Dropout(0.0)).eval()
    its = nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, norm_first=True).eval()
    query, cross = own.source_query, own.source_attention
    names = {
        "self_attn.in_proj": own.self_attention,
        "self_attn.out_proj.": own.self_output,
        "multihead_attn.out_proj.": own.source_output,
        "linear1.": own.feedforward[0],
        "linear2.": own.feedforward[3],
        **{f"norm{i + 1}.": norm for i, norm in enumerate(own.norms)},
    }
    weights = {
        f"{name}{'' if name.endswith('.') else '_'}{key}": value
        for name, module in names.items()
        for key, value in module.state_dict().items()
    }
    for key in ("weight", "bias"):
        weights[f"multihead_attn.in_proj_{key}"] = torch.cat([query.state_dict()[key], cross.state_dict()[key]])
    its.load_state_dict(weights)
    target, memory, mask = torch.randn(2, 5, 8), torch.randn(2, 4, 8), torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    nothing = torch.zeros(2, 0, 8)
    found, _, _ = own(target, (nothing, nothing), tuple(cross(memory).chunk(2, dim=-1)), mask)
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(found, its(target, memory, tgt_mask=causal, memory_key_padding_mask=~mask))


def test_a_recurrent_state_keeps_its_size_and_a_cache_grows() -> None:
    batch = collate(SOURCES, TARGETS)

    def sizes(config: ModelConfig) -> list[int]:
        model = network(config)
        memory = model.encode(batch.source, batch.source_mask)
        state = model.start(memory, width=1)
        found = []
        for t in range(3):
            state = model.step(batch.target_in[:, t], state, memory).state
            tensors = [tensor for value in vars(state).values() for tensor in (value if type(value) is list else [value])]
            found.append(sum(tensor.numel() for tensor in tensors))
        return found

    first, *others = sizes(SYSTEMS["gru"])
    assert others == [first, first]
    first, *others = sizes(SYSTEMS["transformer"])
    assert others == [2 * first, 3 * first]


@pytest.mark.parametrize(("joint", "tie", "matrices"), [(True, True, 1), (False, True, 2), (True, False, 3), (False, False, 3)])
def test_tied_embeddings_share_one_matrix(joint: bool, tie: bool, matrices: int) -> None:
    model = network(variant(tie_embeddings=tie), joint)
    weights = (model.encoder.embedding.matrix.weight, model.decoder.embedding.matrix.weight, model.output.weight)
    assert len({weight.data_ptr() for weight in weights}) == matrices


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("hidden_size", 0, "`model.hidden_size` must be at least 1, but is 0 instead"),
        ("embedding_scale", 0.0, "`model.embedding_scale` must be a finite number above 0, but is 0.0 instead"),
        ("dropout", 1.0, "`model.dropout` must be at least 0 and below 1, but is 1.0 instead"),
        ("wiring", Wiring.summary, "`model.attention` must be none with `wiring=summary`, but is multihead instead"),
        ("word_dropout", -0.1, "`model.word_dropout` must be at least 0 and below 1, but is -0.1 instead"),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: object, message: str) -> None:
    with pytest.raises(UserError) as error:
        ModelConfig(**{setting: value})  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"bridge": BridgeKind.hand_over, "decoder_layers": 3},
            "`model.decoder_layers` must be the encoder's (2) with `bridge=hand_over`, but is 3 instead",
        ),
        (
            {"bridge": BridgeKind.hand_over, "direction": Direction.forwards, "encoder_hidden_size": 128},
            "`model.hidden_size` must be the encoder's (128) with `bridge=hand_over`, but is 256 instead",
        ),
        (
            {"wiring": Wiring.state_only, "attention": AttentionKind.none},
            "`model.bridge` must be hand_over with `wiring=state_only`, but is summary instead",
        ),
        (
            {"readout_size": 512},
            "`model.readout_size` must be `embedding_size` (256) with tied embeddings and in a Transformer, but is 512 instead",
        ),
        (
            {"hidden_size": 255},
            "`model.hidden_size` must be even, as two directions share it, but is 255 instead",
        ),
        (
            {"attention_heads": 3},
            "`model.attention_heads` must divide `hidden_size` (256), but is 3 instead",
        ),
        (
            {"attention": AttentionKind.dot, "hidden_size": 64, "encoder_hidden_size": 64},
            "`model.hidden_size` must be the size of the encoder's states (128) with dot attention, but is 64 instead",
        ),
        (
            {"architecture": Architecture.transformer, "embedding_size": 100},
            "`model.embedding_size` must be a multiple of 2 × `attention_heads` (8) in a Transformer, but is 100 instead",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        ModelConfig(**settings)  # type: ignore[arg-type]
    assert str(error.value) == message
