"""One line out for each line in, in order, whatever is in it, however it is batched."""

import json
import math
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nmt.errors import UserError
from nmt.model_directory import save_model_directory
from nmt.models.config import AttentionKind, ModelConfig
from nmt.models.seq2seq import Seq2Seq, build
from nmt.models.torch_model import TorchModel, resolve_device
from nmt.search import MBR, Beam, Greedy, Hypothesis, Model, Sampling, SearchStrategy
from nmt.search.base import Decode, as_found, best_of
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.tokenizer import EOS, UNK, Normalization, TokenizerConfig, TokenizerPair, train_tokenizers
from nmt.translator import Translation, Translator

LINES = [
    "A man rides a bike. Is he late?",
    "The woman on the red bike is late!",
    "He sees the other man, and the ball. So it goes.",
    "Two dogs run.",
    "On the street there are several men who wait for the bus and talk of the weather. 猫です。犬です。",
]
CONFIG = ModelConfig(embedding_size=16, hidden_size=16, encoder_hidden_size=8, attention_heads=2, dropout=0.5)
GREEDY = Greedy(max_length_ratio=0.5, max_length_offset=5)


def tokenizer_pair(normalization: Normalization = Normalization.nfkc, byte_fallback: bool = True) -> TokenizerPair:
    size = 316 if byte_fallback else 60
    config = TokenizerConfig(vocab_size=size, normalization=normalization, byte_fallback=byte_fallback)
    return train_tokenizers(LINES, [], config)


TOKENIZERS = tokenizer_pair()


def configuration(attention: AttentionKind) -> ModelConfig:
    return replace(CONFIG, attention=attention)


def network(config: ModelConfig = CONFIG) -> Seq2Seq:
    """A random network whose probabilities are far from even, so that rounding decides nothing."""
    torch.manual_seed(5)
    model = build(config, len(TOKENIZERS.source), len(TOKENIZERS.target), True).eval()
    with torch.no_grad():
        model.output.weight *= 8
        model.output.bias[EOS] += 1
    return model


@dataclass
class Copy(SearchStrategy):
    """A search that copies the source, and remembers what it was asked for."""

    batches: list[list[str]] = field(default_factory=list)
    prefixes: list[list[str]] = field(default_factory=list)

    def check(self) -> None:
        pass

    def __call__(
        self,
        model: Model[Any, Any],
        source: np.ndarray,
        source_mask: np.ndarray,
        *,
        constraints: Constraints = UNCONSTRAINED,
        with_attention: bool = False,
        history: Any = None,
    ) -> list[list[Hypothesis]]:
        rows = [row[mask].tolist() for row, mask in zip(source, source_mask, strict=True)]
        assert all(row[-1] == EOS for row in rows)
        self.batches.append(TOKENIZERS.source.decode(rows))
        self.prefixes.append(TOKENIZERS.target.decode(constraints.prefixes))
        return [
            [Hypothesis(row[:-1], -1.0 - rank, -0.5 - rank, np.eye(len(row)) if with_attention else None)] * self.n_best
            for rank, row in enumerate(rows)
        ]

    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        return as_found(hypotheses)


def copying(max_source_length: int = 256) -> tuple[Translator, Copy]:
    search = Copy()
    return Translator(TorchModel(network()), TOKENIZERS, search, max_source_length=max_source_length), search


def texts(translations: list[Translation]) -> list[str]:
    return [str(translation) for translation in translations]


@pytest.mark.parametrize("search", [GREEDY, Beam(0.5, 5, n_best=2, beam_size=3), Sampling(0.5, 5, seed=3)])
@pytest.mark.parametrize("attention", list(AttentionKind))
def test_a_batch_is_translated_as_its_sentences_are_one_by_one(search: SearchStrategy, attention: AttentionKind) -> None:
    translator = Translator(TorchModel(network(configuration(attention))), TOKENIZERS, search)
    lines = [*LINES, "", *reversed(LINES), "bus"]
    together = translator.translate(lines, batch_size=4)
    alone = [translator.translate([line])[0] for line in lines]
    assert [translation.source for translation in together] == lines
    for one, other in zip(together, alone, strict=True):
        assert one.text == other.text
        assert one.source_pieces == other.source_pieces
        assert len(one.hypotheses) == len(other.hypotheses)
        for a, b in zip(one.hypotheses, other.hypotheses, strict=True):
            assert (a.text, a.pieces, a.finished) == (b.text, b.pieces, b.finished)
            assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)
            assert a.score == pytest.approx(b.score, abs=1e-4)
    assert len(set(texts(together))) > 3


