"""The corpus of a run: both splits, read and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nmt.data.corpus import Pairs, load_pairs, overlap
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.data.synthetic import with_synthetic
from nmt.errors import UserError
from nmt.tokenizer import TokenizerPair
from nmt.training.job import Job
from nmt.training.processes import Processes
from nmt.training.reporting import Reporter
from nmt.training.state import Fingerprints


@dataclass
class Corpus:
    """What a model is trained and validated on."""

    train: Pairs
    validation: Pairs
    tokenizers: TokenizerPair
    encoded: EncodedPairs
    encoded_validation: EncodedPairs

    @property
    def fingerprints(self) -> Fingerprints:
        """Of the texts and of the tokenizers."""
        return Fingerprints(self.train.fingerprint, self.validation.fingerprint, *self.tokenizers.fingerprints)


def read_corpus(job: Job, tokenizer: Path, reporter: Reporter, processes: Processes) -> Corpus:
    """Read the corpus, make its tokenizers or take those in the directory ``tokenizer`` of a run that goes on, and encode
    both splits; say what was left out.

    Raises ``UserError`` if not all of the ``processes`` find the same.
    """
    with processes.leader_first():
        corpus = _read(job, tokenizer, reporter)
    processes.wait()  # longer than gathering does, for those that read from a slow disk
    if not processes.agree_on(corpus.fingerprints):  # they would train on nonsense
        raise UserError("all processes must read the same corpus and tokenizers, but some found others: share `data.path`")
    return corpus


def _read(job: Job, tokenizer: Path, reporter: Reporter) -> Corpus:
    real = load_pairs(job.data, job.data.train)
    train = with_synthetic(real, job.data)
    validation = load_pairs(job.data, job.data.validation)
    tokenizers = TokenizerPair.load(tokenizer) if job.resume else cached_tokenizers(real, job.tokenizer.into(job.data.target))
    encoded = EncodedPairs.from_pairs(train, tokenizers, job.data.max_length)
    encoded_validation = EncodedPairs.from_pairs(validation, tokenizers, job.data.max_length)
    made = len(train) - len(real)
    origin = f" of {len(real):,} real and {made:,} synthetic ones" if made else ""
    reporter.line(
        f"train: {len(encoded):,} pairs{origin} ({train.dropped_blank} with a blank side and {encoded.dropped_long}"
        f" over {job.data.max_length} pieces left out); validation: {len(validation):,} pairs"
        f" ({validation.dropped_blank} with a blank side left out, {encoded_validation.dropped_long} over"
        f" {job.data.max_length} pieces not in the loss)"
    )
    if validation.fingerprint == real.fingerprint:
        reporter.line("warning: the validation set is the training set, so what it measures is learning by heart")
    elif overlap(job.data.train, job.data.validation):
        settings = f"`data.train` ({job.data.train}) and `data.validation` ({job.data.validation})"
        reporter.line(f"warning: {settings} have pairs in common, so that learning by heart is measured too")
    kind = "joint" if tokenizers.joint else f"source, {len(tokenizers.target)} target"
    reporter.line(f"tokenizer: {len(tokenizers.source)} {kind} pieces")
    return Corpus(train, validation, tokenizers, encoded, encoded_validation)
