"""Text to ids and back: nothing is lost or unknown, a seed draws the same again, errors say what fits."""

import io
import pickle
import random
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import sentencepiece

import nmt.tokenizer
from nmt.errors import UserError
from nmt.tokenizer import (
    BOS,
    EOS,
    PAD,
    UNK,
    Normalization,
    Tokenizer,
    TokenizerConfig,
    TokenizerKind,
    TokenizerPair,
    train_tokenizers,
)

_random = random.Random(0)
WORDS = ["".join(_random.choices(("ma", "ti", "ku", "sel", "or", "nim", "pa"), k=1 + i % 4)) for i in range(500)]
SOURCE = ["The cat sees " + " ".join(_random.choices(WORDS, k=6)) + "." for _ in range(350)]
TARGET = [f"Le chat a été {text[13:].upper()}" for text in SOURCE]

STRANGE = [
    "",
    "a\x00b\x01\x02\x7f\x1b[0m\ttab",
    "👩‍👩‍👧‍👦 😀🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "ქართული ᚠᚢᚦ 漢字かな",
    "a\u2028b\x85c\x0cd\u2029e",
    "<s> </s> <pad> <unk> <0x0A>",
    "\ufeff\ufffd\uffff\U0010ffff",
    "x" * 10_000,
    "漢" * 10_000,
]


def train(**settings: object) -> TokenizerPair:
    config = TokenizerConfig(**{"vocab_size": 340, **settings})  # type: ignore[arg-type]
    return train_tokenizers(SOURCE, TARGET, config)


@pytest.fixture(scope="module", params=[(kind, norm) for kind in TokenizerKind for norm in Normalization], ids=str)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    kind, normalization = request.param
    return train(kind=kind, normalization=normalization).source


def test_text_comes_back(tokenizer: Tokenizer) -> None:
    texts = [*SOURCE, *TARGET, *STRANGE]
    for text, back in zip(texts, tokenizer.decode(tokenizer.encode(texts)), strict=True):
        assert unicodedata.normalize("NFKC", back) == unicodedata.normalize("NFKC", text)


def test_no_character_is_unknown(tokenizer: Tokenizer) -> None:
    for ids in tokenizer.encode(STRANGE):
        assert all(UNK < piece < len(tokenizer) for piece in ids)


def test_identity_keeps_what_nfkc_folds() -> None:
    folded = "①ﬁ \uff21"
    for normalization, expected in ((Normalization.identity, folded), (Normalization.nfkc, "1fi A")):
        tokenizer = train(normalization=normalization).source
        assert tokenizer.decode(tokenizer.encode([folded])) == [expected]


@pytest.mark.parametrize("language, given, expected", [("ja", None, "identity"), ("fr", None, "nfkc"), ("ja", "nfkc", "nfkc")])
def test_normalization_follows_the_target_unless_it_is_given(language: str, given: str | None, expected: str) -> None:
    config = TokenizerConfig(vocab_size=340, normalization=Normalization(given) if given else None)
    assert config.into(language) == replace(config, normalization=Normalization(expected))


def test_spaces_are_folded(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["  The   cat "]) == tokenizer.encode(["The cat"])
    assert tokenizer.encode(["", "   "]) == [[], []]


def test_decoded_text_is_one_line_whatever_the_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode(["a\nb\r\nc"])) == ["a b  c"]
    generator = random.Random(0)
    ids = [[generator.randrange(len(tokenizer)) for _ in range(30)] for _ in range(300)]
    for text in tokenizer.decode(ids):
        assert "\n" not in text
        assert "\r" not in text
        text.encode("utf-8")


def test_marks_are_left_out(tokenizer: Tokenizer) -> None:
    [ids] = tokenizer.encode([SOURCE[0]])
    assert tokenizer.decode([[BOS, *ids, EOS, PAD, PAD], [], [EOS]]) == [SOURCE[0], "", ""]


def test_lone_surrogates_do_not_crash(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode(["a\ud800b"])) == ["a?b"]
    assert tokenizer.sample(["a\ud800b"], 1.0, 1)


def test_one_text_is_encoded_like_many(tokenizer: Tokenizer) -> None:
    texts = [*SOURCE, *TARGET, *SOURCE]
    assert len(texts) >= 1000  # enough to be spread over threads
    assert tokenizer.encode(texts) == [tokenizer.encode([text])[0] for text in texts]


def test_pieces_are_the_text(tokenizer: Tokenizer) -> None:
    [ids] = tokenizer.encode(["The cat"])
    assert "".join(tokenizer.pieces(ids)) == "▁The▁cat"
    assert tokenizer.pieces([PAD, BOS, EOS, UNK]) == ["<pad>", "<s>", "</s>", "<unk>"]