def test_order_is_kept_and_batches_are_of_like_length() -> None:
    translator, search = copying()
    lines = ["man " * length + "bike" for length in (3, 30, 1, 12, 7, 0, 25, 2)]
    assert texts(translator.translate(lines, batch_size=3)) == lines
    lengths = [[len(text.split()) - 1 for text in batch] for batch in search.batches]
    assert lengths == [[30, 25, 12], [7, 3, 2], [1, 0]]


@pytest.mark.parametrize(
    "blank", ["", " ", "\t  ", "\u3000", "\n", "\u2028", "\u00a0", "\x0c", "\u200b", " \u200b", "\ufeff \u00ad", "\x00\x7f"]
)
def test_a_blank_line_gives_a_blank_line_without_the_model(blank: str) -> None:
    translator, search = copying()
    assert translator.translate([blank]) == [Translation(blank)]
    assert str(Translation(blank)) == ""
    assert search.batches == []
    assert texts(translator.translate(["bus", blank, "man"])) == ["bus", "", "man"]


def test_nothing_in_gives_nothing_out() -> None:
    assert copying()[0].translate([]) == []


STRANGE = [
    "x" * 10_000,
    "The man. " * 1_111,
    "🙂👩‍👩‍👧🏳️‍🌈" * 3,
    "\x01\x07\x1b[31mred\x7f",
    "a\nb\r\nc\u2028d\u0085e\x0cf\x0bg",
    "ᚠᛇᚻ ⵣ ꙮ 𓀀 ไทย العربية",
    "\ud800 lone",
    "</s> <s> <unk> <pad> <0x0A> ▁ ⁇",
    "\u202ereversed\u0301\u0301\u0301",
]


@pytest.mark.parametrize("normalization", list(Normalization))
@pytest.mark.parametrize("byte_fallback", [True, False])
def test_any_text_gives_one_line(normalization: Normalization, byte_fallback: bool) -> None:
    tokenizers = tokenizer_pair(normalization, byte_fallback)
    torch.manual_seed(5)
    model = build(CONFIG, len(tokenizers.source), len(tokenizers.target), True)
    found = Translator(TorchModel(model), tokenizers, GREEDY).translate(STRANGE)
    assert len(found) == len(STRANGE)
    for translation in found:
        assert "\n" not in translation.text and "\r" not in translation.text
        translation.text.encode()


def test_line_breaks_that_a_model_writes_become_spaces() -> None:
    @dataclass
    class BreakLines(Copy):
        def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
            pieces = ["a", "<0x0A>", "<0x0D>", "b"]
            return [[Hypothesis([vocabulary.index(piece) for piece in pieces], -1.0, -1.0)]]

    vocabulary = TOKENIZERS.target.pieces(range(len(TOKENIZERS.target)))
    assert texts(Translator(TorchModel(network()), TOKENIZERS, BreakLines()).translate(["man"])) == ["a  b"]


@pytest.mark.parametrize("line", [" ".join(LINES * 8), "x" * 500, "🙂" * 200, "man" * 200, "猫です。" * 90])
@pytest.mark.parametrize("limit", [8, 13, 50])
def test_a_long_source_is_translated_in_chunks_and_nothing_is_lost(line: str, limit: int) -> None:
    translator, search = copying(max_source_length=limit)
    (translation,) = translator.translate([line])
    assert translation.text.replace(" ", "") == line.replace(" ", "")
    chunks = [text for batch in search.batches for text in batch]
    assert len(chunks) > 1
    assert max(len(ids) for ids in TOKENIZERS.source.encode(chunks)) <= limit + 1  # + 1: a word mark of its own
    assert translation.source_pieces == translation.hypotheses[0].pieces
    assert translation.source_pieces.count("</s>") == len(chunks)


