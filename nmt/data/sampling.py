"""Subword sampling in processes of its own: SentencePiece below 0.2.2 holds the interpreter's lock as long as it samples."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait

from nmt.data.sequences import Sequences
from nmt.tokenizer import Tokenizer, TokenizerPair


@dataclass(frozen=True)
class Sampler:
    """Draws segmentations of pairs of texts. One of more than ``max_length`` pieces gives way to the best."""

    tokenizers: TokenizerPair
    alpha: float
    max_length: int

    def __call__(self, sources: list[str], targets: list[str], seeds: tuple[int, int]) -> tuple[Sequences, Sequences]:
        """Ids of both sides; the same seeds draw the same, in any process."""
        return self._side(self.tokenizers.source, sources, seeds[0]), self._side(self.tokenizers.target, targets, seeds[1])

    def _side(self, tokenizer: Tokenizer, texts: list[str], seed: int) -> Sequences:
        ids = tokenizer.sample(texts, self.alpha, seed)
        long = [i for i, sequence in enumerate(ids) if len(sequence) > self.max_length]
        for i, best in zip(long, tokenizer.encode([texts[i] for i in long]), strict=True):
            ids[i] = best
        return Sequences.of(ids)


def sampling_executor(samplers: int) -> Executor:
    """So many processes, which die with this one, or of 0 a thread. They begin with the first task."""
    if samplers == 0:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(samplers, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all processes at once; the training process finishes its step
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
