"""Encoded pairs are the pairs, encoded: in order, whole pairs left out when too long, and made only once."""

import random
from pathlib import Path

import datasets
import numpy as np
import pytest
from numpy.typing import NDArray

import nmt.data.encoded
from nmt.data.config import DataConfig
from nmt.data.corpus import Pairs, load_pairs
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


def ids(encoded: EncodedPairs, indices: NDArray[np.int64]) -> tuple[list[list[int]], list[list[int]]]:
    sources, targets = encoded.ids(indices)
    return sources.tolist(), targets.tolist()


def test_ids_and_texts_are_those_of_the_pairs(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    encoded = EncodedPairs.from_pairs(load(tmp_path), tokenizers, 10_000)
    assert len(encoded) == len(PAIRS)
    assert encoded.dropped_long == 0
    for size in (0, 1, 10, 200):
        indices = np.sort(np.random.default_rng(size).integers(len(PAIRS), size=size))
        sources, targets = ids(encoded, indices)
        assert sources == tokenizers.source.encode([PAIRS[i][0] for i in indices])
        assert targets == tokenizers.target.encode([PAIRS[i][1] for i in indices])
        assert encoded.texts(indices) == ([PAIRS[i][0] for i in indices], [PAIRS[i][1] for i in indices])


def test_ids_of_large_vocabularies_are_kept_whole(tmp_path: Path) -> None:
    class Large:
        """Its pieces are numbers."""

        fingerprint = "large"

        def __init__(self, size: int) -> None:
            self.size = size

        def __len__(self) -> int:
            return self.size

        def encode(self, texts: list[str]) -> list[list[int]]:
            return [[self.size - 1, len(text)] for text in texts]

    for size in (2**16, 2**16 + 1):
        tokenizers = TokenizerPair(Large(100), Large(size))  # type: ignore[arg-type]
        encoded = EncodedPairs.from_pairs(load(tmp_path), tokenizers, 10)
        assert ids(encoded, np.array([3])) == ([[99, len(PAIRS[3][0])]], [[size - 1, len(PAIRS[3][1])]])
        Large.fingerprint = "larger"


def test_long_pairs_are_left_out_whole_and_counted(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    pairs = load(tmp_path)
    everything = EncodedPairs.from_pairs(pairs, tokenizers, 10_000)
    sources, targets = everything.ids(np.arange(len(PAIRS)))
    lengths = np.maximum(sources.lengths, targets.lengths)
    limit = int(np.median(lengths))
    assert (targets.lengths > limit).any()
    [kept] = np.nonzero(lengths <= limit)
    encoded = EncodedPairs.from_pairs(pairs, tokenizers, limit)
    assert 0 < len(encoded) == len(kept) < len(PAIRS)
    assert encoded.dropped_long == len(PAIRS) - len(kept)
    assert ids(encoded, np.arange(len(kept))) == ids(everything, kept)
    assert encoded.texts(np.arange(len(kept))) == everything.texts(kept)


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
    everything = np.arange(len(first))
    assert ids(second, everything) == ids(first, everything)
    assert second.dropped_long == first.dropped_long > 0


def test_other_tokenizers_or_pairs_are_tokenised_anew(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    pairs = load(tmp_path)
    fifth = np.array([5])
    before = ids(EncodedPairs.from_pairs(pairs, tokenizers, 100), fifth)
    swapped = TokenizerPair(tokenizers.target, tokenizers.source)
    assert ids(EncodedPairs.from_pairs(pairs, swapped, 100), fifth) != before
    other = load(tmp_path, [(source.upper(), target) for source, target in PAIRS])
    assert ids(EncodedPairs.from_pairs(other, tokenizers, 100), fifth) != before


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
