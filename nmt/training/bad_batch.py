"""A batch that training could not get past, kept for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from nmt.data.batch import Batch
from nmt.data.batching import Cursor
from nmt.plain_data import write_json
from nmt.tokenizer import Tokenizer, TokenizerPair


def write_bad_batch(file: Path, step: int, cursor: Cursor, batches: Sequence[Batch], tokenizers: TokenizerPair) -> None:
    """The pairs of the batches of one update, as text and as pieces, with the place of the first batch."""
    pairs = [
        {"source": _described(source, tokenizers.source), "target": _described(target, tokenizers.target)}
        for batch in batches
        for source, target in _ids(batch)
    ]
    write_json(file, {"step": step, **asdict(cursor), "pairs": pairs})


def _ids(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """Source and target ids of each pair, without end marks."""
    rows = batch.positions // batch.target_in.shape[1]
    for row, (source, mask) in enumerate(zip(batch.source, batch.source_mask, strict=True)):
        yield source[mask].tolist()[:-1], batch.labels[rows == row].tolist()[:-1]


def _described(ids: list[int], tokenizer: Tokenizer) -> dict[str, object]:
    return {"text": tokenizer.decode([ids])[0], "pieces": tokenizer.pieces(ids)}
