"""Which files or dataset a split of a corpus is, and how its rows are read."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nmt.data.config import DataConfig, DataForm
from nmt.data.hub import is_dataset_folder, load_splits, read_columns
from nmt.data.parallel import Row, content_hash, find_text, read_parallel, read_tsv
from nmt.data.toy import toy_pairs
from nmt.errors import UserError

_VALIDATION_NAMES = ("val", "validation", "valid", "dev")


@dataclass(frozen=True)
class Split:
    """Rows to be read, and a key that differs whenever they do."""

    key: str
    read: Callable[[], Iterator[Row]]


class _AbsentSplit(UserError):
    """There is a corpus, but without that split."""


def find(config: DataConfig, names: list[str]) -> Split:
    """The first of the `names` that is there. Raises UserError, OSError."""
    for name in names[:-1]:
        with suppress(_AbsentSplit):
            return _find(config, name)
    return _find(config, names[-1])


def _find(config: DataConfig, split: str) -> Split:
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
    stems = [folder / name for names in (split, config.train, config.validation, config.test) for name in names.split("|")]
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


def _find_toy(config: DataConfig, split: str) -> Split:
    languages = (config.source, config.target)
    if languages not in (("en", "fr"), ("fr", "en")):
        raise UserError(
            "`data.source` and `data.target` of the toy corpus must be `en` and `fr`, "
            f"but are `{config.source}` and `{config.target}` instead"
        )
    pairs = toy_pairs(_choose(config, split, ["train", "val", "test"]), config.seed)
    if languages == ("fr", "en"):
        pairs = [(french, english) for english, french in pairs]
    return Split(hashlib.sha256(repr(pairs).encode()).hexdigest(), lambda: iter(pairs))


def _find_parallel(config: DataConfig, folder: Path, split: str) -> Split:
    sides = (config.source, config.target)
    if not any(find_text(f"{folder / split}.{side}") for side in sides):
        split = _choose(config, split, _prefixes(folder, sides[0]) & _prefixes(folder, sides[1]))
    source, target = (find_text(f"{folder / split}.{side}") for side in sides)
    if source is None or target is None:
        missing, present = sides if source is None else reversed(sides)
        raise UserError(f"{folder / split}.{missing} must be beside {split}.{present}, but does not exist")
    paths = (source, target)
    return Split(content_hash(*paths), lambda: read_parallel(*paths))


def _find_tsv(config: DataConfig, folder: Path, split: str) -> Split:
    if find_text(f"{folder / split}.tsv") is None:
        split = _choose(config, split, _prefixes(folder, "tsv"))
    path = find_text(f"{folder / split}.tsv")
    assert path is not None, "a prefix is what a file begins with"
    key = f"{content_hash(path)} {config.source} {config.target}"
    return Split(key, lambda: read_tsv(path, config.source, config.target))


def _find_dataset(config: DataConfig, folder: Path, split: str) -> Split:
    splits = load_splits(str(folder) if folder.is_dir() else config.path, config.name, split)
    dataset = splits[_choose(config, split, splits)]
    key = f"{dataset._fingerprint} {config.source} {config.target}"
    return Split(key, lambda: read_columns(dataset, config.source, config.target, config.path))


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
    settings = {"data.train": config.train, "data.validation": config.validation, "data.test": config.test}
    key = next((key for key, names in settings.items() if split in names.split("|")), "split")
    raise _AbsentSplit(f"`{key}` must be a split of {place(config)} ({_listing(present)}), but is `{split}` instead")


def place(config: DataConfig) -> str:
    """The corpus by its name, for people."""
    return "the toy corpus" if config.form == DataForm.toy else config.path


def _listing(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:10]) + (", …" if len(first) > 10 else "") if first else "nothing"
