"""Batches before there are any: how many, the largest ones, and halves of one that memory has no room for."""

from __future__ import annotations

import numpy as np

from nmt.data.batch import Batch, collate
from nmt.data.batching import bucket
from nmt.data.encoded import EncodedPairs
from nmt.data.sequences import Sequences
from nmt.errors import UserError

_SAMPLE = 65_536  # pairs from which batches are reckoned


def halves(batch: Batch) -> list[Batch]:
    """Two batches with half of the sentences each. Raises ``UserError`` if there is only one."""
    count, tgt_len = batch.target_in.shape
    if count == 1:
        raise UserError(
            "`data.max_length` must be so small that one pair fits into memory, "
            f"but a pair of {batch.source.shape[1] - 1} and {tgt_len - 1} pieces does not: lower it, or the sizes of the model"
        )
    half = count // 2
    tokens = int((batch.positions < half * tgt_len).sum())
    return [
        Batch(
            batch.source[:half],
            batch.source_mask[:half],
            batch.target_in[:half],
            batch.positions[:tokens],
            batch.labels[:tokens],
        ),
        Batch(
            batch.source[half:],
            batch.source_mask[half:],
            batch.target_in[half:],
            batch.positions[tokens:] - half * tgt_len,
            batch.labels[tokens:],
        ),
    ]


def largest_batches(pairs: EncodedPairs, batch_tokens: int, batch_sentences: int | None = None) -> list[Batch]:
    """Of the batches of the corpus, or of a sample of it, those with most positions and with most to attend to."""
    sources, targets, batches = _batches(pairs, batch_tokens, batch_sentences)
    # [batches, 3]: sentences, src_len, tgt_len
    sizes = np.array([(len(batch), sources.lengths[batch].max() + 1, targets.lengths[batch].max() + 1) for batch in batches])
    chosen = {int((sizes[:, 0] * (sizes[:, 1] + sizes[:, 2])).argmax()), int(sizes.prod(axis=1).argmax())}
    return [collate(sources.take(batches[n]), targets.take(batches[n])) for n in sorted(chosen)]


def batches_an_epoch(pairs: EncodedPairs, batch_tokens: int, batch_sentences: int | None = None) -> float:
    """How many batches the corpus makes, reckoned from a sample if it is large. Segmentations that are sampled make more."""
    sources, _, batches = _batches(pairs, batch_tokens, batch_sentences)
    return len(batches) * len(pairs) / len(sources)


def _batches(
    pairs: EncodedPairs, batch_tokens: int, batch_sentences: int | None
) -> tuple[Sequences, Sequences, list[np.ndarray]]:
    """Sources and targets of the corpus, or of a sample of it, and the batches of these, as their places."""
    rng = np.random.default_rng(0)
    members = np.arange(len(pairs)) if len(pairs) <= _SAMPLE else np.unique(rng.integers(len(pairs), size=_SAMPLE))
    sources, targets = pairs.ids(members)
    return sources, targets, bucket(sources.lengths + 1, targets.lengths + 1, batch_tokens, rng, batch_sentences)