@pytest.mark.parametrize("kind", TokenizerKind)
def test_sampling_is_drawn_by_its_seed(kind: TokenizerKind) -> None:
    tokenizer = train(kind=kind).source
    first = tokenizer.sample(SOURCE, 0.3, seed=7)
    assert tokenizer.sample(SOURCE, 0.3, seed=8) != first
    assert tokenizer.sample(SOURCE, 0.3, seed=7) == first
    assert first != tokenizer.encode(SOURCE)
    for large in (2**32 - 1, 2**40):
        assert tokenizer.sample(SOURCE, 0.3, seed=large) == tokenizer.sample(SOURCE, 0.3, seed=large)
    assert tokenizer.decode(first) == SOURCE


def test_a_seed_draws_the_same_in_every_process(tmp_path: Path) -> None:
    tokenizers = train()
    tokenizers.save(tmp_path)
    code = "import sys, pathlib, nmt.tokenizer as t; s = t.TokenizerPair.load(pathlib.Path(sys.argv[1])).source; "
    code += "print(s.sample(sys.argv[2:], 0.3, seed=7))"
    other = subprocess.run([sys.executable, "-c", code, tmp_path, *SOURCE[:9]], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == str(tokenizers.source.sample(SOURCE[:9], 0.3, seed=7))


@pytest.mark.parametrize(("kind", "calm", "wild"), [("unigram", 3.0, 0.1), ("bpe", 0.05, 0.5)])
def test_alpha_says_how_much_is_cut_up(kind: str, calm: float, wild: float) -> None:
    tokenizer = train(kind=TokenizerKind(kind)).source
    plain, few, many = (
        sum(map(len, ids))
        for ids in (
            tokenizer.encode(SOURCE),
            tokenizer.sample(SOURCE, calm, 1),
            tokenizer.sample(SOURCE, wild, 1),
        )
    )
    assert plain <= few < many


@pytest.mark.parametrize("kind", TokenizerKind)
def test_training_gives_the_same_bytes_in_every_process(kind: TokenizerKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmt.tokenizer, "_TRAINING_LINES", 300)  # fewer than there are: a sample is drawn
    here = train(kind=kind).source.fingerprint
    code = (
        "import nmt.tokenizer as t; from nmt.tokenizer import *; import sys\n"
        "t._TRAINING_LINES = 300\n"
        f"pair = train_tokenizers({SOURCE!r}, {TARGET!r}, TokenizerConfig(TokenizerKind.{kind}, 340))\n"
        "print(pair.source.fingerprint)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert there.stdout.strip() == here
    assert there.stderr == ""


def test_a_sample_covers_all_of_a_large_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmt.tokenizer, "_TRAINING_LINES", 100)
    lines = nmt.tokenizer._sample_lines(str(number) for number in range(10_000))
    assert len(set(lines)) == 100
    assert 4000 < sum(map(int, lines)) / 100 < 6000


@pytest.mark.parametrize("strange", ["x" * 9_500, "\u2585", "\u2047", "\x00", "\n", "\r", "\t", "\ufffd", chr(0xD800)])
def test_no_line_is_left_out_of_training(strange: str) -> None:
    lines = [*SOURCE, *[f"{strange} Ω"] * 3]
    tokenizer = train_tokenizers(lines, [], TokenizerConfig(vocab_size=310)).source
    assert "Ω" in "".join(tokenizer.pieces(range(len(tokenizer))))


def test_joint_is_one_model_and_separate_are_two() -> None:
    joint, separate = train(), train(joint=False, vocab_size=300)
    assert joint.joint
    assert joint.source is joint.target
    for text in ("The", "été"):  # neither side's letters have to be spelt in bytes
        assert all(not piece.startswith("<0x") for piece in joint.source.pieces(joint.source.encode([text])[0]))
    assert not separate.joint
    assert len(separate.source) == len(separate.target) == 300
    assert separate.fingerprints == (separate.source.fingerprint, separate.target.fingerprint)
    assert separate.source.pieces(range(300)) != separate.target.pieces(range(300))


@pytest.mark.parametrize(("joint", "files"), [(True, 1), (False, 2)])
def test_saved_pairs_come_back(joint: bool, files: int, tmp_path: Path) -> None:
    pair = train(joint=joint, vocab_size=300)
    pair.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == files
    loaded = TokenizerPair.load(tmp_path)
    assert loaded.fingerprints == pair.fingerprints
    assert loaded.joint == joint
    assert loaded.target.encode(TARGET) == pair.target.encode(TARGET)
    assert pickle.loads(pickle.dumps(loaded.source)).encode(SOURCE) == pair.source.encode(SOURCE)


def test_files_are_taken_instead_of_training(tmp_path: Path) -> None:
    pair = train(joint=False, vocab_size=300)
    pair.save(tmp_path)
    source, target = str(tmp_path / "source.tokenizer.model"), str(tmp_path / "target.tokenizer.model")
    taken = train_tokenizers([], [], TokenizerConfig(source_path=source, target_path=target))
    assert taken.fingerprints == pair.fingerprints
    joint = train_tokenizers([], [], TokenizerConfig(path=source))
    assert joint.fingerprints == (pair.source.fingerprint, pair.source.fingerprint)


@pytest.mark.parametrize("kind", TokenizerKind)
def test_too_large_a_vocabulary_is_told_what_fits(kind: TokenizerKind) -> None:
    with pytest.raises(UserError) as error:
        train(kind=kind, vocab_size=30_000)
    words = str(error.value).split()
    fitting = int(words[words.index("most") + 1])
    assert str(error.value) == (f"`tokenizer.vocab_size` must be at most {fitting} for this corpus, but is 30000 instead")
    assert len(train(kind=kind, vocab_size=fitting).source) == fitting


@pytest.mark.parametrize("kind", TokenizerKind)
@pytest.mark.parametrize("joint", [True, False])
def test_an_unset_size_is_what_a_small_text_gives(kind: TokenizerKind, joint: bool) -> None:
    pair = train(kind=kind, vocab_size=None, joint=joint)
    assert 261 < len(pair.source) < 8000
    assert pair.source.decode(pair.source.encode(SOURCE)) == SOURCE


@pytest.mark.parametrize("kind", TokenizerKind)
def test_an_unset_size_is_8000_for_a_large_text(kind: TokenizerKind) -> None:
    generator = random.Random(1)
    texts = [" ".join("".join(generator.choices("abcdefghij", k=7)) for _ in range(10)) for _ in range(2000)]
    assert len(train_tokenizers(texts, texts, TokenizerConfig(kind=kind)).source) == 8000


def test_separate_vocabularies_say_which_side_does_not_fit() -> None:
    with pytest.raises(UserError, match=r"^`tokenizer.vocab_size` must be at most 2\d\d for this target side, but"):
        train_tokenizers(SOURCE, ["a b", "c"], TokenizerConfig(vocab_size=300, joint=False))


def test_too_small_a_vocabulary_is_told_what_fits() -> None:
    with pytest.raises(UserError) as error:
        train(vocab_size=270)
    words = str(error.value).split()
    fitting = int(words[words.index("least") + 1])
    assert str(error.value) == (
        f"`tokenizer.vocab_size` must be at least {fitting} for the characters of this corpus "
        "(or `tokenizer.character_coverage` lower), but is 270 instead"
    )
    with pytest.raises(UserError, match="at least"):
        train(vocab_size=fitting - 1)
    assert len(train(vocab_size=fitting, kind=TokenizerKind.bpe).source) == fitting


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_an_empty_corpus_is_an_error(texts: list[str]) -> None:
    with pytest.raises(UserError, match=r"^the corpus must have text to train a tokenizer on, but is empty instead$"):
        train_tokenizers(texts, texts, TokenizerConfig())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 12}, "`tokenizer.vocab_size` must be at least 261, but is 12 instead"),
        (
            {"vocab_size": 4, "byte_fallback": False},
            "`tokenizer.vocab_size` must be at least 5, but is 4 instead",
        ),
        (
            {"character_coverage": 1.5},
            "`tokenizer.character_coverage` must be between 0.98 and 1.0, but is 1.5 instead",
        ),
        ({"source_path": "a"}, "`tokenizer.source_path` and `tokenizer.target_path` must be given together"),
        (
            {"path": "a", "source_path": "b", "target_path": "c"},
            "`tokenizer.path` must not be given with `tokenizer.source_path` and `tokenizer.target_path`",
        ),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        TokenizerConfig(**settings)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_foreign_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        Tokenizer.from_file(tmp_path / "missing.model")
    assert str(error.value) == f"tokenizer file {tmp_path}/missing.model cannot be read: No such file or directory"
    file = tmp_path / "foreign.model"
    whole = train().source.serialized
    for content in (b"hello", b"\x00" * 50, whole[: len(whole) // 2], whole[:-1]):
        file.write_bytes(content)
        with pytest.raises(UserError) as error:
            Tokenizer.from_file(file)
        assert str(error.value) == f"tokenizer file {file} must be a SentencePiece model, but cannot be read as one"
    file.write_bytes(b"")
    with pytest.raises(UserError) as error:
        Tokenizer.from_file(file)
    assert str(error.value) == f"tokenizer file {file} must be a SentencePiece model, but has no pieces"


def test_a_model_with_other_special_ids_is_told_how_to_fit(tmp_path: Path) -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SOURCE), model_writer=model, vocab_size=60, minloglevel=2)
    file = tmp_path / "usual.model"
    file.write_bytes(model.getvalue())
    with pytest.raises(UserError) as error:
        train_tokenizers(SOURCE, TARGET, TokenizerConfig(path=str(file)))
    assert str(error.value) == (
        f"tokenizer file {file} must have the ids 0, 1, 2, 3 for padding, begin, end and unknown "
        "(train it by `spm_train --pad_id=0 --bos_id=1 --eos_id=2 --unk_id=3`), but has -1, 1, 2, 0 instead"
    )


def test_an_exponent_is_not_taken_for_a_share_of_merges_however_short_the_pieces() -> None:
    lines = ["abab baba", "aabb bbaa", "ab ba"] * 20
    config = TokenizerConfig(vocab_size=9, byte_fallback=False)
    tokenizer = train_tokenizers(lines, lines, config).source
    assert max(len(piece) for piece in tokenizer.pieces(range(4, len(tokenizer)))) == 2
    tokenizer.check_sampling(5.0)
