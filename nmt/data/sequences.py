"""Sequences of token ids laid end to end, as Arrow keeps them: two arrays, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmt.tokenizer import PAD


@dataclass(frozen=True)
class Sequences:
    """Sequence i is ``values[offsets[i] : offsets[i + 1]]``: values [total] of any integer type, offsets int64 [count + 1]."""

    values: NDArray[np.integer[Any]]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, sequences: Sequences | Iterable[Sequence[int]]) -> Sequences:
        """Those of lists (or whatever else holds sequences of ids)."""
        if isinstance(sequences, Sequences):
            return sequences
        lists = list(sequences)
        return cls.of_lengths(np.fromiter(chain.from_iterable(lists), dtype=np.int32), list(map(len, lists)))

    @classmethod
    def of_lengths(cls, values: NDArray[np.integer[Any]], lengths: Sequence[int] | NDArray[np.integer[Any]]) -> Sequences:
        """``values`` cut into sequences of these lengths."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))

    @classmethod
    def joined(cls, parts: Sequence[Sequences]) -> Sequences:
        """All sequences of the parts, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        return cls.of_lengths(np.concatenate([part.values for part in parts]), lengths)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 [count]"""
        return np.diff(self.offsets)

    def tolist(self) -> list[list[int]]:
        """The sequences as lists."""
        return [part.tolist() for part in np.split(self.values, self.offsets[1:-1])] if len(self) else []

    def take(self, indices: NDArray[np.integer[Any]]) -> Sequences:
        """The sequences of these indices, in this order."""
        lengths = self.lengths[indices]
        ends = np.cumsum(lengths)
        # In the result, value number k of sequence i stands at ends[i] − lengths[i] + k.
        places = np.repeat(self.offsets[indices] - (ends - lengths), lengths) + np.arange(lengths.sum())
        return self.of_lengths(self.values[places], lengths)

    def begun_by(self, mark: int) -> Sequences:
        """Each with ``mark`` before it."""
        return Sequences(np.insert(self.values, self.offsets[:-1], mark), self.offsets + np.arange(len(self.offsets)))

    def ended_by(self, mark: int) -> Sequences:
        """Each with ``mark`` after it."""
        return Sequences(np.insert(self.values, self.offsets[1:], mark), self.offsets + np.arange(len(self.offsets)))


Lists: TypeAlias = Sequences | Iterable[Sequence[int]]


def pad(sequences: Lists) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of ids → ids [batch, length] (int64) padded at the end, mask [batch, length]."""
    flat = Sequences.of(sequences)
    lengths = flat.lengths
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids = np.full(mask.shape, PAD, dtype=np.int64)
    ids[mask] = flat.values
    return ids, mask