def test_the_translations_of_chunks_are_joined_by_spaces_and_their_scores_add_up() -> None:
    translator, _ = copying(max_source_length=8)
    (translation,) = translator.translate(["Two dogs run. " * 9], batch_size=1)
    chunks = translation.source_pieces.count("</s>")
    assert chunks > 2
    assert translation.text == " ".join(["Two dogs run."] * 9)
    assert translation.hypotheses[0].log_prob == -1.0 * chunks
    assert translation.hypotheses[0].score == -0.5 * chunks


def test_the_score_of_chunks_is_what_the_search_makes_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    translator, search = copying(max_source_length=8)
    monkeypatch.setattr(search, "score_of_whole", max, raising=False)
    (translation,) = translator.translate(["Two dogs run. " * 9], batch_size=1)
    assert translation.hypotheses[0].score == -0.5
    assert (Beam().score_of_whole([40.0, 60.0]), MBR().score_of_whole([40.0, 60.0])) == (100.0, 50.0)


def test_a_translation_is_finished_if_those_of_all_its_chunks_are() -> None:
    @dataclass
    class CutTheLongest(Copy):
        def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
            found = super().__call__(*arguments)
            found[0][0].finished = False
            return found

    translator = Translator(TorchModel(network()), TOKENIZERS, CutTheLongest(), max_source_length=8)
    (translation,) = translator.translate(["man man man man man man. man man man"])
    assert not translation.hypotheses[0].finished
    assert (translation.source_pieces.count("</s>"), translation.hypotheses[0].pieces.count("</s>")) == (2, 1)


def test_of_a_source_in_chunks_the_second_best_is_that_of_every_chunk_that_has_one() -> None:
    @dataclass
    class TwoOfTheLongest(Copy):
        def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
            (longest, *others) = super().__call__(*arguments)
            return [[*longest, Hypothesis(longest[0].tokens[:2], -9.0, -9.0)], *others]

    translator = Translator(TorchModel(network()), TOKENIZERS, TwoOfTheLongest(), max_source_length=8)
    (translation,) = translator.translate(["man man man man man man. man man man"])
    assert [hypothesis.text for hypothesis in translation.hypotheses] == [translation.source, "man man man man man"]


@pytest.mark.parametrize(
    ("line", "chunks"),
    [
        (
            "man man man man man. man man man",
            ["man man man man man.", "man man man"],
        ),  # not just at the end of a word
        (
            "man man. man man man man man man",
            ["man man. man man man man man", "man"],
        ),  # but not in the first half
        (
            "man man man man. man. man man man",
            ["man man man man. man.", "man man man"],
        ),  # the last end of a sentence
        (
            "man man man man man man man man man",
            ["man man man man man man man man", "man"],
        ),  # between words, late
        (
            "man man man man, man man man man",
            ["man man man man, man man man", "man"],
        ),  # a comma ends no sentence
        (
            "man man man man man 3.3.3.3",
            ["man man man man man", "3.3.3.3"],
        ),  # nor does a full stop within a word
        ("猫。犬。猫犬猫犬猫犬", ["猫。犬。", "猫犬猫犬猫犬"]),  # a Japanese one needs no space after it
    ],
)
def test_chunks_end_where_sentences_or_else_words_do(line: str, chunks: list[str]) -> None:
    translator, search = copying(max_source_length=8)
    translator.translate([line], batch_size=1)
    assert sorted(text for batch in search.batches for text in batch) == sorted(chunks)


@pytest.mark.parametrize("limit", [8, 9, 10, 11])
def test_a_character_of_several_bytes_is_never_cut(limit: int) -> None:
    translator, search = copying(max_source_length=limit)
    translator.translate(["🙂" * 20])
    assert "\ufffd" not in "".join(text for batch in search.batches for text in batch)


@pytest.mark.parametrize("search", [Beam(beam_size=3, n_best=3), GREEDY, Sampling(n_best=2)])
def test_attention_has_a_row_for_each_target_piece_and_a_column_for_each_source_piece(
    search: SearchStrategy,
) -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, search, max_source_length=20)
    found = translator.translate([*LINES, ""], with_attention=True)
    assert len(found[-1].hypotheses) == 0
    lengths = set()
    for translation in found[:-1]:
        for hypothesis in translation.hypotheses:
            assert hypothesis.attention is not None
            assert hypothesis.attention.shape == (len(hypothesis.pieces), len(translation.source_pieces))
            assert hypothesis.attention.sum(axis=1) == pytest.approx(np.ones(len(hypothesis.pieces)), abs=1e-5)
            lengths.add(translation.source_pieces.count("</s>"))
    assert lengths > {1}


