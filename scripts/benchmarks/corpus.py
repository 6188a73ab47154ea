"""The corpus as pieces of one vocabulary, for all systems: ``python -m benchmarks.corpus DATA PIECES FOLDER OUTPUT``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.rows import LANGUAGES
from nmt.data.corpus import DataConfig, load_pairs
from nmt.data.encoded import cached_tokenizers
from nmt.tokenizer import UNK, TokenizerConfig

SPLITS = ("train", "val")


def write_corpus(data: str, pieces: int, folder: Path) -> dict[str, Any]:
    """Train a joint vocabulary and leave in ``folder``: tokenizer.model, vocabulary (a piece a line, without the special
    ones), and train.en, train.de, val.en, val.de, a sentence a line, its pieces separated by spaces.

    Returns the numbers of the training set, end marks counted: ``sentences``, ``source_tokens``, ``target_tokens`` and
    ``attended``, the sum over sentences of source × target tokens.
    """
    config = DataConfig(path=data, source=LANGUAGES[0], target=LANGUAGES[1])
    splits = {split: load_pairs(config, split) for split in SPLITS}
    tokenizers = cached_tokenizers(splits["train"], TokenizerConfig(vocab_size=pieces))
    tokenizer = tokenizers.source
    tokenizers.save(folder)
    vocabulary = tokenizer.pieces(range(UNK + 1, len(tokenizer)))
    (folder / "vocabulary").write_text("".join(f"{piece}\n" for piece in vocabulary), encoding="utf-8")
    lengths = {}
    for split, pairs in splits.items():
        for language, texts in zip(LANGUAGES, (pairs.sources(), pairs.targets()), strict=True):
            sentences = tokenizer.encode(texts)
            lines = [" ".join(tokenizer.pieces(ids)) for ids in sentences]
            (folder / f"{split}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            lengths[split, language] = [len(ids) + 1 for ids in sentences]
    source, target = (lengths["train", language] for language in LANGUAGES)
    return {
        "sentences": len(source),
        "source_tokens": sum(source),
        "target_tokens": sum(target),
        "attended": sum(s * t for s, t in zip(source, target, strict=True)),
    }


if __name__ == "__main__":
    _data, _pieces, _folder, _output = sys.argv[1:]
    Path(_output).write_text(json.dumps(write_corpus(_data, int(_pieces), Path(_folder))), encoding="utf-8")
