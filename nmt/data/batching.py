"""From token ids to batches: tight in padding, deterministic in order, found again by a cursor.

An epoch is a random permutation of the corpus, cut into *shards*. A shard is encoded at once (with subword sampling, each
time anew), sorted by length, filled into batches of at most ``batch_tokens`` tokens a side, and the batches are shuffled.
All of it is a pure function of (seed, epoch, shard), so a cursor (epoch, shard, batch) is all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nmt.tokenizer import BOS, EOS, PAD, TokenizerPair

if TYPE_CHECKING:  # translating needs `pad`, and not `datasets`
    from nmt.data.encoded import EncodedPairs

SHARD_PAIRS = 65_536


@dataclass(frozen=True)
class Batch:
    """Padded sentences: source, source_mask [batch, src_len], target_in [batch, tgt_len]; and what to predict, unpadded.

    A source ends in EOS, target_in starts with BOS. ``positions`` [target_tokens] are the places of the real tokens in the
    flattened target_in, ``labels`` [target_tokens] the tokens that follow them, EOS last.
    """

    source: Tensor
    source_mask: Tensor
    target_in: Tensor
    positions: Tensor
    labels: Tensor

    @property
    def target_tokens(self) -> int:
        """Target tokens to predict, end marks included."""
        return len(self.labels)

    @property
    def padding(self) -> tuple[int, int]:
        """Positions that hold padding, and all positions, of both sides. Waits for the device: ask the batch on the CPU."""
        total = self.source.numel() + self.target_in.numel()
        return total - int(self.source_mask.sum()) - len(self.labels), total

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        tensors = (self.source, self.source_mask, self.target_in, self.positions, self.labels)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))

    def share(self, rank: int, size: int) -> Batch:
        """Every ``size``-th sentence from number ``rank`` on. Where there is none: the first, with nothing to predict."""
        if size == 1:
            return self
        sentences, width = self.target_in.shape
        rows = torch.arange(rank if rank < sentences else 0, sentences, size)
        mine = self.positions // width % size == rank
        row, column = self.positions[mine] // width // size, self.positions[mine] % width
        src_len = int(self.source_mask[rows].sum(dim=1).max())
        tgt_len = 1 + max(column.tolist(), default=0)
        return Batch(
            self.source[rows, :src_len],
            self.source_mask[rows, :src_len],
            self.target_in[rows, :tgt_len],
            row * tgt_len + column,
            self.labels[mine],
        )


@dataclass
class Cursor:
    """The place of the next batch. It is plain data, for checkpoints."""

    epoch: int = 0
    shard: int = 0
    batch: int = 0


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Sequences of ids → ids [batch, length] padded at the end, mask [batch, length]."""
    lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids = np.full(mask.shape, PAD, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(sequence, dtype=np.int64) for sequence in sequences])
    return torch.from_numpy(ids), torch.from_numpy(mask)


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Batch:
    """Token ids without marks → a Batch."""
    source, source_mask = pad([[*ids, EOS] for ids in sources])
    target_in, target_mask = pad([[BOS, *ids] for ids in targets])
    labels, _ = pad([[*ids, EOS] for ids in targets])
    positions = target_mask.flatten().nonzero().squeeze(1)
    return Batch(source, source_mask, target_in, positions, labels.flatten()[positions])


def bucket(
    source_lengths: np.ndarray, target_lengths: np.ndarray, batch_tokens: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Indices of each batch, in random order: sentences of like length, sentences × longest side ≤ ``batch_tokens``.

    Lengths count the end mark. The longest side is that of source and target. A sentence longer than ``batch_tokens`` is
    a batch of its own.
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
        if position > start and widest * (position - start + 1) > batch_tokens:
            batches.append(order[start:position])
            start, widest = position, width
        longest = widest
    if start < len(order):
        batches.append(order[start:])
    return [batches[i] for i in rng.permutation(len(batches))]


class TrainingBatches:
    """Endless training batches from a cursor on.

    ``sampling_alpha`` > 0 draws a new segmentation of every sentence in every epoch (Kudo 2018), on both sides.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        tokenizers: TokenizerPair,
        batch_tokens: int,
        seed: int,
        sampling_alpha: float,
        shard_pairs: int = SHARD_PAIRS,
    ) -> None:
        self.pairs = pairs
        self.tokenizers = tokenizers
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.sampling_alpha = sampling_alpha
        self.shard_pairs = shard_pairs

    def iterate(self, cursor: Cursor) -> Iterator[tuple[Batch, Cursor]]:
        """Batches from the cursor on, each with the cursor of the batch after it."""
        while True:
            sources, targets, batches = self._shard(cursor.epoch, cursor.shard)
            last_shard = (cursor.shard + 1) * self.shard_pairs >= len(self.pairs)
            next_shard = Cursor(cursor.epoch + 1) if last_shard else Cursor(cursor.epoch, cursor.shard + 1)
            for i in range(cursor.batch, len(batches)):
                after = Cursor(cursor.epoch, cursor.shard, i + 1) if i + 1 < len(batches) else next_shard
                yield collate([sources[j] for j in batches[i]], [targets[j] for j in batches[i]]), after
            cursor = next_shard

    def _shard(self, epoch: int, shard: int) -> tuple[list[list[int]], list[list[int]], list[np.ndarray]]:
        permutation = np.random.default_rng((self.seed, epoch)).permutation(len(self.pairs))
        members = np.sort(permutation[shard * self.shard_pairs : (shard + 1) * self.shard_pairs])
        rng = np.random.default_rng((self.seed, epoch, shard))
        if self.sampling_alpha > 0:
            source_texts, target_texts = self.pairs.texts(members)
            source_seed, target_seed = (int(x) for x in rng.integers(2**31, size=2))
            sources = self.tokenizers.source.sample(source_texts, self.sampling_alpha, source_seed)
            targets = self.tokenizers.target.sample(target_texts, self.sampling_alpha, target_seed)
        else:
            sources, targets = self.pairs.ids(members)
        return sources, targets, bucket(_lengths(sources), _lengths(targets), self.batch_tokens, rng)


def _lengths(sequences: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter((len(sequence) + 1 for sequence in sequences), dtype=np.int64, count=len(sequences))


def evaluation_batches(pairs: EncodedPairs, batch_tokens: int) -> list[Batch]:
    """The whole of a validation set in batches, without sampling, always the same."""
    sources, targets = pairs.ids(range(len(pairs)))
    batches = bucket(_lengths(sources), _lengths(targets), batch_tokens, np.random.default_rng(0))
    return [collate([sources[j] for j in batch], [targets[j] for j in batch]) for batch in batches]