def test_attention_does_not_cross_chunks() -> None:
    short = Greedy(max_length_ratio=0, max_length_offset=2)
    translator = Translator(TorchModel(network()), TOKENIZERS, short, max_source_length=8)
    (translation,) = translator.translate(["man man man man man man. man man"], with_attention=True)
    attention = translation.hypotheses[0].attention
    assert attention is not None
    columns = translation.source_pieces.index("</s>") + 1
    rows = [int((row[:columns] > 0).any()) for row in attention]
    assert rows == sorted(rows, reverse=True) and set(rows) == {0, 1}
    assert (attention[: sum(rows), columns:] == 0).all()


def test_there_is_no_attention_unless_asked_for_or_without_one_in_the_model() -> None:
    line = LINES[:1]
    assert Translator(TorchModel(network()), TOKENIZERS, GREEDY).translate(line)[0].hypotheses[0].attention is None
    without = Translator(TorchModel(network(configuration(AttentionKind.none))), TOKENIZERS, GREEDY)
    assert without.translate(line, with_attention=True)[0].hypotheses[0].attention is None


def test_the_end_mark_is_a_piece_of_finished_hypotheses_only() -> None:
    cut = Greedy(max_length_ratio=0.0, max_length_offset=2)
    found = Translator(TorchModel(network()), TOKENIZERS, cut).translate(LINES, with_attention=True)
    kinds = {hypothesis.finished for translation in found for hypothesis in translation.hypotheses}
    assert False in kinds
    for translation in found:
        for hypothesis in translation.hypotheses:
            assert (hypothesis.pieces[-1] == "</s>") == hypothesis.finished
            assert hypothesis.attention is not None and len(hypothesis.attention) == len(hypothesis.pieces)


