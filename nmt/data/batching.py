"""From token ids to batches: tight in padding, deterministic in order, found again by a cursor.

An epoch is a random permutation of the corpus, cut into *shards*. A shard is encoded (with subword sampling, each time anew),
sorted by length, filled into batches of at most ``batch_tokens`` tokens a side, and the batches are shuffled.
All of it is a pure function of (seed, epoch, shard), so a cursor (epoch, shard, batch) is all that a checkpoint needs, and what
is in memory is two shards, however large the corpus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from nmt.data.ahead import ahead
from nmt.data.batch import Batch, collate
from nmt.data.encoded import EncodedPairs
from nmt.data.order import generator, permuted
from nmt.data.sampling import Sampler, sampling_executor
from nmt.data.sequences import Sequences
from nmt.tokenizer import TokenizerPair

SHARD_PAIRS = 65_536
CHUNK_PAIRS = 4_096  # encoded at a time
_BATCHES_AHEAD = 8


@dataclass
class Cursor:
    """The place of the next batch. It is plain data, for checkpoints."""

    epoch: int = 0
    shard: int = 0
    batch: int = 0


def bucket(
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    batch_tokens: int,
    rng: np.random.Generator,
    batch_sentences: int | None = None,
) -> list[np.ndarray]:
    """Indices of each batch, in random order: sentences of like length, sentences × longest side ≤ ``batch_tokens``.

    ``batch_sentences``, if given, is the most that a batch holds. Lengths count the end mark. The longest side is that of
    source and target. A sentence longer than ``batch_tokens`` is a batch of its own.
    """
    ties = rng.random(len(target_lengths))
    # Back and forth: where a batch reaches into the next target length, its source lengths go on where they were.
    serpentine = np.where(target_lengths % 2 == 0, source_lengths, -source_lengths)
    order = np.lexsort((ties, serpentine, target_lengths))
    batches: list[np.ndarray] = []
    start = longest = 0
    widths = np.maximum(source_lengths, target_lengths)[order].tolist()
    for position, width in enumerate(widths):
        widest = max(longest, width)
        full = position - start == batch_sentences or widest * (position - start + 1) > batch_tokens
        if position > start and full:
            batches.append(order[start:position])
            start, widest = position, width
        longest = widest
    if start < len(order):
        batches.append(order[start:])
    return [batches[i] for i in rng.permutation(len(batches))]


class TrainingBatches:
    """Endless training batches from a cursor on.

    ``sampling_alpha`` > 0 draws a new segmentation of every sentence in every epoch (Kudo 2018), on both sides; one that is
    longer than the corpus admits gives way to the best. ``pin`` puts batches into pinned memory, for a GPU; ``samplers`` is how
    many sample, with 0 a thread does it.
    Raises UserError if a tokenizer cannot sample.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        tokenizers: TokenizerPair,
        batch_tokens: int,
        seed: int,
        sampling_alpha: float,
        shard_pairs: int = SHARD_PAIRS,
        chunk_pairs: int = CHUNK_PAIRS,
        pin: bool = False,
        samplers: int = 0,
        batch_sentences: int | None = None,
    ) -> None:
        self.pairs = pairs
        self.tokenizers = tokenizers
        self.batch_tokens = batch_tokens
        self.batch_sentences = batch_sentences
        self.seed = seed
        self.sampling_alpha = sampling_alpha
        self.chunk_pairs = chunk_pairs
        self.pin = pin
        self.samplers = samplers
        self._shards = -(-len(pairs) // shard_pairs)
        if sampling_alpha > 0:
            tokenizers.source.check_sampling(sampling_alpha)
            tokenizers.target.check_sampling(sampling_alpha)

    def iterate(self, cursor: Cursor) -> Generator[tuple[Batch, Cursor], None, None]:
        """Batches from the cursor on, each with the cursor of the batch after it.

        They are made ahead in the background, and the next shard is encoded while this one is used. Close the generator to
        end that.
        """
        return ahead(self._batches(cursor), _BATCHES_AHEAD)

    def _batches(self, cursor: Cursor) -> Generator[tuple[Batch, Cursor], None, None]:
        with closing(ahead(self._chunks(cursor), len(self._chunk_starts(0)))) as chunks:
            while True:
                parts = list(islice(chunks, len(self._chunk_starts(cursor.shard))))
                sources, targets = (Sequences.joined(side) for side in zip(*parts, strict=True))
                rng = generator(self.seed, cursor.epoch, cursor.shard)
                batches = bucket(sources.lengths + 1, targets.lengths + 1, self.batch_tokens, rng, self.batch_sentences)
                next_shard = self._next_shard(cursor)
                for i in range(cursor.batch, len(batches)):
                    after = Cursor(cursor.epoch, cursor.shard, i + 1) if i + 1 < len(batches) else next_shard
                    batch = collate(sources.take(batches[i]), targets.take(batches[i]))
                    yield batch.pinned() if self.pin else batch, after
                cursor = next_shard

    def _next_shard(self, cursor: Cursor) -> Cursor:
        return Cursor(cursor.epoch, cursor.shard + 1) if cursor.shard + 1 < self._shards else Cursor(cursor.epoch + 1)

    def _shard(self, number: int) -> range:
        """The places in the order of an epoch that are a shard's: all shards are of like size."""
        start, stop = (len(self.pairs) * i // self._shards for i in (number, number + 1))
        return range(start, stop)

    def _chunk_starts(self, shard: int) -> range:
        return range(0, len(self._shard(shard)), self.chunk_pairs)

    def _chunks(self, cursor: Cursor) -> Generator[tuple[Sequences, Sequences], None, None]:
        """Sources and targets of one shard after another, ``chunk_pairs`` at a time."""
        if self.sampling_alpha == 0:
            for chunk, _ in self._chunk_members(cursor):
                yield self.pairs.ids(chunk)
        sampler = Sampler(self.tokenizers, self.sampling_alpha, self.pairs.max_length)
        coming: deque[Future[tuple[Sequences, Sequences]]] = deque()
        with sampling_executor(self.samplers) as executor:
            for chunk, seeds in self._chunk_members(cursor):
                coming.append(executor.submit(sampler, *self.pairs.texts(chunk), seeds))
                if len(coming) > self.samplers:
                    yield coming.popleft().result()

    def _chunk_members(self, cursor: Cursor) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
        """The pairs of each chunk, ascending, and the seeds of its two sides."""
        while True:
            order = generator(self.seed, cursor.epoch)
            members = np.sort(permuted(np.array(self._shard(cursor.shard)), len(self.pairs), order))
            for number, start in enumerate(self._chunk_starts(cursor.shard)):
                source, target = generator(self.seed, cursor.epoch, cursor.shard, number).integers(2**31, size=2).tolist()
                yield members[start : start + self.chunk_pairs], (source, target)
            cursor = self._next_shard(cursor)


def evaluation_batches(pairs: EncodedPairs, batch_tokens: int) -> list[Batch]:
    """The whole of a validation set in batches, without sampling, always the same."""
    sources, targets = pairs.ids(np.arange(len(pairs)))
    batches = bucket(sources.lengths + 1, targets.lengths + 1, batch_tokens, np.random.default_rng(0))
    return [collate(sources.take(batch), targets.take(batch)) for batch in batches]
