"""Memory of the process."""

import os
import platform
import subprocess
import sys

import pytest

from nmt.cli import main
from nmt.cli.allocation import keep_memory

FREED_AND_TAKEN_AGAIN = """
import resource
import torch
from nmt.cli.allocation import keep_memory

keep_memory()
faults = []
for _ in range(5):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(2**21) for _ in range(20)]
    del blocks
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_memory_that_was_freed_is_taken_again() -> None:
    faults = int(subprocess.run([sys.executable, "-c", FREED_AND_TAKEN_AGAIN], stdout=subprocess.PIPE, check=True).stdout)
    assert faults < 20 * 2048 / 4  # a block has 2,048 pages of 4 kB


def test_what_the_environment_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "7")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    keep_memory()
    assert os.environ["LRU_CACHE_CAPACITY"] == "7"
    assert int(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) < 1024


def test_every_command_keeps_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr("nmt.cli.keep_memory", lambda: called.append(True))
    assert main(["--version"]) == 0
    assert called == [True]