def test_the_search_of_a_call_takes_the_place_of_the_models_own() -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, Beam(beam_size=4, n_best=3))
    (translation,) = translator.translate(LINES[:1])
    assert len(translation.hypotheses) == 3
    assert translation.text == translation.hypotheses[0].text
    scores = [hypothesis.score for hypothesis in translation.hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
    assert len(translator.translate(LINES[:1], search=GREEDY)[0].hypotheses) == 1


def test_translating_amid_training_is_without_dropout_and_leaves_the_model_training() -> None:
    model = network()
    translator = Translator(TorchModel(model), TOKENIZERS, GREEDY)
    expected = translator.translate(LINES)
    assert not model.training
    model.train()
    assert translator.translate(LINES) == expected
    assert model.training and model.encoder.training
    failing = Translator(TorchModel(model), TOKENIZERS, Failing())
    with pytest.raises(ZeroDivisionError):
        failing.translate(LINES)
    assert model.training


@dataclass
class Failing(Copy):
    def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
        raise ZeroDivisionError


def test_translating_amid_autocast_is_in_fp32() -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, GREEDY)
    expected = translator.translate(LINES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert translator.translate(LINES) == expected


def test_translating_keeps_no_gradient() -> None:
    model = network()
    Translator(TorchModel(model), TOKENIZERS, GREEDY).translate(LINES, with_attention=True)
    loss = model(torch.tensor([[5, EOS]]), torch.tensor([[True, True]]), torch.tensor([[1, 6]])).sum()
    loss.backward()  # and the next training step is not disturbed
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_from_pretrained_translates_as_the_model_that_was_saved(tmp_path: Path) -> None:
    model, search = network(), Beam(beam_size=2, length_penalty=0.3)
    limit = {"max_source_length": 200}
    save_model_directory(tmp_path / "m", CONFIG, model, TOKENIZERS, search, languages=("en", "xx"), card="", **limit)
    translator = Translator.from_pretrained(tmp_path / "m", device="cpu")
    assert translator.search == search
    assert translator.max_source_length == 200
    assert translator.device == torch.device("cpu")
    assert translator.translate(LINES) == Translator(TorchModel(model), TOKENIZERS, search).translate(LINES)
    assert Translator.from_pretrained(str(tmp_path / "m")).translate([""]) == [Translation("")]


def test_results_are_plain_enough_for_json() -> None:
    (translation,) = Translator(TorchModel(network()), TOKENIZERS, GREEDY).translate(LINES[:1])
    (hypothesis,) = translation.hypotheses
    assert json.loads(json.dumps([hypothesis.text, hypothesis.log_prob, hypothesis.pieces]))[1] == hypothesis.log_prob
    assert math.isfinite(hypothesis.score)


def test_the_device() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("tpu", "meta", "gpu", "", "cpu:x"):
        with pytest.raises(UserError, match=f"`device` must be auto, cpu or cuda, but is {name} instead"):
            resolve_device(name)
    with pytest.raises(UserError, match=r"`device` is cuda:99, but this PyTorch \(.*\) finds \d+ CUDA devices"):
        resolve_device("cuda:99")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda_is_an_error() -> None:
    with pytest.raises(UserError, match=r"`device` is cuda, but this PyTorch \(.*\) finds 0 CUDA devices"):
        resolve_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_translates_as_the_cpu_does() -> None:
    expected = Translator(TorchModel(network()), TOKENIZERS, GREEDY).translate(LINES, with_attention=True)
    found = Translator(TorchModel(network().cuda(), "cuda"), TOKENIZERS, GREEDY).translate(LINES, with_attention=True)
    assert texts(found) == texts(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.hypotheses[0].log_prob == pytest.approx(other.hypotheses[0].log_prob, abs=1e-3)
        assert one.hypotheses[0].attention is not None and other.hypotheses[0].attention is not None
        np.testing.assert_allclose(one.hypotheses[0].attention, other.hypotheses[0].attention, atol=1e-3)


def test_mistakes_are_told_in_one_sentence() -> None:
    translator, _ = copying()
    with pytest.raises(UserError, match=r"`texts` must be a list of strings, but is one string instead"):
        translator.translate("A man")
    with pytest.raises(UserError, match="`batch_size` must be at least 1, but is 0 instead"):
        translator.translate(["A man"], batch_size=0)
    with pytest.raises(UserError, match="`max_source_length` must be at least 8, but is 7 instead"):
        copying(max_source_length=7)


@pytest.mark.parametrize("search", [GREEDY, Beam(0.5, 5, n_best=3, beam_size=3), Sampling(0.5, 5, n_best=2)])
def test_a_translation_begins_with_its_prefix(search: SearchStrategy) -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, search)
    prefixes = ["The man on the bike", "", "猫です。犬", "  ", "So it goes. " * 20]
    found = translator.translate(LINES, prefixes=prefixes, batch_size=2)
    for translation, prefix, ids in zip(found, prefixes, TOKENIZERS.target.encode(prefixes), strict=True):
        for hypothesis in translation.hypotheses:
            assert hypothesis.text.startswith(prefix.strip())
            assert hypothesis.pieces[: len(ids)] == TOKENIZERS.target.pieces(ids)
            assert len(hypothesis.pieces) > len(ids)
    assert translator.translate(LINES, prefixes=[""] * len(LINES)) == translator.translate(LINES)


def test_a_prefix_begins_the_first_chunk_only_and_no_blank_text() -> None:
    translator, search = copying(max_source_length=8)
    lines = ["Two dogs run. " * 3, " ", "bus"]
    translations = translator.translate(lines, prefixes=["The man", "The bus", "Is he"], batch_size=1)
    begun = dict(zip(chain(*search.batches), chain(*search.prefixes), strict=True))
    assert texts(translations) == ["Two dogs run. Two dogs run. Two dogs run.", "", "bus"]
    assert begun["bus"] == "Is he"
    assert len(begun) > 2 and sorted(filter(None, chain(*search.prefixes))) == ["Is he", "The man"]


@pytest.mark.parametrize(
    ("prefixes", "found"), [(["a"], "1"), ([], "0"), ("ab", "one string"), (["a", "b", "c"], "3")]
)
def test_there_must_be_as_many_prefixes_as_texts(prefixes: Any, found: str) -> None:
    message = f"`prefixes` must be a list of one string for each of the 2 texts, but is {found} instead"
    with pytest.raises(UserError, match=message):
        copying()[0].translate(["bus", "man"], prefixes=prefixes)


@pytest.mark.parametrize("search", [GREEDY, Beam(0.5, 5, n_best=3, beam_size=3), Sampling(0.5, 5, n_best=2)])
def test_forbidden_pieces_never_come(search: SearchStrategy) -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, search)
    written = {piece for one in translator.translate(LINES) for h in one.hypotheses for piece in h.pieces} - {"</s>"}
    forbidden = sorted(written)[::2]
    found = translator.translate(LINES, search=replace(search, forbidden_pieces=forbidden))
    assert written & set(forbidden)
    assert not {piece for one in found for h in one.hypotheses for piece in h.pieces} & set(forbidden)


