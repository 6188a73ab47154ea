"""What is made of a corpus once, kept on disk by a key of all it depends on; tables are memory-mapped."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from nmt.atomic import remove_leftovers, synchronise
from nmt.errors import UserError

Facts = dict[str, Any]

_TABLE = "table.arrow"
_FACTS = "facts.json"


def cached_folder(key: str, write: Callable[[Path], object]) -> Path:
    """The folder kept under `key`; `write` fills it if there is none yet.

    Several processes may make the same one: each writes a folder of its own, and the first to finish wins.
    Raises UserError that names the cache if it cannot be written (a full disk, say).
    """
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "nmt" / key
    temporary = folder.with_name(f".{key}.{socket.gethostname()}.{os.getpid()}")  # the cache may be shared by machines
    if folder.exists():
        return folder
    try:
        remove_leftovers(temporary)
        temporary.mkdir(parents=True)
        write(temporary)
        for file in [*temporary.rglob("*"), temporary]:
            synchronise(file)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    except OSError as error:
        raise UserError(
            f"the data cache {folder.parent} cannot be written: {error.strerror or error} "
            "(the environment variable HF_DATASETS_CACHE sets another place for it)"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def cached_table(key: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], facts: Facts) -> tuple[datasets.Dataset, Facts]:
    """The table kept under `key`, memory-mapped; written batch by batch if there is none yet.

    `facts` (plain JSON) may be filled while `batches` are drawn; they are kept and given back with the table.
    """

    def write(folder: Path) -> None:
        with pa.OSFile(os.fspath(folder / _TABLE), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        (folder / _FACTS).write_text(json.dumps(facts), "utf-8")

    folder = cached_folder(key, write)
    try:
        kept: Facts = json.loads((folder / _FACTS).read_text("utf-8"))
        return datasets.Dataset.from_file(os.fspath(folder / _TABLE)), kept
    except (OSError, ValueError) as error:
        raise UserError(f"the data cache {folder} is damaged ({error}): delete it and try again") from error
