"""Batches and the memory that there is: the largest ones, and halves of one."""

from __future__ import annotations

import numpy as np

from nmt.data.batch import Batch, collate
from nmt.data.batching import bucket
from nmt.data.encoded import EncodedPairs
from nmt.errors import UserError

_SAMPLE = 65_536  # pairs among which the largest batches are looked for


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
    rng = np.random.default_rng(0)
    members = np.arange(len(pairs)) if len(pairs) <= _SAMPLE else np.unique(rng.integers(len(pairs), size=_SAMPLE))
    sources, targets = pairs.ids(members)
    source_lengths, target_lengths = sources.lengths + 1, targets.lengths + 1
    batches = bucket(source_lengths, target_lengths, batch_tokens, rng, batch_sentences)
    # [batches, 3]: sentences, src_len, tgt_len
    sizes = np.array([(len(batch), source_lengths[batch].max(), target_lengths[batch].max()) for batch in batches])
    chosen = {int((sizes[:, 0] * (sizes[:, 1] + sizes[:, 2])).argmax()), int(sizes.prod(axis=1).argmax())}
    return [collate(sources.take(batches[n]), targets.take(batches[n])) for n in sorted(chosen)]