def test_a_forbidden_piece_that_does_not_exist_is_told() -> None:
    message = "`forbidden_pieces` must be pieces of the target's vocabulary, but `{}` is none{}"
    for piece, hint in (("bike", "; did you mean `▁bike`?"), ("zebra", ""), ("", "; did you mean `▁`?"), ("\ud800", "")):
        search = replace(GREEDY, forbidden_pieces=["<unk>", piece])
        with pytest.raises(UserError) as told:
            Translator(TorchModel(network()), TOKENIZERS, search)
        assert str(told.value) == message.format(piece, hint)
        with pytest.raises(UserError):
            copying()[0].translate(["bus"], search=search)


@dataclass
class Fixed(Copy):
    """Writes the same pieces whatever it reads, and has no end; attention row t looks at source position 0 with weight t."""

    written: list[str] = field(default_factory=list)

    def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
        vocabulary = TOKENIZERS.target.pieces(range(len(TOKENIZERS.target)))
        tokens = [vocabulary.index(piece) for piece in self.written]
        attention = np.arange(len(tokens), dtype=np.float32)[:, None] * np.ones((1, arguments[1].shape[1]), dtype=np.float32)
        return [[Hypothesis(tokens, -5.0, -4.0, attention, finished=False)] for _ in arguments[1]]


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (["▁", "b"] * 3, ["▁", "b"]),
        (["▁", "a", *["▁", "b"] * 3, "▁"], ["▁", "a", "▁", "b"]),
        (["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"] * 3, ["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"]),
        # The loop, as tokens, begins with the last byte of the character before it: no character is cut in two.
        (
            ["<0xF0>", "<0x9F>", "<0x99>", "<0x80>", *["<0xF0>", "<0x9F>", "<0x98>", "<0x80>"] * 3],
            ["<0xF0>", "<0x9F>", "<0x99>", "<0x80>", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"],
        ),
    ],
)
def test_a_loop_is_cut_after_its_first_round_and_told(written: list[str], left: list[str]) -> None:
    translator = Translator(TorchModel(network()), TOKENIZERS, Fixed(written=written))
    (translation,) = translator.translate(["bus"], with_attention=True)
    (hypothesis,) = translation.hypotheses
    assert hypothesis.pieces == left
    assert hypothesis.text == TOKENIZERS.target.decode([[TOKENIZERS.target.id_of(piece) or 0 for piece in left]])[0]
    assert translation.repeating and hypothesis.repeating and not hypothesis.finished
    assert (hypothesis.log_prob, hypothesis.score) == (-5.0, -4.0)
    assert hypothesis.attention is not None
    assert hypothesis.attention[:, 0].tolist() == list(range(len(left)))


def test_a_loop_is_not_cut_within_the_prefix_nor_an_output_that_does_not_loop() -> None:
    written = ["▁", "b"] * 6
    translator = Translator(TorchModel(network()), TOKENIZERS, Fixed(written=written))
    (translation,) = translator.translate(["bus"], prefixes=["b b b"])
    assert translation.hypotheses[0].pieces == written[: len(TOKENIZERS.target.encode(["b b b"])[0])]
    translator = Translator(TorchModel(network()), TOKENIZERS, Fixed(written=written[:5]))
    (translation,) = translator.translate(["bus"])
    assert not translation.repeating
    assert translation.hypotheses[0].pieces == written[:5]


def test_a_source_in_chunks_repeats_itself_if_a_chunk_does() -> None:
    @dataclass
    class LoopTheLongest(Copy):
        def __call__(self, *arguments: Any, **settings: Any) -> list[list[Hypothesis]]:
            found = super().__call__(*arguments)
            found[0] = [Hypothesis(found[0][0].tokens[:1] * 9, -1.0, -1.0, finished=False)]
            return found

    translator = Translator(TorchModel(network()), TOKENIZERS, LoopTheLongest(), max_source_length=8)
    (translation,) = translator.translate(["man man man man man man. man man man"])
    assert translation.repeating
    assert translation.hypotheses[0].pieces.count("</s>") == 1


