"""How long a system takes to translate the test set, in a process of its own. The Pythons of the other toolkits run this, too:
it imports nothing beyond the standard library.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

Sentences = list[list[str]]
Translate = Callable[[Sentences, int, int], list[Sentences]]
"""Sources as pieces, the beam size (1: greedy search) and n → the n best translations of each, as pieces."""

_WARM_UP = 10  # sentences, before others are translated one by one


@dataclass(frozen=True)
class Job:
    """What is to be translated: ``sources`` is a file, a sentence a line, its pieces separated by spaces. ``steps``: all
    translations have so many pieces, without an end mark; None leaves them to the system.

    They are translated ``batch_size`` at a time, sentences of like length together, and the first ``singles`` one by one.
    """

    sources: str
    beam_sizes: list[int]
    batch_size: int
    singles: int
    steps: int | None

    @classmethod
    def read(cls, file: str) -> Job:
        """From JSON."""
        return cls(**json.loads(Path(file).read_text(encoding="utf-8")))

    def sentences(self) -> Sentences:
        """The sources."""
        lines = Path(self.sources).read_text(encoding="utf-8").split("\n")[:-1]
        return [line.split(" ") for line in lines]


@dataclass(frozen=True)
class Pass:
    """One pass over the test set in ``seconds``, then ``latencies``, in seconds, of the first sentences."""

    beam_size: int
    seconds: float
    latencies: list[float]
    translations: Sentences


def measure(job: Job, translate: Translate, beam_size: int) -> Pass:
    """Translate the test set after a warm-up, in batches and then one by one."""
    sentences = job.sentences()
    by_length = sorted(range(len(sentences)), key=lambda number: len(sentences[number]), reverse=True)
    numbers = [by_length[start : start + job.batch_size] for start in range(0, len(sentences), job.batch_size)]
    batches = [[sentences[number] for number in batch] for batch in numbers]
    check(job, translate, beam_size, batches[0][:2])
    translate(batches[0], beam_size, 1)

    began = time.perf_counter()
    found = [translate(batch, beam_size, 1) for batch in batches]
    seconds = time.perf_counter() - began

    for sentence in sentences[: min(_WARM_UP, job.singles)]:
        translate([sentence], beam_size, 1)
    latencies = []
    for sentence in sentences[: job.singles]:
        began = time.perf_counter()
        translate([sentence], beam_size, 1)
        latencies.append(time.perf_counter() - began)

    translations: Sentences = [[] for _ in sentences]
    for batch, best in zip(numbers, found, strict=True):
        for number, hypotheses in zip(batch, best, strict=True):
            translations[number] = hypotheses[0]
    check_lengths(job, translations)
    return Pass(beam_size, seconds, latencies, translations)


def check(job: Job, translate: Translate, beam_size: int, sentences: Sentences) -> None:
    """Raises ``RuntimeError`` if the beam is narrower than it should be, or translations of a fixed length are of another."""
    if job.steps is None:
        return
    for hypotheses in translate(sentences, beam_size, beam_size):
        check_lengths(job, hypotheses)
        different = len(set(map(tuple, hypotheses)))
        if different != beam_size:
            raise RuntimeError(f"a beam of {beam_size} must find as many translations, but found {different} instead")


def check_lengths(job: Job, translations: Sentences) -> None:
    """Raises ``RuntimeError`` if translations of a fixed length are of another."""
    lengths = set(map(len, translations))
    if job.steps is not None and lengths != {job.steps}:
        raise RuntimeError(f"translations must have {job.steps} pieces, but have {sorted(lengths)} instead")


def run(
    package: str, translate: Translate, job: Job, output: str, score: Callable[[Sentences], float] | None = None
) -> None:
    """Measure every beam size, and write to ``output`` as JSON: the passes, with the ``score`` of their translations, the peak
    resident memory in MiB before scoring, and the version of the ``package`` that computes.
    """
    passes = [measure(job, translate, beam_size) for beam_size in job.beam_sizes]
    result: dict[str, Any] = {
        "package": package,
        "version": version(package),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "passes": [
            {
                "beam_size": one.beam_size,
                "sentences": len(one.translations),
                "pieces": sum(map(len, one.translations)),
                "seconds": one.seconds,
                "latencies": one.latencies,
                "bleu": None if score is None else score(one.translations),
            }
            for one in passes
        ],
    }
    Path(output).write_text(json.dumps(result), encoding="utf-8")
