"""A corpus as piece ids, tokenised once: kept in the data cache and memory-mapped."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece
from numpy.typing import NDArray

from nmt.data.cache import cached_folder, cached_table
from nmt.data.corpus import Pairs
from nmt.errors import UserError
from nmt.tokenizer import TokenizerConfig, TokenizerPair, train_tokenizers

Indices = Sequence[int] | NDArray[np.integer[Any]]

_IDS = pa.list_(pa.int32())
_SCHEMA = pa.schema([("source", _IDS), ("target", _IDS), ("row", pa.int64())])
_BATCH = 10_000  # pairs held in memory at a time


class EncodedPairs:
    """Piece ids of both sides of a corpus, without BOS and EOS, and without the pairs that are too long.

    `source_lengths`, `target_lengths`: int32 [pairs], in pieces; `dropped_long`: how many pairs are left out.
    """

    source_lengths: NDArray[np.int32]
    target_lengths: NDArray[np.int32]

    def __init__(self, pairs: Pairs, encoded: datasets.Dataset) -> None:
        # Rows are drawn through `datasets`: the `take` of pyarrow first copies a column into one chunk.
        self._encoded = encoded.with_format("arrow")
        self._texts = pairs.dataset.with_format("arrow")
        table = self._encoded[:]
        self._rows: NDArray[np.int64] = table.column("row").to_numpy()
        self.source_lengths = pc.list_value_length(table.column("source")).to_numpy()
        self.target_lengths = pc.list_value_length(table.column("target")).to_numpy()
        self.dropped_long = len(pairs) - len(self)

    @classmethod
    def from_pairs(cls, pairs: Pairs, tokenizers: TokenizerPair, max_length: int) -> "EncodedPairs":
        """Tokenises `pairs`, or takes what is kept of an earlier time.

        Pairs with more than `max_length` pieces on a side are left out, never cut. UserError if all are.
        """
        recipe = (pairs.fingerprint, *tokenizers.fingerprints, str(max_length))
        encoded, _ = cached_table(_key("ids", recipe), _SCHEMA, _batches(pairs, tokenizers, max_length), {})
        if len(encoded) == 0:
            raise UserError(
                f"`data.max_length` must leave some pairs, but is {max_length} pieces and all {len(pairs)} pairs are longer"
            )
        return cls(pairs, encoded)

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self, indices: Indices) -> tuple[list[list[int]], list[list[int]]]:
        """Source and target ids of these pairs, in this order."""
        rows = self._encoded[list(indices)]
        return rows.column("source").to_pylist(), rows.column("target").to_pylist()

    def texts(self, indices: Indices) -> tuple[list[str], list[str]]:
        """Source and target texts of these pairs, in this order: what subword sampling encodes anew."""
        rows = self._texts[self._rows[list(indices)]]
        return rows.column("source").to_pylist(), rows.column("target").to_pylist()


def cached_tokenizers(pairs: Pairs, config: TokenizerConfig) -> TokenizerPair:
    """`train_tokenizers` on `pairs`, kept in the data cache: a second run starts at once."""
    if config.path is not None or config.source_path is not None:
        return train_tokenizers((), (), config)
    recipe = (pairs.fingerprint, *map(str, astuple(config)))
    folder = cached_folder(
        _key("tokenizers", recipe),
        lambda folder: train_tokenizers(pairs.stream("source"), pairs.stream("target"), config).save(folder),
    )
    return TokenizerPair.load(folder)


def _key(kind: str, recipe: Sequence[str]) -> str:
    parts = (sentencepiece.__version__, *recipe)
    return f"{kind}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}"


def _batches(pairs: Pairs, tokenizers: TokenizerPair, max_length: int) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in pairs.dataset.with_format("arrow").iter(batch_size=_BATCH):
        sources = tokenizers.source.encode(batch.column("source").to_pylist())
        targets = tokenizers.target.encode(batch.column("target").to_pylist())
        numbered = zip(sources, targets, range(row, row + len(sources)), strict=True)
        kept = [entry for entry in numbered if max(len(entry[0]), len(entry[1])) <= max_length]
        row += len(sources)
        yield pa.record_batch([[entry[column] for entry in kept] for column in range(3)], schema=_SCHEMA)