@pytest.mark.parametrize("by", ["sampling", "beam"])
def test_minimum_bayes_risk_goes_by_the_texts(by: Any) -> None:
    search = MBR(0.5, 5, candidates=8, candidates_by=by, n_best=2)
    translator = Translator(TorchModel(network()), TOKENIZERS, search)
    for line, translation in zip(LINES, translator.translate(LINES), strict=True):
        proposing: Any = Sampling(0.5, 5, n_best=8) if by == "sampling" else Beam(0.5, 5, beam_size=8, n_best=8)
        candidates = translator.translate([line], search=proposing)[0].hypotheses
        assert {one.text for one in translation.hypotheses} <= {one.text for one in candidates}
        scores = [one.score for one in translation.hypotheses]
        assert scores == sorted(scores, reverse=True) and 0 <= scores[-1] <= scores[0] <= 100
        inspection = translator.inspect(line)
        ends = {node.rank: node.log_prob for node in inspection.tree if node.rank is not None}
        assert [ends[rank] for rank in range(len(ends))] == [one.log_prob for one in inspection.hypotheses]


def saved(
    path: Path, model: Seq2Seq, pair: TokenizerPair = TOKENIZERS, languages: tuple[str, str] = ("en", "xx"), limit: int = 100
) -> Path:
    search = Beam(beam_size=3, max_length_ratio=0.5, max_length_offset=5)
    save_model_directory(path, CONFIG, model, pair, search, languages=languages, card="", max_source_length=limit)
    return path


def other_network(pair: TokenizerPair = TOKENIZERS) -> Seq2Seq:
    torch.manual_seed(6)
    model = build(CONFIG, len(pair.source), len(pair.target), True).eval()
    with torch.no_grad():
        model.output.weight *= 8
    return model


def test_several_models_translate_as_one(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "a", network()), saved(tmp_path / "b", other_network())
    expected = Translator.from_pretrained(one, "cpu").translate(LINES)
    for ensemble in ([one], [one, str(one), one]):
        found = Translator.from_pretrained(ensemble, "cpu").translate(LINES)
        assert texts(found) == texts(expected)
        assert [f.hypotheses[0].score for f in found] == pytest.approx([e.hypotheses[0].score for e in expected], abs=1e-4)
    mixed = Translator.from_pretrained((one, other), "cpu")
    assert mixed.device == torch.device("cpu")
    assert (mixed.search.max_length_ratio, mixed.max_source_length) == (0.5, 100)
    assert texts(mixed.translate(LINES)) != texts(expected)
    alone = mixed.translate(LINES, batch_size=1, with_attention=True)
    assert texts(alone) == texts(mixed.translate(LINES))
    assert alone[0].hypotheses[0].attention is not None
    shorter = saved(tmp_path / "c", other_network(), limit=60)
    for pair in ([one, shorter], [shorter, one]):
        assert Translator.from_pretrained(pair, "cpu").max_source_length == 60
    with pytest.raises(UserError, match="only a single model can be looked into, but this is an ensemble of 2"):
        mixed.inspect(LINES[0])


def test_models_that_cannot_translate_together_are_told(tmp_path: Path) -> None:
    foreign = tokenizer_pair(Normalization.identity)
    separate = TokenizerPair(foreign.source, TOKENIZERS.target)
    one = saved(tmp_path / "one", network())
    target = saved(tmp_path / "target", other_network(), TokenizerPair(TOKENIZERS.source, foreign.target))
    source = saved(tmp_path / "source", other_network(), separate)
    back = saved(tmp_path / "back", other_network(), languages=("xx", "en"))
    ours, theirs = TOKENIZERS.target.fingerprint, foreign.target.fingerprint
    for path, message in (
        (target, f"models must all have the target tokenizer {ours}, as `{one}` has, but `{target}` has {theirs} instead"),
        (source, f"models must all have the source tokenizer {ours}, as `{one}` has, but `{source}` has {theirs} instead"),
        (back, f"models must all translate en to xx, as `{one}` does, but `{back}` translates xx to en instead"),
    ):
        with pytest.raises(UserError) as told:
            Translator.from_pretrained([one, path], "cpu")
        assert str(told.value) == message
    with pytest.raises(UserError, match="at least one model directory must be given, but there is none"):
        Translator.from_pretrained([])


