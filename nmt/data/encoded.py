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
from nmt.data.sequences import Sequences
from nmt.errors import UserError
from nmt.tokenizer import TokenizerConfig, TokenizerPair, train_tokenizers

Indices = NDArray[np.integer[Any]]

_FORMAT = "2"  # of the table: part of its key
_BATCH = 10_000  # pairs held in memory at a time


class EncodedPairs:
    """Piece ids of both sides of a corpus, without BOS and EOS, and without the pairs that are too long.

    Nothing of it is in memory but what is asked for. `max_length`: the most pieces that a side has; `dropped_long`: how many
    pairs are left out.
    """

    def __init__(self, pairs: Pairs, encoded: datasets.Dataset, max_length: int) -> None:
        self._encoded = _Rows(encoded)
        self._texts = _Rows(pairs.dataset)
        self.max_length = max_length
        self.dropped_long = len(pairs) - len(self)

    @classmethod
    def from_pairs(cls, pairs: Pairs, tokenizers: TokenizerPair, max_length: int) -> "EncodedPairs":
        """Tokenises `pairs`, or takes what is kept of an earlier time.

        Pairs with more than `max_length` pieces on a side are left out, never cut. UserError if all are.
        """
        recipe = (_FORMAT, pairs.fingerprint, *tokenizers.fingerprints, str(max_length))
        schema = ids_schema(max(len(tokenizers.source), len(tokenizers.target)))
        encoded, _ = cached_table(_key("ids", recipe), schema, _batches(pairs, tokenizers, max_length, schema), {})
        if len(encoded) == 0:
            raise UserError(
                f"`data.max_length` must leave some pairs, but is {max_length} pieces and all {len(pairs)} pairs are longer"
            )
        return cls(pairs, encoded, max_length)

    def __len__(self) -> int:
        return len(self._encoded)

    def ids(self, indices: Indices) -> tuple[Sequences, Sequences]:
        """Source and target ids of these pairs; `indices` ascend."""
        rows = self._encoded.take(indices)
        return _sequences(rows.column("source")), _sequences(rows.column("target"))

    def texts(self, indices: Indices) -> tuple[list[str], list[str]]:
        """Source and target texts of these pairs, whose `indices` ascend: what subword sampling encodes anew."""
        rows = self._texts.take(self._encoded.take(indices, ["row"]).column("row").to_numpy())
        return rows.column("source").to_pylist(), rows.column("target").to_pylist()


class _Rows:
    """Rows of a memory-mapped table, drawn from each record batch by itself: the `take` of a table copies whole columns first."""

    def __init__(self, dataset: datasets.Dataset) -> None:
        table: pa.Table = dataset.with_format("arrow")[:]
        self._schema = table.schema
        self._batches = table.to_batches()
        self._starts = np.cumsum([0, *map(len, self._batches)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, rows: Indices, columns: Sequence[str] = ("source", "target")) -> pa.Table:
        """These rows; their numbers ascend."""
        holders = np.searchsorted(self._starts, rows, side="right") - 1
        used, first = np.unique(holders, return_index=True)
        parts = np.split(rows, first[1:])
        taken = [
            self._batches[batch].select(columns).take(pa.array(part - self._starts[batch]))
            for batch, part in zip(used, parts, strict=False)  # of no rows there is one part, and no batch
        ]
        return pa.Table.from_batches(taken, pa.schema([self._schema.field(column) for column in columns]))


def _sequences(column: pa.ChunkedArray) -> Sequences:
    return Sequences.of_lengths(pc.list_flatten(column).to_numpy(), pc.list_value_length(column).to_numpy())


def ids_schema(pieces: int) -> pa.Schema:
    """Of the kept table, for vocabularies of so many pieces; `row` is the number of the pair before long ones were left out."""
    ids = pa.list_(pa.uint16() if pieces <= 2**16 else pa.int32())
    return pa.schema([("source", ids), ("target", ids), ("row", pa.int64())])


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


def _batches(pairs: Pairs, tokenizers: TokenizerPair, max_length: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in pairs.dataset.with_format("arrow").iter(batch_size=_BATCH):
        sources = Sequences.of(tokenizers.source.encode(batch.column("source").to_pylist()))
        targets = Sequences.of(tokenizers.target.encode(batch.column("target").to_pylist()))
        kept = np.flatnonzero(np.maximum(sources.lengths, targets.lengths) <= max_length)
        columns = [_array(sources.take(kept), schema), _array(targets.take(kept), schema), pa.array(row + kept)]
        yield pa.record_batch(columns, schema=schema)
        row += len(sources)


def _array(sequences: Sequences, schema: pa.Schema) -> pa.ListArray:
    values = pa.array(sequences.values.astype(schema.field("source").type.value_type.to_pandas_dtype()))
    return pa.ListArray.from_arrays(pa.array(sequences.offsets.astype(np.int32)), values)
