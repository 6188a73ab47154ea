"""What a run says, and to whom."""

import io
import sys
from pathlib import Path

import pytest

from nmt.training.reporting import Reporter

FIGURES = {"loss": 1.0, "tokens_per_second": 1.0, "padding": 0.0, "skipped": 0, "split": 0}


class Leaving(io.StringIO):
    """A stderr whose reader leaves after so many writes."""

    def __init__(self, writes: int, terminal: bool) -> None:
        super().__init__()
        self.left, self.terminal = writes, terminal

    def write(self, text: str) -> int:
        if self.left == 0:
            raise BrokenPipeError
        self.left -= 1
        return super().write(text)

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("writes", range(12))
def test_train_log_goes_on_when_nobody_reads_stderr(
    writes: int, terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Leaving(writes, terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    reporter = Reporter(progress=True)
    reporter.line("begun")
    reporter.open(tmp_path, 0)
    reporter.start(0, 4)
    for step in range(1, 5):
        reporter.advance()
        reporter.training(step, 4, FIGURES, 0)
        reporter.line(f"line {step}")
    reporter.go_back(2)
    reporter.close()
    reporter.line("ended")
    log = (tmp_path / "train.log").read_text().splitlines()
    assert [line for line in log if not line.startswith("step")] == ["begun", *(f"line {step}" for step in range(1, 5)), "ended"]
    assert sum(line.startswith("step") for line in log) == 4
    assert stderr.left == 0
