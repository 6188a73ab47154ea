"""Decoding by OpenNMT-py, in its own environment: ``python -m benchmarks.decode_opennmt CONFIG JOB OUTPUT``.

From pieces to pieces by its own batches and its own search, without a length penalty, which would take time.
"""

from __future__ import annotations

import sys

import torch
from onmt.constants import ModelTask
from onmt.inputters.inputter import build_vocab
from onmt.inputters.text_utils import textbatch_to_tensor
from onmt.model_builder import build_model
from onmt.opts import train_opts
from onmt.translate import GNMTGlobalScorer, Translator
from onmt.utils.parse import ArgumentParser

from benchmarks.decoding import Job, Sentences, Translate, run


def translator(config: str, steps: int) -> Translate:
    """With the weights that it starts from."""
    parser = ArgumentParser()
    train_opts(parser)
    options, _ = parser.parse_known_args(["-config", config])
    ArgumentParser.update_model_opts(options)
    ArgumentParser.validate_model_opts(options)
    options.data_task = ModelTask.SEQ2SEQ
    vocabularies = build_vocab(options, {"src": [], "tgt": []})
    model = build_model(options, options, vocabularies, None, -1).eval()
    scorer = GNMTGlobalScorer(alpha=0.0, beta=0.0, length_penalty="none", coverage_penalty="none")
    found_by = Translator(model, vocabularies, min_length=steps, max_length=steps, max_length_ratio=0, global_scorer=scorer)
    names = vocabularies["tgt"].ids_to_tokens

    def translate(sentences: Sentences, beam_size: int, n_best: int) -> list[Sentences]:
        examples = [{"src": {"src": " ".join(sentence)}, "tgt": None} for sentence in sentences]
        [(batch, _)] = textbatch_to_tensor(vocabularies, examples, torch.device("cpu"))
        found_by.beam_size, found_by.n_best = beam_size, n_best
        found = found_by.translate_batch(batch, attn_debug=False)["predictions"]
        return [[[names[token] for token in tokens.tolist()] for tokens in hypotheses] for hypotheses in found]

    return translate


if __name__ == "__main__":
    _config, _job, _output = sys.argv[1:]
    _read = Job.read(_job)
    assert _read.steps is not None
    run("OpenNMT-py", translator(_config, _read.steps), _read, _output)
