"""The corpus as pieces of one vocabulary, for all systems: ``python -m benchmarks.corpus DATA PIECES FOLDER OUTPUT``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import LANGUAGES
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import cached_tokenizers
from nmt.tokenizer import UNK, Tokenizer, TokenizerConfig

SPLITS = ("train", "val")


def write_corpus(data: str, pieces: int, folder: Path) -> dict[str, Any]:
    """Train a joint vocabulary and leave in ``folder``: tokenizer.model, vocabulary, and train.en, train.de, val.en, val.de, as
    the functions below write them.

    Returns the numbers of the training set, end marks counted: ``sentences``, ``source_tokens``, ``target_tokens`` and
    ``attended``, the sum over sentences of source × target tokens.
    """
    config = DataConfig(path=data, source=LANGUAGES[0], target=LANGUAGES[1])
    splits = {split: load_pairs(config, split) for split in SPLITS}
    tokenizers = cached_tokenizers(splits["train"], TokenizerConfig(vocab_size=pieces))
    tokenizers.save(folder)
    write_vocabulary(tokenizers.source, folder / "vocabulary")
    lengths = {}
    for split, pairs in splits.items():
        for language, texts in zip(LANGUAGES, (pairs.sources(), pairs.targets()), strict=True):
            counts = write_pieces(tokenizers.source, texts, folder / f"{split}.{language}")
            lengths[split, language] = [count + 1 for count in counts]
    source, target = (lengths["train", language] for language in LANGUAGES)
    return {
        "sentences": len(source),
        "source_tokens": sum(source),
        "target_tokens": sum(target),
        "attended": sum(s * t for s, t in zip(source, target, strict=True)),
    }


def write_vocabulary(tokenizer: Tokenizer, file: Path) -> None:
    """A piece a line, without the special ones."""
    pieces = tokenizer.pieces(range(UNK + 1, len(tokenizer)))
    file.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")


def write_pieces(tokenizer: Tokenizer, texts: Sequence[str], file: Path) -> list[int]:
    """A sentence a line, its pieces separated by spaces; returns how many they are."""
    sentences = tokenizer.encode(texts)
    file.write_text("".join(" ".join(tokenizer.pieces(ids)) + "\n" for ids in sentences), encoding="utf-8")
    return [len(ids) for ids in sentences]


if __name__ == "__main__":
    _data, _pieces, _folder, _output = sys.argv[1:]
    Path(_output).write_text(json.dumps(write_corpus(_data, int(_pieces), Path(_folder))), encoding="utf-8")
