"""Batches: every pair once an epoch, within the budget, little padding, the same from every cursor."""

import io
import multiprocessing
import threading
import tracemalloc
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest
import sentencepiece
import torch
from numpy.typing import NDArray

from nmt.data.batch import Batch, collate
from nmt.data.batching import Cursor, TrainingBatches, bucket
from nmt.data.sequences import Sequences, pad
from nmt.data.toy import toy_pairs
from nmt.errors import UserError
from nmt.tokenizer import BOS, EOS, PAD, Tokenizer, TokenizerConfig, TokenizerPair, train_tokenizers


@dataclass
class FakeTokenizer:
    """Samples by doubling some pieces, as its seed says."""

    def sample(self, texts: list[str], alpha: float, seed: int) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        return [[int(word) for word in text.split() for _ in range(rng.integers(1, 3))] for text in texts]

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [list(map(int, text.split())) for text in texts]

    def check_sampling(self, alpha: float) -> None:
        pass


class FakePairs:
    """Sentences of random lengths; the first source id is the pair's number + 4."""

    max_length = 32

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(1)
        self.sources = [[i + 4] * int(rng.integers(1, 30)) for i in range(count)]
        self.targets = [[i + 4] * max(1, len(source) + int(rng.integers(-3, 4))) for i, source in enumerate(self.sources)]

    def __len__(self) -> int:
        return len(self.sources)

    def ids(self, indices: list[int]) -> tuple[Sequences, Sequences]:
        return Sequences.of(self.sources[i] for i in indices), Sequences.of(self.targets[i] for i in indices)

    def texts(self, indices: list[int]) -> tuple[list[str], list[str]]:
        sources, targets = ([side[i] for i in indices] for side in (self.sources, self.targets))
        return [" ".join(map(str, ids)) for ids in sources], [" ".join(map(str, ids)) for ids in targets]


@dataclass
class FakeTokenizers:
    source: FakeTokenizer
    target: FakeTokenizer


def real_batches(samplers: int) -> TrainingBatches:
    """Sampled from the embedded corpus."""
    texts = list(zip(*toy_pairs("val")[:150], strict=True))
    pairs = FakePairs(150)
    pairs.texts = lambda indices: tuple([side[i] for i in indices] for side in texts)  # type: ignore[method-assign, assignment, return-value]
    tokenizers = train_tokenizers(*texts, TokenizerConfig(vocab_size=400))
    return TrainingBatches(pairs, tokenizers, 300, 1, 0.3, 100, 20, samplers=samplers)  # type: ignore[arg-type]


def batches(count: int = 500, alpha: float = 0.0, shard_pairs: int = 200, seed: int = 1) -> TrainingBatches:
    tokenizers = FakeTokenizers(FakeTokenizer(), FakeTokenizer())
    return TrainingBatches(FakePairs(count), tokenizers, 300, seed, alpha, shard_pairs, chunk_pairs=70)  # type: ignore[arg-type]


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


def test_batches_keep_the_number_of_sentences() -> None:
    lengths = np.arange(100) % 10 + 1
    found = bucket(lengths, lengths, 100, np.random.default_rng(1), batch_sentences=16)
    assert max(map(len, found)) == 16
    assert all(lengths[members].max() * len(members) <= 100 for members in found)
    assert sorted(np.concatenate(found).tolist()) == list(range(100))


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


def test_each_epoch_has_other_batches_in_another_order() -> None:
    first, second = (epoch(batches(shard_pairs=500), number) for number in (0, 1))
    made, other = ({frozenset(batch.source[:, 0].tolist()) for batch in one} for one in (first, second))
    assert len(made & other) < len(made) / 2
    widths = [batch.target_in.shape[1] for batch in first]
    assert widths not in (sorted(widths), sorted(widths, reverse=True))


def test_each_epoch_has_other_shards() -> None:
    def beginning(number: int) -> set[int]:
        """The pairs of the batches that lie in the first shard."""
        stream, found = batches(), set()
        for batch, after in stream.iterate(Cursor(epoch=number)):
            found |= set(batch.source[:, 0].tolist())
            if after.shard > 0:
                return found
        raise AssertionError("the stream ended")

    assert len(beginning(0)) == len(beginning(1)) == 500 // 3
    assert beginning(0) != beginning(1)


def test_batches_of_a_stream_keep_the_number_of_sentences() -> None:
    tokenizers = FakeTokenizers(FakeTokenizer(), FakeTokenizer())
    stream = TrainingBatches(FakePairs(100), tokenizers, 300, 1, 0.0, batch_sentences=3)  # type: ignore[arg-type]
    assert max(len(batch.source) for batch in epoch(stream, 0)) == 3