@dataclass
class CopiedPositions:
    """The memory: sources [sentences, src_len]; the state: how many tokens each row [rows] has written."""

    values: np.ndarray

    def select(self, places: np.ndarray) -> "CopiedPositions":
        return CopiedPositions(self.values[places])


@dataclass
class CopyingOutput:
    wanted: np.ndarray
    state: CopiedPositions
    attention: np.ndarray | None = None

    def best(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        return best_of(self.log_prob(), count)

    def log_prob(self) -> np.ndarray:
        log_prob = np.full((len(self.wanted), len(TOKENIZERS.target)), -20.0, dtype=np.float32)
        log_prob[np.arange(len(self.wanted)), self.wanted] = -1e-3
        return log_prob


class CopyingModel:
    """Writes what it reads."""

    device = "cpu"
    network: Any = None

    def encode(self, source: np.ndarray, source_mask: np.ndarray) -> CopiedPositions:
        return CopiedPositions(source)

    def start(self, memory: CopiedPositions, width: int) -> CopiedPositions:
        return CopiedPositions(np.zeros(len(memory.values) * width, dtype=np.int64))

    def step(self, tokens: np.ndarray, state: CopiedPositions, memory: CopiedPositions) -> CopyingOutput:
        sentences = np.arange(len(tokens)) // (len(tokens) // len(memory.values))
        places = np.minimum(state.values, memory.values.shape[1] - 1)
        return CopyingOutput(memory.values[sentences, places], CopiedPositions(state.values + 1))


NEVER_SEEN = ["🙂👩‍👩‍👧🏳️‍🌈 bus", "ᚠᛇᚻ ⵣ ꙮ 𓀀", "ไทย العربية עברית", "日本語のバス", "a🙂", "ⴰⵣⵓⵍ, man!"]


@pytest.mark.parametrize("search", [Greedy(), Beam(n_best=2), Sampling(top_k=1), MBR(candidates=4)])
def test_characters_never_seen_survive_as_bytes(search: SearchStrategy) -> None:
    assert not set("".join(NEVER_SEEN)) <= set("".join(LINES))
    translator = Translator(CopyingModel(), TOKENIZERS, search)
    found = translator.translate([*NEVER_SEEN, *LINES])
    assert texts(found) == [*NEVER_SEEN, *LINES]
    assert any(piece.startswith("<0x") for piece in found[0].hypotheses[0].pieces)
    assert "<unk>" not in {piece for translation in found for piece in translation.hypotheses[0].pieces}
    assert texts(translator.translate(NEVER_SEEN, prefixes=NEVER_SEEN)) == NEVER_SEEN


@pytest.mark.parametrize("byte_fallback", [True, False])
@pytest.mark.parametrize(
    "search",
    [
        Beam(0.5, 5, beam_size=3, no_repeat_ngram=1, coverage_penalty=0.1),
        Sampling(0.5, 5, n_best=2, forbidden_pieces=["<unk>"], min_length_offset=3),
        MBR(0.5, 5, candidates=4),
    ],
)
def test_a_model_that_knows_nothing_writes_a_line_for_any_text_and_prefix(search: SearchStrategy, byte_fallback: bool) -> None:
    tokenizers = tokenizer_pair(byte_fallback=byte_fallback)
    torch.manual_seed(5)
    model = build(CONFIG, len(tokenizers.source), len(tokenizers.target), True)
    lines = [line[:300] for line in STRANGE] + NEVER_SEEN
    prefixes = [line if byte_fallback or UNK not in tokenizers.target.encode([line])[0] else "" for line in lines[::-1]]
    translator = Translator(TorchModel(model), tokenizers, search)
    found = translator.translate(lines, prefixes=prefixes)
    assert len(found) == len(lines)
    if not byte_fallback:
        with pytest.raises(UserError, match="a prefix must consist of signs that the target's vocabulary has, but `🙂` does not"):
            translator.translate(["a", "b"], prefixes=["", "🙂"])
    for translation in found:
        assert "\n" not in translation.text and "\r" not in translation.text
        translation.text.encode()
