"""Processes sample what one would; they end with the training, however it ends, and an error in one is an error of it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.data.sampling import Sampler, sampling_executor
from nmt.data.toy import toy_pairs
from nmt.tokenizer import TokenizerConfig, train_tokenizers

SOURCES, TARGETS = map(list, zip(*toy_pairs("val")[:200], strict=True))


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(train_tokenizers(SOURCES, TARGETS, TokenizerConfig(vocab_size=400, joint=False)), 0.3, 30)


@pytest.fixture
def processes() -> Iterator[Executor]:
    with sampling_executor(2) as started:
        yield started


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_processes_sample_what_this_one_would(sampler: Sampler, processes: Executor) -> None:
    futures = [processes.submit(sampler, SOURCES, TARGETS, (seed, seed + 1)) for seed in range(6)]
    drawn = [[side.tolist() for side in future.result()] for future in futures]
    assert drawn == [[side.tolist() for side in sampler(SOURCES, TARGETS, (seed, seed + 1))] for seed in range(6)]
    assert drawn[0] != drawn[1]
    processes.shutdown()
    assert multiprocessing.active_children() == []


def test_the_strength_of_sampling_is_passed_on(sampler: Sampler) -> None:
    found = [side.tolist() for side in replace(sampler, alpha=0.1, max_length=1000)(SOURCES, TARGETS, (1, 2))]
    tokenizers = sampler.tokenizers
    assert found == [tokenizers.source.sample(SOURCES, 0.1, 1), tokenizers.target.sample(TARGETS, 0.1, 2)]
    assert found[0] != tokenizers.source.sample(SOURCES, 0.3, 1)


def test_long_samples_give_way_to_the_best(sampler: Sampler) -> None:
    best = sampler.tokenizers.source.encode(SOURCES)
    free, _ = replace(sampler, max_length=1000)(SOURCES, TARGETS, (1, 2))
    limit = int(free.lengths.max()) - 1
    held, _ = replace(sampler, max_length=limit)(SOURCES, TARGETS, (1, 2))
    expected = [ids if len(ids) <= limit else other for ids, other in zip(free.tolist(), best, strict=True)]
    assert held.tolist() == expected != free.tolist()


def test_an_error_in_a_process_is_raised_here(sampler: Sampler, processes: Executor) -> None:
    with pytest.raises(AttributeError):
        processes.submit(sampler, [3], TARGETS, (1, 2)).result()  # type: ignore[arg-type, list-item]
    assert len(processes.submit(sampler, SOURCES, TARGETS, (1, 2)).result()[0]) == len(SOURCES)


def test_a_process_that_dies_is_an_error_and_no_wait(sampler: Sampler, processes: Executor) -> None:
    processes.submit(sampler, SOURCES, TARGETS, (1, 2)).result()
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(BrokenProcessPool):
        processes.submit(sampler, SOURCES, TARGETS, (1, 2)).result()


def test_signals_to_all_are_left_to_this_process(sampler: Sampler, processes: Executor) -> None:
    first = processes.submit(sampler, SOURCES, TARGETS, (1, 2)).result()
    for number in (signal.SIGINT, signal.SIGTERM):
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, number)
        again = processes.submit(sampler, SOURCES, TARGETS, (1, 2)).result()
        assert again[0].tolist() == first[0].tolist()


def test_processes_die_with_the_one_that_began_them() -> None:
    code = (
        "import time, multiprocessing, nmt.data.sampling as s; p = s.sampling_executor(1); p.submit(abs, 1).result(); "
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert runs(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not runs(child))


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
