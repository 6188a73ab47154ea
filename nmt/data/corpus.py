"""Parallel text in any of its forms becomes `Pairs`: two columns of text, memory-mapped."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import datasets
import pyarrow as pa

from nmt.data.cache import Facts, cached_table
from nmt.data.hub import is_dataset_folder, load_splits, read_columns
from nmt.data.parallel import Row, content_hash, find_text, read_parallel, read_tsv
from nmt.data.toy import toy_pairs
from nmt.errors import StrEnum, UserError

_SCHEMA = pa.schema([("source", pa.string()), ("target", pa.string())])
_BATCH = 10_000  # rows held in memory at a time
_VALIDATION_NAMES = ("val", "validation", "valid", "dev")


class DataForm(StrEnum):
    auto = "auto"
    parallel = "parallel"
    dataset = "dataset"
    tsv = "tsv"
    toy = "toy"


@dataclass
class DataConfig:
    """Where the corpus is, and what its languages and splits are called.

    `path` is a folder or a hub id, `name` a configuration of a hub dataset; `source` and `target` are columns
    or ends of file names, `train`, `validation`, `test` are splits or beginnings of file names. `form=auto`
    is found by looking. `max_length` is in pieces: longer pairs do not train. `seed` is for the toy corpus.
    """

    path: str = ""
    source: str = ""
    target: str = ""
    train: str = "train"
    validation: str = "val"
    test: str = "test"
    name: str | None = None
    form: DataForm = DataForm.auto
    max_length: int = 256
    seed: int = 1

    def __post_init__(self) -> None:
        if self.max_length < 1:
            raise UserError(f"`data.max_length` must be at least 1, but is {self.max_length} instead")
        if self.source and self.source == self.target:
            raise UserError(f"`data.target` must differ from `data.source`, but is `{self.target}` too")


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


@dataclass(frozen=True)
class _Split:
    """Rows to be read, and a key that differs whenever they do."""

    key: str
    read: Callable[[], Iterator[Row]]


def load_pairs(config: DataConfig, split: str, *, keep_blank: bool = False) -> Pairs:
    """The pairs of a split (or of files whose names begin so), kept in the data cache: quick the next time.

    `split` may give several names, as in `test_2016_flickr|test`, of which the first that is there is taken.
    Pairs with a blank side (empty or only white space) are dropped and counted, unless `keep_blank`.
    Raises UserError for whatever is wrong with the path, the split, the languages, the files or their text.
    """
    try:
        found = _find_first(config, split.split("|"))
    except OSError as error:
        raise UserError(f"{error.filename or config.path} cannot be read: {error.strerror}") from error
    key = "pairs-" + hashlib.sha256(f"1 {keep_blank} {found.key}".encode()).hexdigest()[:32]
    facts: Facts = {}
    dataset, facts = cached_table(key, _SCHEMA, _batches(found, keep_blank, facts), facts)
    if len(dataset) == 0:
        blank = f"{facts['dropped_blank']} with a blank side" if facts["dropped_blank"] else "none"
        raise UserError(
            f"split `{split}` of {_place(config)} must have at least one pair with text on both sides, but has {blank} instead"
        )
    return Pairs(dataset, facts["dropped_blank"], facts["fingerprint"])


def _batches(found: _Split, keep_blank: bool, facts: Facts) -> Iterator[pa.RecordBatch]:
    """The rows in Arrow; when they end, `facts` has the number dropped and the hash of those kept."""
    content, dropped = hashlib.sha256(), 0
    rows = found.read()
    while block := list(islice(rows, _BATCH)):
        kept = [row for row in block if keep_blank or (row[0].strip() and row[1].strip())]
        dropped += len(block) - len(kept)
        for text in (side.encode() for row in kept for side in row):
            content.update(b"%d " % len(text) + text)  # with its length, lest ("ab", "c") be ("a", "bc")
        yield pa.record_batch([[row[side] for row in kept] for side in (0, 1)], schema=_SCHEMA)
    facts |= {"dropped_blank": dropped, "fingerprint": "sha256:" + content.hexdigest()}


class _AbsentSplit(UserError):
    """There is a corpus, but without that split."""


def _find_first(config: DataConfig, names: list[str]) -> _Split:
    for name in names[:-1]:
        with suppress(_AbsentSplit):
            return _find(config, name)
    return _find(config, names[-1])


def _find(config: DataConfig, split: str) -> _Split:
    for key, value in (("source", config.source), ("target", config.target)):
        if not value:
            raise UserError(f"`data.{key}` must name a language, but is empty instead")
    folder = Path(config.path).expanduser()
    match config.form if config.form == DataForm.toy else _form(config, folder, split):
        case DataForm.toy:
            return _find_toy(config, split)
        case DataForm.parallel:
            return _find_parallel(config, folder, split)
        case DataForm.tsv:
            return _find_tsv(config, folder, split)
        case _:
            return _find_dataset(config, folder, split)


def _form(config: DataConfig, folder: Path, split: str) -> DataForm:
    """The form asked for or, if that is `auto`, the one that the folder shows."""
    local = config.path.startswith(("/", "~", ".")) or config.path.count(os.sep) > 1
    if not folder.exists() and (local or config.form in (DataForm.parallel, DataForm.tsv)):
        raise UserError(f"`data.path` must be a folder or a hub id, but {config.path} does not exist")
    if not config.path or folder.is_file():
        what = f"the file {config.path}" if config.path else "empty"
        raise UserError(f"`data.path` must be a folder or a hub id, but is {what} instead")
    if config.form != DataForm.auto or not folder.exists():
        return config.form
    stems = [folder / prefix for prefix in (split, config.train, config.validation, config.test)]
    if any(find_text(f"{stem}.{side}") for stem in stems for side in (config.source, config.target)):
        return DataForm.parallel
    if any(find_text(f"{stem}.tsv") for stem in stems):
        return DataForm.tsv
    if is_dataset_folder(folder):
        return DataForm.dataset
    raise UserError(
        f"`data.path` must be a folder with {split}.{config.source} and {split}.{config.target}, {split}.tsv "
        "or a dataset (jsonl, json, parquet, csv, arrow), "
        f"but {config.path} has {_listing(os.listdir(folder))} instead"
    )


def _find_toy(config: DataConfig, split: str) -> _Split:
    languages = (config.source, config.target)
    if languages not in (("en", "fr"), ("fr", "en")):
        raise UserError(
            "`data.source` and `data.target` of the toy corpus must be `en` and `fr`, "
            f"but are `{config.source}` and `{config.target}` instead"
        )
    pairs = toy_pairs(_choose(config, split, ["train", "val", "test"]), config.seed)
    if languages == ("fr", "en"):
        pairs = [(french, english) for english, french in pairs]
    return _Split(hashlib.sha256(repr(pairs).encode()).hexdigest(), lambda: iter(pairs))


def _find_parallel(config: DataConfig, folder: Path, split: str) -> _Split:
    sides = (config.source, config.target)
    if not any(find_text(f"{folder / split}.{side}") for side in sides):
        split = _choose(config, split, _prefixes(folder, sides[0]) & _prefixes(folder, sides[1]))
    source, target = (find_text(f"{folder / split}.{side}") for side in sides)
    if source is None or target is None:
        missing, present = sides if source is None else reversed(sides)
        raise UserError(f"{folder / split}.{missing} must be beside {split}.{present}, but does not exist")
    paths = (source, target)
    return _Split(content_hash(*paths), lambda: read_parallel(*paths))


def _find_tsv(config: DataConfig, folder: Path, split: str) -> _Split:
    path = find_text(f"{folder / _choose(config, split, _prefixes(folder, 'tsv'))}.tsv")
    assert path is not None, "a prefix is what a file begins with"
    key = f"{content_hash(path)} {config.source} {config.target}"
    return _Split(key, lambda: read_tsv(path, config.source, config.target))


def _find_dataset(config: DataConfig, folder: Path, split: str) -> _Split:
    splits = load_splits(str(folder) if folder.is_dir() else config.path, config.name, split)
    dataset = splits[_choose(config, split, splits)]
    key = f"{dataset._fingerprint} {config.source} {config.target}"
    return _Split(key, lambda: read_columns(dataset, config.source, config.target, config.path))


def _prefixes(folder: Path, suffix: str) -> set[str]:
    names = (name.removesuffix(".gz") for name in os.listdir(folder))
    return {name.removesuffix(f".{suffix}") for name in names if name.endswith(f".{suffix}")}


def _choose(config: DataConfig, split: str, present: Iterable[str]) -> str:
    """`split` or, if it is not there, the only one present of the names that validation sets usually have."""
    present = sorted(present)
    if split in present:
        return split
    usual = [name for name in present if name in _VALIDATION_NAMES]
    if split in _VALIDATION_NAMES and len(usual) == 1:
        return usual[0]
    keys = {config.test: "data.test", config.validation: "data.validation", config.train: "data.train"}
    key = keys.get(split, "split")
    raise _AbsentSplit(f"`{key}` must be a split of {_place(config)} ({_listing(present)}), but is `{split}` instead")


def _place(config: DataConfig) -> str:
    return "the toy corpus" if config.form == DataForm.toy else config.path


def _listing(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:10]) + (", …" if len(first) > 10 else "") if first else "nothing"
