"""Which target pieces a source can ask for: what keeps the output projection small (Jean et al. 2015; Devlin 2017).

Learned from the training pairs as word translation probabilities (IBM Model 1, Brown et al. 1993), over pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import load, save

from nmt.data.sequences import Sequences
from nmt.errors import UserError
from nmt.plain_data import read_bytes
from nmt.tokenizer import BOS, EOS, PAD, UNK

COMMON = 100
"""Target pieces that any source can ask for: the most frequent ones."""
LIKELIEST = 100
"""The most that one source piece brings in."""
_ITERATIONS = 4
_CHUNK = 2**20  # links, which take 57 bytes each while they are looked up
_LEAST = 1e-4  # of probability
_LEAST_COPIED, _OFTEN = 1e-4, 30
_LIKELIEST = "likeliest_and_itself"  # in the file


@dataclass(frozen=True)
class Shortlist:
    """common [common] and, for each source piece, its likeliest translations [source vocab, likeliest], the last of which is
    itself where it may be copied; PAD where there are fewer, and PAD's own are the empty word's.
    """

    common: np.ndarray
    likeliest: np.ndarray

    def candidates(self, source: np.ndarray) -> np.ndarray:
        """The target pieces [candidates] (int64, ascending) that the sources [sentences, src_len] can ask for together."""
        wanted = np.zeros(self._pieces, dtype=bool)
        for found in (self.common, self.likeliest[PAD], self.likeliest[source]):
            wanted[found] = True
        wanted[[PAD, BOS]] = False
        return np.flatnonzero(wanted)

    @cached_property
    def _pieces(self) -> int:
        """More than the number of any piece in it."""
        return int(max(self.common.max(), self.likeliest.max(), BOS)) + 1

    def save(self, file: Path) -> None:
        """Write the file, in the safetensors format."""
        file.write_bytes(save({"common": self.common, _LIKELIEST: self.likeliest}))

    @classmethod
    def load(cls, file: Path, source_vocab: int, target_vocab: int) -> Shortlist:
        """What ``save`` wrote. Raises ``UserError`` that names the file, if it is damaged or of other vocabularies."""
        content = read_bytes(file)
        try:
            arrays = load(content)
            shortlist = cls(arrays["common"], arrays[_LIKELIEST])
        except (safetensors.SafetensorError, KeyError) as error:
            raise UserError(f"`{file}` is damaged or no shortlist: {error}") from error
        both, int32 = (shortlist.common, shortlist.likeliest), np.dtype("int32")
        if [(one.dtype, one.ndim) for one in both] != [(int32, 1), (int32, 2)] or not all(one.size for one in both):
            raise UserError(f"`{file}` is damaged or no shortlist: it must hold a list and a table of int32, but does not")
        pieces = np.concatenate([one.ravel() for one in both])
        if len(shortlist.likeliest) != source_vocab or pieces.min() < 0 or pieces.max() >= target_vocab:
            raise UserError(f"`{file}` must be of the model's {source_vocab} and {target_vocab} pieces, but is of others")
        return shortlist


def learn_shortlist(sources: Sequences, targets: Sequences, source_vocab: int, target_vocab: int, joint: bool) -> Shortlist:
    """From pairs of piece ids without marks. With a ``joint`` vocabulary a piece may be copied, unless it has been seen often and
    hardly ever was. Memory and time grow with Σ source × target pieces, 8 bytes and 1 µs each.
    """
    frequency = np.bincount(targets.values, minlength=target_vocab)
    frequency[[PAD, BOS, EOS, UNK]] = 0
    common = np.argsort(-frequency, kind="stable")[:COMMON]
    common = np.concatenate([[EOS, UNK], common[frequency[common] > 0]]).astype(np.int32)
    source, target, probability = _translations(sources, targets, source_vocab, target_vocab)
    best = np.lexsort((-probability, source))
    source, target, probability = source[best], target[best], probability[best]
    # The place of each among those of its source piece.
    first = np.searchsorted(source, source)
    place = np.arange(len(source)) - first
    kept = (place < LIKELIEST) & (probability >= _LEAST)
    likeliest = np.full((source_vocab, LIKELIEST + 1), PAD, dtype=np.int32)
    likeliest[source[kept], place[kept]] = target[kept]
    if joint:
        copied = np.bincount(sources.values, minlength=source_vocab) < _OFTEN
        copied[source[(source == target) & (probability >= _LEAST_COPIED)]] = True
        likeliest[copied, LIKELIEST] = np.flatnonzero(copied)
    return Shortlist(common, likeliest)


def _translations(
    sources: Sequences, targets: Sequences, source_vocab: int, target_vocab: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """source, target and t(target | source) of all pieces that occur together, [n] each: IBM Model 1 by EM.

    PAD, put before each source, is its empty word, which takes what no piece of the source brings about.
    """
    sources = sources.begun_by(PAD)
    ends = np.cumsum(sources.lengths * targets.lengths)
    chunks = np.split(np.arange(len(ends)), np.flatnonzero(np.diff(ends // _CHUNK)) + 1)
    found = [_links(sources.take(chunk), targets.take(chunk), target_vocab) for chunk in chunks]
    keys = np.unique(np.concatenate([chunk_keys for chunk_keys, _, _ in found]))
    for chunk_keys, links, _ in found:
        links[:] = np.searchsorted(keys, chunk_keys)[links]  # where they stand, as they are what takes memory
    source, target = keys // target_vocab, keys % target_vocab
    probability = np.ones(len(keys))
    for _ in range(_ITERATIONS):
        counts = np.zeros(len(keys))
        for _, links, written in found:
            weights = probability[links]
            weights /= np.bincount(written, weights)[written]
            counts += np.bincount(links, weights, minlength=len(keys))
        probability = counts / np.maximum(np.bincount(source, counts, minlength=source_vocab), 1e-30)[source]
    return source, target, probability


def _links(sources: Sequences, targets: Sequences, target_vocab: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The keys source × target_vocab + target of what occurs together, ascending; for each link of a source piece with a target
    piece of its pair, in int32, the place of its key, and of its target piece among ``targets.values``.
    """
    links = sources.lengths * targets.lengths
    pair = np.repeat(np.arange(len(links)), links)
    link = np.arange(links.sum()) - (np.cumsum(links) - links)[pair]
    width = targets.lengths[pair]
    written = targets.offsets[pair] + link % width
    keys = sources.values[sources.offsets[pair] + link // width].astype(np.int64) * target_vocab + targets.values[written]
    keys, places = np.unique(keys, return_inverse=True)
    return keys, places.astype(np.int32), written.astype(np.int32)
