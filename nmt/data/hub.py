"""Hugging Face `datasets`: hub ids, folders of data files, folders written by `save_to_disk`."""

import glob
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import datasets
import pandas
import pyarrow as pa

from nmt.data.parallel import Row
from nmt.errors import UserError

_BUILDERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv", ".arrow": "arrow"}
_SAVED_SPLITS, _SAVED_SPLIT = "dataset_dict.json", "state.json"  # what `save_to_disk` leaves


def is_dataset_folder(folder: Path) -> bool:
    """Whether `folder`, or a folder in it, has files that `datasets` reads or that `save_to_disk` wrote."""
    return any(_builder(path.name) for depth in ("*", "*/*") for path in folder.glob(depth))


def load_splits(path: str, name: str | None, split: str) -> dict[str, datasets.Dataset]:
    """The splits of a hub dataset (`name` is its configuration) or of a folder, memory-mapped.

    If a file of the folder is called just `split` (`val.jsonl`), only that one: `datasets` takes all files
    that begin with "test" for one split. Raises UserError if they cannot be had.
    """
    local = Path(path).is_dir()
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(logging.CRITICAL)  # what is wrong is told below
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # cells that pandas would leave out
            return _load_folder(Path(path), split) if local else dict(datasets.load_dataset(path, name))
    # Network, hub, archives, five file formats: there is no list of what `datasets` can raise.
    except Exception as error:
        detail = error.__cause__ if local and error.__cause__ else error
        reason = " ".join(str(detail).split()) or "it has no data"
        rule = "hold a readable dataset" if local else "be a folder or the id of a hub dataset within reach"
        raise UserError(f"`data.path` must {rule}, but is {path} instead ({reason})") from error


def _load_folder(folder: Path, split: str) -> dict[str, datasets.Dataset]:
    path = str(folder)
    if (folder / _SAVED_SPLITS).is_file():
        return dict(datasets.load_from_disk(path))
    if (folder / _SAVED_SPLIT).is_file():
        saved = datasets.load_from_disk(path)
        return {str(saved.split or split): saved}
    # pandas would read the words "NA", "None" and "null" of a CSV file as missing, and the first column as names of the rows
    # if the first of them has a cell more than the header
    words = {"keep_default_na": False, "index_col": False}
    for file in sorted(folder.iterdir()):
        builder = _builder(file.name)
        if builder and Path(file.name.removesuffix(".gz")).stem == split:
            options = words if builder == "csv" else {}
            return {split: datasets.load_dataset(builder, data_files=glob.escape(str(file)), split="train", **options)}
    builders = Counter(filter(None, (_builder(file.name) for file in folder.rglob("*")))).most_common(1)
    options = words if builders and builders[0][0] == "csv" else {}
    return dict(datasets.load_dataset(path, **options))


def _builder(name: str) -> str | None:
    return _BUILDERS.get(Path(name.removesuffix(".gz")).suffix)


def read_columns(dataset: datasets.Dataset, source: str, target: str, path: str) -> Iterator[Row]:
    """The two languages of a dataset: its columns of these names, else those fields of `translation`.

    A missing value is a blank side. Raises UserError, with the columns, if a language is missing or no text.
    """
    schema: pa.Schema = dataset.features.arrow_schema
    nested = not {source, target} <= set(schema.names) and "translation" in schema.names
    if nested and not pa.types.is_struct(schema.field("translation").type):
        raise UserError(
            f"{path} must have columns `{source}` and `{target}`, or a `translation` of both in each row, "
            f"but has {', '.join(schema.names)} instead"
        )
    types = {field.name: field.type for field in (schema.field("translation").type if nested else schema)}
    for key, language in (("data.source", source), ("data.target", target)):
        if language not in types:
            raise UserError(f"`{key}` must be a column of {path} ({', '.join(types)}), but is `{language}` instead")
        if not pa.types.is_string(types[language]) and not pa.types.is_large_string(types[language]):
            raise UserError(f"column `{language}` of {path} must be text, but is {types[language]} instead")
    columns = dataset.select_columns(["translation"] if nested else [source, target]).with_format("arrow")
    for batch in columns.iter(batch_size=1000):
        flat, prefix = (batch.flatten(), "translation.") if nested else (batch, "")
        sides = (flat.column(prefix + language).to_pylist() for language in (source, target))
        yield from ((left or "", right or "") for left, right in zip(*sides, strict=True))
