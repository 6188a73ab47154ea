"""Decoding by Joey NMT, in its own environment: ``python -m benchmarks.decode_joeynmt CONFIG JOB OUTPUT``.

Its ``predict`` is left out, as it cannot ask for a least length, and with it a progress bar and a data loader: from pieces to
pieces by its vocabulary, batch and search, without a length penalty, which would take time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.config import parse_global_args
from joeynmt.helpers import expand_reverse_index
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import build_vocab

from benchmarks.decoding import Job, Sentences, Translate, run


def translator(config: dict[str, Any], steps: int) -> Translate:
    """With the weights that it starts from."""
    settings = parse_global_args(config)
    source, target = build_vocab(settings.data)
    model = build_model(settings.model, source, target).eval()

    def translate(sentences: Sentences, beam_size: int, n_best: int) -> list[Sentences]:
        ids, lengths, _ = source.sentences_to_ids(sentences, bos=False, eos=True)
        batch = Batch(
            src=torch.tensor(ids),
            src_length=torch.tensor(lengths),
            src_prompt_mask=None,
            trg=None,
            trg_prompt_mask=None,
            indices=torch.arange(len(ids)),
            device=settings.device,
            pad_index=model.pad_index,
            eos_index=model.eos_index,
            is_train=False,
        )
        order = expand_reverse_index(batch.sort_by_src_length(), n_best)  # its encoder needs the longest first
        limits = {"max_output_length": steps, "min_output_length": steps}
        found, _, _ = search(model, batch, beam_size=beam_size, beam_alpha=-1, n_best=n_best, **limits)
        pieces = target.arrays_to_sentences(found[order])
        return [pieces[start : start + n_best] for start in range(0, len(pieces), n_best)]

    return translate


if __name__ == "__main__":
    _config, _job, _output = sys.argv[1:]
    _read = Job.read(_job)
    assert _read.steps is not None
    run("joeynmt", translator(json.loads(Path(_config).read_text(encoding="utf-8")), _read.steps), _read, _output)
