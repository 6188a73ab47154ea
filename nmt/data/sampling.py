"""Subword sampling in processes of its own: SentencePiece holds the interpreter's lock as long as it samples."""

import multiprocessing
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait

from nmt.data.sequences import Sequences
from nmt.tokenizer import Tokenizer, TokenizerPair

Sample = tuple[Sequences, Sequences]


@dataclass(frozen=True)
class Sampler:
    """Draws segmentations of pairs of texts. One of more than ``max_length`` pieces gives way to the best."""

    tokenizers: TokenizerPair
    alpha: float
    max_length: int

    def __call__(self, sources: list[str], targets: list[str], seeds: tuple[int, int]) -> Sample:
        """Ids of both sides; the same seeds draw the same, in any process."""
        return self._side(self.tokenizers.source, sources, seeds[0]), self._side(self.tokenizers.target, targets, seeds[1])

    def _side(self, tokenizer: Tokenizer, texts: list[str], seed: int) -> Sequences:
        ids = tokenizer.sample(texts, self.alpha, seed)
        long = [i for i, sequence in enumerate(ids) if len(sequence) > self.max_length]
        for i, best in zip(long, tokenizer.encode([texts[i] for i in long]), strict=True):
            ids[i] = best
        return Sequences.of(ids)


class SamplingProcesses:
    """``count`` processes that sample. They are begun by the first call, end with ``close``, and die with this process."""

    def __init__(self, sampler: Sampler, count: int) -> None:
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (sampler,))

    def __call__(self, sources: list[str], targets: list[str], seeds: tuple[int, int]) -> "Future[Sample]":
        """What ``Sampler`` gives, in the future."""
        return self._pool.submit(_sample, sources, targets, seeds)

    def close(self) -> None:
        """Waits for what is being sampled."""
        self._pool.shutdown(cancel_futures=True)


_sampler: Sampler  # of a sampling process


def _begin(sampler: Sampler) -> None:
    global _sampler
    _sampler = sampler
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _sample(sources: list[str], targets: list[str], seeds: tuple[int, int]) -> Sample:
    return _sampler(sources, targets, seeds)
