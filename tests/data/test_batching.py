"""Batches: every pair once an epoch, within the budget, little padding, the same from every cursor."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from nmt.data.batching import Batch, Cursor, TrainingBatches, bucket, collate, pad
from nmt.tokenizer import BOS, EOS, PAD


@dataclass
class FakeTokenizer:
    """Samples by doubling some pieces, as its seed says."""

    def sample(self, texts: list[str], alpha: float, seed: int) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        return [[int(word) for word in text.split() for _ in range(rng.integers(1, 3))] for text in texts]


class FakePairs:
    """Sentences of random lengths; the first source id is the pair's number + 4."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(1)
        self.sources = [[i + 4] * int(rng.integers(1, 30)) for i in range(count)]
        self.targets = [[i + 4] * max(1, len(source) + int(rng.integers(-3, 4))) for i, source in enumerate(self.sources)]

    def __len__(self) -> int:
        return len(self.sources)

    def ids(self, indices: list[int]) -> tuple[list[list[int]], list[list[int]]]:
        return [self.sources[i] for i in indices], [self.targets[i] for i in indices]

    def texts(self, indices: list[int]) -> tuple[list[str], list[str]]:
        sources, targets = self.ids(indices)
        return [" ".join(map(str, ids)) for ids in sources], [" ".join(map(str, ids)) for ids in targets]


@dataclass
class FakeTokenizers:
    source: FakeTokenizer
    target: FakeTokenizer


def batches(count: int = 500, alpha: float = 0.0, shard_pairs: int = 200, seed: int = 1) -> TrainingBatches:
    tokenizers = FakeTokenizers(FakeTokenizer(), FakeTokenizer())
    return TrainingBatches(FakePairs(count), tokenizers, 300, seed, alpha, shard_pairs)  # type: ignore[arg-type]


def epoch(stream: TrainingBatches, number: int) -> list[Batch]:
    found = []
    for batch, after in stream.iterate(Cursor(epoch=number)):
        found.append(batch)
        if after.epoch > number:
            return found
    raise AssertionError("the stream ended")


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.source, other.source) and torch.equal(one.target_in, other.target_in)


def test_pad_and_collate() -> None:
    ids, mask = pad([[5, 6], [], [7]])
    assert ids.tolist() == [[5, 6], [PAD, PAD], [7, PAD]]
    assert mask.tolist() == [[True, True], [False, False], [True, False]]
    batch = collate([[5, 6], [7]], [[8], [9, 10]])
    assert batch.source.tolist() == [[5, 6, EOS], [7, EOS, PAD]]
    assert batch.target_in.tolist() == [[BOS, 8, PAD], [BOS, 9, 10]]
    assert batch.positions.tolist() == [0, 1, 3, 4, 5]
    assert batch.labels.tolist() == [8, EOS, 9, 10, EOS]
    assert batch.padding == (2, 12)


def test_an_epoch_holds_every_pair_once() -> None:
    for alpha in (0.0, 0.5):
        seen = [int(number) for batch in epoch(batches(alpha=alpha), 3) for number in batch.source[:, 0]]
        assert sorted(seen) == list(range(4, 504))


def test_batches_keep_the_budget_and_hold_little_padding() -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(2, 40, size=20_000)
    sources = np.maximum(2, targets + rng.integers(-4, 5, size=20_000))
    found = bucket(sources, targets, 2000, rng)
    real = sources.sum() + targets.sum()
    padded = 0
    for members in found:
        widest = max(sources[members].max(), targets[members].max())
        assert widest * len(members) <= 2000
        padded += len(members) * (sources[members].max() + targets[members].max())
    assert sorted(np.concatenate(found).tolist()) == list(range(20_000))
    assert 1 - real / padded < 0.03


def test_a_sentence_over_the_budget_is_a_batch_of_its_own() -> None:
    found = bucket(np.array([5, 900, 5]), np.array([5, 5, 5]), 100, np.random.default_rng(1))
    assert sorted(sorted(members.tolist()) for members in found) == [[0, 2], [1]]


def test_any_cursor_finds_its_place() -> None:
    stream = batches(alpha=0.5)
    straight = list(islice(stream.iterate(Cursor()), 120))
    assert straight[-1][1].epoch >= 1
    for start in (0, 1, 17, 60, 100):
        again = islice(batches(alpha=0.5).iterate(straight[start][1]), 10)
        for (batch, after), (expected, expected_after) in zip(again, straight[start + 1 :], strict=False):
            assert same(batch, expected) and after == expected_after


def test_epochs_and_seeds_differ() -> None:
    first, second, other = epoch(batches(), 0), epoch(batches(), 1), epoch(batches(seed=2), 0)
    for one in (second, other):
        assert not all(same(a, b) for a, b in zip(first, one, strict=False))


def test_sampling_draws_anew_in_every_epoch() -> None:
    lengths = []
    for number in (0, 1):
        by_pair = {}
        for batch in epoch(batches(alpha=0.5), number):
            for row, mask in zip(batch.source, batch.source_mask, strict=True):
                by_pair[int(row[0])] = int(mask.sum())
        lengths.append([by_pair[number] for number in sorted(by_pair)])
    assert lengths[0] != lengths[1]