def test_sampling_draws_anew_in_every_epoch() -> None:
    lengths = []
    for number in (0, 1):
        by_pair = {}
        for batch in epoch(batches(alpha=0.5, shard_pairs=500), number):
            for row, mask in zip(batch.source, batch.source_mask, strict=True):
                by_pair[int(row[0])] = int(mask.sum())
        lengths.append([by_pair[number] for number in sorted(by_pair)])
    assert lengths[0] != lengths[1]


def test_any_number_of_processes_makes_the_same_batches() -> None:
    made = []
    for samplers in (0, 1, 3):
        with closing(real_batches(samplers).iterate(Cursor(0, 1, 2))) as stream:
            made.append(list(islice(stream, 30)))
        assert multiprocessing.active_children() == []
    for other in made[1:]:
        assert all(same(a, b) and after == expected for (a, expected), (b, after) in zip(made[0], other, strict=True))


def test_shards_are_of_like_size() -> None:
    stream = batches(count=401, shard_pairs=200)
    sizes: dict[int, int] = {}
    cursor = Cursor()
    for batch, after in stream.iterate(cursor):
        sizes[cursor.shard] = sizes.get(cursor.shard, 0) + len(batch.source)
        cursor = after
        if after.epoch:
            break
    assert sorted(sizes.values()) == [133, 134, 134]


def test_a_sample_over_the_longest_length_gives_way_to_the_best() -> None:
    lengths = [int(mask.sum()) - 1 for batch in epoch(batches(alpha=0.5), 0) for mask in batch.source_mask]
    unlimited = batches(alpha=0.5)
    unlimited.pairs.max_length = 10**6
    free = [int(mask.sum()) - 1 for batch in epoch(unlimited, 0) for mask in batch.source_mask]
    assert max(lengths) <= 32 < max(free)
    assert sum(lengths) > 1.1 * sum(map(len, unlimited.pairs.sources))  # type: ignore[attr-defined]


def test_the_next_shard_is_encoded_while_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, read = batches(count=2000, shard_pairs=200), threading.Semaphore(0)
    ids = FakePairs.ids

    def counted(self: FakePairs, indices: list[int]) -> tuple[Sequences, Sequences]:
        read.release()
        return ids(self, indices)

    monkeypatch.setattr(FakePairs, "ids", counted)
    with closing(stream.iterate(Cursor())) as made:
        next(made)
        for _ in range(6):  # three chunks of this shard, three of the next
            assert read.acquire(timeout=10)
        assert not read.acquire(timeout=0.05)


def test_a_billion_pairs_take_no_more_memory_than_two_shards() -> None:
    class Endless:
        """Pairs whose ids are arithmetic."""

        max_length = 32

        def __len__(self) -> int:
            return 10**9

        def ids(self, indices: NDArray[np.int64]) -> tuple[Sequences, Sequences]:
            side = Sequences.of_lengths(np.repeat(indices, indices % 7 + 1), indices % 7 + 1)
            return side, side

    stream = TrainingBatches(Endless(), None, 5000, 1, 0.0)  # type: ignore[arg-type]
    tracemalloc.start()
    with closing(stream.iterate(Cursor(epoch=3, shard=10_000))) as made:
        firsts = torch.cat([batch.source[:, 0] for batch, _ in islice(made, 50)])
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    assert len(firsts.unique()) == len(firsts)
    assert firsts.min() < 10**7 and firsts.max() > 10**9 - 10**7


def test_a_gpu_is_fed_from_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + tensor)
    plain, pinned = batches(), batches()
    pinned.pin = True
    with closing(plain.iterate(Cursor())) as these, closing(pinned.iterate(Cursor())) as those:
        one, other = next(these)[0], next(those)[0]
    assert torch.equal(other.source, one.source * 2) and torch.equal(other.labels, one.labels * 2)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_tokenizer_that_cannot_sample_is_told_at_once(kind: str) -> None:
    model = io.BytesIO()
    text = iter(["hello world", "good day"] * 20)
    settings = {"pad_id": PAD, "bos_id": BOS, "eos_id": EOS, "unk_id": 3, "vocab_size": 8, "hard_vocab_limit": False}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=text, model_writer=model, model_type=kind, minloglevel=2, **settings
    )
    tokenizer = Tokenizer.from_bytes(model.getvalue())
    for pair in ((tokenizer, FakeTokenizer()), (FakeTokenizer(), tokenizer)):
        with pytest.raises(UserError) as error:
            TrainingBatches(FakePairs(10), FakeTokenizers(*pair), 300, 1, 0.5)  # type: ignore[arg-type]
        assert str(error.value) == (
            "`training.subword_alpha` must be 0 for a SentencePiece model that cannot sample (one of characters or words), "
            "but is 0.5 instead"
        )
    TrainingBatches(FakePairs(10), TokenizerPair(tokenizer, tokenizer), 300, 1, 0.0)  # type: ignore[arg-type]
