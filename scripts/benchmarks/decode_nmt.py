"""Decoding by this project: ``python -m benchmarks.decode_nmt MODEL RUNTIME REFERENCES JOB OUTPUT``.

REFERENCES is a file, a sentence a line, or empty if nothing is to be scored.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.decoding import Job, Sentences, Translate, run
from benchmarks.systems import RUNTIMES
from nmt.backends import Backend, model_of
from nmt.data.sequences import pad
from nmt.model_directory import LoadedModel, load_model_directory
from nmt.search import Beam, Greedy, SearchStrategy
from nmt.tokenizer import EOS, Tokenizer


def translator(loaded: LoadedModel, runtime: str, steps: int | None) -> Translate:
    """With the model's own beam search. A model whose translations have a fixed length never gives the end mark."""
    backend, quantised, shortlist = RUNTIMES[runtime]
    model = model_of(loaded, "cpu", Backend(backend), quantised=quantised, shortlist=shortlist, num_threads=1)
    ids, pieces = numbers(loaded.tokenizers.source), loaded.tokenizers.target.pieces
    beam = loaded.search if isinstance(loaded.search, Beam) else Beam()
    limits: dict[str, Any] = {} if steps is None else {"max_length_ratio": 0.0, "max_length_offset": steps}

    @cache
    def search(beam_size: int, n_best: int) -> SearchStrategy:
        return Greedy(**limits) if beam_size == 1 else replace(beam, beam_size=beam_size, n_best=n_best, **limits)

    def translate(sentences: Sentences, beam_size: int, n_best: int) -> list[Sentences]:
        source, mask = pad([[*(ids[piece] for piece in sentence), EOS] for sentence in sentences])
        found = search(beam_size, n_best)(model, source, mask)
        return [[pieces(hypothesis.tokens) for hypothesis in hypotheses] for hypotheses in found]

    return translate


def bleu_of(translations: Sentences, tokenizer: Tokenizer, references: Path) -> float:
    """sacreBLEU's, tokenised as 13a."""
    from nmt.evaluation import bleu

    ids = numbers(tokenizer)
    texts = tokenizer.decode([[ids[piece] for piece in sentence] for sentence in translations])
    return bleu(texts, references.read_text(encoding="utf-8").split("\n")[:-1], tokenize="13a").score


def numbers(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of the pieces."""
    return {piece: number for number, piece in enumerate(tokenizer.pieces(range(len(tokenizer))))}


if __name__ == "__main__":
    _model, _runtime, _references, _job, _output = sys.argv[1:]
    _loaded, _read = load_model_directory(_model), Job.read(_job)
    run(
        "torch" if RUNTIMES[_runtime][0] == "torch" else "onnxruntime",
        translator(_loaded, _runtime, _read.steps),
        _read,
        _output,
        (lambda found: bleu_of(found, _loaded.tokenizers.target, Path(_references))) if _references else None,
    )
