"""Parallel text in any of its forms becomes `Pairs`: two columns of text, memory-mapped."""

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import compress, islice

import datasets
import numpy as np
import pyarrow as pa

from nmt.data.cache import Facts, cached_table
from nmt.data.config import DataConfig
from nmt.data.parallel import Row
from nmt.data.split import Split, find, place
from nmt.errors import UserError

_SCHEMA = pa.schema([("source", pa.string()), ("target", pa.string())])
_BATCH = 10_000  # rows held in memory at a time


@dataclass(frozen=True)
class Pairs:
    """A split: the text columns `source` and `target` of `dataset`, and sha256 over them in order."""

    dataset: datasets.Dataset
    dropped_blank: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.dataset)

    def sources(self) -> list[str]:
        return list(self.stream("source"))

    def targets(self) -> list[str]:
        return list(self.stream("target"))

    def stream(self, side: str) -> Iterator[str]:
        """One side ("source" or "target") text by text, for corpora that do not fit in memory."""
        for batch in self.dataset.select_columns(side).with_format("arrow").iter(batch_size=_BATCH):
            yield from batch.column(0).to_pylist()


def load_pairs(config: DataConfig, split: str, *, keep_blank: bool = False) -> Pairs:
    """The pairs of a split (or of files whose names begin so), kept in the data cache: quick the next time.

    `split` may give several names, as in `test_2016_flickr|test`, of which the first that is there is taken, and
    ask for a range of its pairs, as in `train[:5000]` or `dev[1000:2000]`; see `DataConfig` for `shuffle`.
    Pairs with a blank side (empty or only white space) are dropped and counted, unless `keep_blank`.
    Raises UserError for whatever is wrong with the path, the split, the languages, the files or their text.
    """
    whole = [_sliced(name)[0] for name in (config.train, config.validation, config.test)]
    config = replace(config, train=whole[0], validation=whole[1], test=whole[2])
    name, part = _sliced(split)
    try:
        found = find(config, name.split("|"))
    except OSError as error:
        raise UserError(f"{error.filename or config.path} cannot be read: {error.strerror}") from error
    rows = _rows(found, part, config)
    order = f" shuffled by {_side_of_chance(config)}" if config.shuffle else ""
    recipe = f"1 {keep_blank} {found.key}" + ("" if part == slice(None) else f" {part}{order}")
    key = "pairs-" + hashlib.sha256(recipe.encode()).hexdigest()[:32]
    facts: Facts = {}
    dataset, facts = cached_table(key, _SCHEMA, _batches(rows, keep_blank, facts), facts)
    if len(dataset) == 0:
        blank = f"{facts['dropped_blank']} with a blank side" if facts["dropped_blank"] else "none"
        raise UserError(
            f"split `{split}` of {place(config)} must have at least one pair with text on both sides, but has {blank} instead"
        )
    return Pairs(dataset, facts["dropped_blank"], facts["fingerprint"])


def overlap(one: str, other: str) -> bool:
    """Whether two splits, as ``load_pairs`` takes them, are ranges of the same name that have pairs in common."""
    (name, part), (other_name, other_part) = _sliced(one), _sliced(other)
    starts, stops = zip(*((each.start or 0, each.stop or sys.maxsize) for each in (part, other_part)), strict=True)
    return name == other_name and max(starts) < min(stops)


def _sliced(split: str) -> tuple[str, slice]:
    """The name and the range of `name[start:stop]`, either of which may be left out; all of `name`. One range after another
    is a part of a part: `dev[1000:][:10]` is `dev[1000:1010]`.
    """
    matched = re.fullmatch(r"([^\[]*)((?:\[\d*:\d*\])*)", split)
    if matched is not None:
        start, stop = 0, sys.maxsize
        for low, high in re.findall(r"(\d*):(\d*)", matched[2]):
            start, stop = start + int(low or 0), min(stop, start + int(high or sys.maxsize))
        if start < stop:
            return matched[1], slice(start or None, stop if stop < sys.maxsize else None)
    raise UserError(f"a part of a split must be a range of its pairs, as in `train[:5000]`, but is `{split}` instead")


def _rows(found: Split, part: slice, config: DataConfig) -> Iterator[Row]:
    """The rows of the `part`: in the order of the split, whichever they were counted in."""
    if not config.shuffle or part == slice(None):
        yield from islice(found.read(), part.start, part.stop)
        return
    side = _side_of_chance(config)
    places = np.fromiter((_place(row[side]) for row in found.read()), np.uint64)
    chosen = np.zeros(len(places), bool)
    chosen[np.argsort(places, kind="stable")[part]] = True
    yield from compress(found.read(), chosen)


def _side_of_chance(config: DataConfig) -> int:
    """The side whose text gives the order of chance, the same language in both directions: a model of the other one must not
    have learned what this one is measured by.
    """
    return 0 if config.source < config.target else 1


def _place(text: str) -> int:
    """Where pairs with this text stand in the order of chance: the same in all processes and corpora."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _batches(rows: Iterator[Row], keep_blank: bool, facts: Facts) -> Iterator[pa.RecordBatch]:
    """The rows in Arrow; when they end, `facts` has the number dropped and the hash of those kept."""
    content, dropped = hashlib.sha256(), 0
    while block := list(islice(rows, _BATCH)):
        kept = [row for row in block if keep_blank or (row[0].strip() and row[1].strip())]
        dropped += len(block) - len(kept)
        for text in (side.encode() for row in kept for side in row):
            content.update(b"%d " % len(text) + text)  # with its length, lest ("ab", "c") be ("a", "bc")
        yield pa.record_batch([[row[side] for row in kept] for side in (0, 1)], schema=_SCHEMA)
    facts |= {"dropped_blank": dropped, "fingerprint": "sha256:" + content.hexdigest()}
