"""Decoding by CTranslate2, in OpenNMT-py's environment: ``python -m benchmarks.decode_ctranslate2 MODEL JOB OUTPUT``."""

from __future__ import annotations

import sys

import ctranslate2

from benchmarks.decoding import Job, Sentences, Translate, run


def translator(folder: str, job: Job) -> Translate:
    """In 8 bits, on one thread."""
    model = ctranslate2.Translator(folder, device="cpu", compute_type="int8", inter_threads=1, intra_threads=1)

    def translate(sentences: Sentences, beam_size: int, n_best: int) -> list[Sentences]:
        found = model.translate_batch(
            sentences,
            max_batch_size=job.batch_size,
            batch_type="examples",
            beam_size=beam_size,
            num_hypotheses=n_best,
            min_decoding_length=job.steps,
            max_decoding_length=job.steps,
            return_scores=False,
        )
        return [one.hypotheses for one in found]

    return translate


if __name__ == "__main__":
    _folder, _job, _output = sys.argv[1:]
    _read = Job.read(_job)
    run("ctranslate2", translator(_folder, _read), _read, _output)
