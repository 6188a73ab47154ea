"""Synthetic pairs: a sentence of the corpus and its translation by a model, which train beside the real pairs."""

import hashlib
from dataclasses import replace
from pathlib import Path

import datasets

from nmt.data.config import DataConfig, DataForm
from nmt.data.corpus import Pairs, load_pairs
from nmt.data.parallel import find_text
from nmt.errors import UserError


def with_synthetic(real: Pairs, config: DataConfig) -> Pairs:
    """`real`, and after it the pairs of `config.synthetic`. Raises UserError for whatever is wrong with these files."""
    parts = [real, *(_load(prefix, config) for prefix in config.synthetic)]
    if len(parts) == 1:
        return real
    fingerprint = hashlib.sha256(" ".join(part.fingerprint for part in parts).encode()).hexdigest()
    dataset = datasets.concatenate_datasets([part.dataset for part in parts])
    return Pairs(dataset, sum(part.dropped_blank for part in parts), f"sha256:{fingerprint}")


def _load(prefix: str, config: DataConfig) -> Pairs:
    for language in (config.source, config.target):
        if find_text(f"{Path(prefix).expanduser()}.{language}") is None:
            raise UserError(f"`data.synthetic` must name the beginnings of files, but {prefix}.{language} does not exist")
    path = Path(prefix)
    return load_pairs(replace(config, path=str(path.parent), form=DataForm.parallel), path.name)
