"""Encoded pairs are the pairs, encoded: in order, whole pairs left out when too long, and made only once."""

import random
from pathlib import Path

import datasets
import numpy as np
import pytest

import nmt.data.encoded
from nmt.data.corpus import DataConfig, Pairs, load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.errors import UserError
from nmt.tokenizer import Tokenizer, TokenizerConfig, TokenizerPair, train_tokenizers

_random = random.Random(0)
WORDS = ["".join(_random.choices(("ma", "ti", "ku", "sel", "or", "nim", "pa"), k=1 + i % 4)) for i in range(200)]
SOURCE, TARGET = ([" ".join(_random.choices(WORDS, k=i * side % 11 + 1)) for i in range(280)] for side in (3, 5))
PAIRS = list(zip(SOURCE, TARGET, strict=True))
SETTINGS = TokenizerConfig(vocab_size=300, joint=False)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder))
    monkeypatch.setattr(nmt.data.encoded, "_BATCH", 64)  # several chunks on disk
    return folder


@pytest.fixture(scope="module")
def tokenizers() -> TokenizerPair:
    return train_tokenizers(SOURCE, TARGET, SETTINGS)


def load(folder: Path, pairs: list[tuple[str, str]] = PAIRS) -> Pairs:
    (folder / "train.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    return load_pairs(DataConfig(path=str(folder), source="en", target="de"), "train")


def test_ids_and_texts_are_those_of_the_pairs(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    encoded = EncodedPairs.from_pairs(load(tmp_path), tokenizers, 10_000)
    assert len(encoded) == len(PAIRS)
    assert encoded.dropped_long == 0
    indices = np.random.default_rng(0).integers(len(PAIRS), size=200)
    sources, targets = encoded.ids(indices)
    assert sources == tokenizers.source.encode([PAIRS[i][0] for i in indices])
    assert targets == tokenizers.target.encode([PAIRS[i][1] for i in indices])
    assert encoded.texts(indices) == ([PAIRS[i][0] for i in indices], [PAIRS[i][1] for i in indices])
    assert encoded.ids([]) == ([], [])
    assert encoded.texts([]) == ([], [])


def test_lengths_are_those_of_the_ids(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    encoded = EncodedPairs.from_pairs(load(tmp_path), tokenizers, 10_000)
    sources, targets = encoded.ids(range(len(encoded)))
    assert encoded.source_lengths.dtype == encoded.target_lengths.dtype == np.int32
    assert encoded.source_lengths.tolist() == [len(ids) for ids in sources]
    assert encoded.target_lengths.tolist() == [len(ids) for ids in targets]


def test_long_pairs_are_left_out_whole_and_counted(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    pairs = load(tmp_path)
    everything = EncodedPairs.from_pairs(pairs, tokenizers, 10_000)
    lengths = np.maximum(everything.source_lengths, everything.target_lengths)
    limit = int(np.median(lengths))
    assert (everything.target_lengths > limit).any()
    [kept] = np.nonzero(lengths <= limit)
    encoded = EncodedPairs.from_pairs(pairs, tokenizers, limit)
    assert 0 < len(encoded) == len(kept) < len(PAIRS)
    assert encoded.dropped_long == len(PAIRS) - len(kept)
    assert encoded.ids(range(len(kept))) == everything.ids(kept)
    assert encoded.texts(range(len(kept))) == everything.texts(kept)
    assert encoded.source_lengths.tolist() == everything.source_lengths[kept].tolist()


def test_pairs_that_are_all_too_long_are_an_error(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    pairs = load(tmp_path, [("one two three four", "a"), ("a", "eins zwei drei vier")])
    with pytest.raises(UserError) as error:
        EncodedPairs.from_pairs(pairs, tokenizers, 4)
    assert str(error.value) == "`data.max_length` must leave some pairs, but is 4 pieces and all 2 pairs are longer"


def test_a_second_time_nothing_is_tokenised(tmp_path: Path, tokenizers: TokenizerPair, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = load(tmp_path)
    first = EncodedPairs.from_pairs(pairs, tokenizers, 20)
    with monkeypatch.context() as patched:
        patched.setattr(Tokenizer, "encode", None)
        second = EncodedPairs.from_pairs(load(tmp_path), tokenizers, 20)
    everything = range(len(first))
    assert second.ids(everything) == first.ids(everything)
    assert second.dropped_long == first.dropped_long > 0


def test_other_tokenizers_or_pairs_are_tokenised_anew(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    pairs = load(tmp_path)
    before = EncodedPairs.from_pairs(pairs, tokenizers, 100).ids([5])
    swapped = TokenizerPair(tokenizers.target, tokenizers.source)
    assert EncodedPairs.from_pairs(pairs, swapped, 100).ids([5]) != before
    other = load(tmp_path, [(source.upper(), target) for source, target in PAIRS])
    assert EncodedPairs.from_pairs(other, tokenizers, 100).ids([5]) != before


def test_tokenizers_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = load(tmp_path)
    trained = cached_tokenizers(pairs, SETTINGS)
    assert trained.fingerprints == train_tokenizers(pairs.sources(), pairs.targets(), SETTINGS).fingerprints
    other = cached_tokenizers(pairs, TokenizerConfig(vocab_size=301, joint=False))
    assert len(other.source) == 301
    with monkeypatch.context() as patched:
        patched.setattr("sentencepiece.SentencePieceTrainer.train", None)
        assert cached_tokenizers(pairs, SETTINGS).fingerprints == trained.fingerprints
    file = tmp_path / "named.model"
    for tokenizer in (trained.source, trained.target):  # a file may change, and is read each time
        file.write_bytes(tokenizer.serialized)
        taken = cached_tokenizers(pairs, TokenizerConfig(path=str(file)))
        assert taken.fingerprints == (tokenizer.fingerprint, tokenizer.fingerprint)
