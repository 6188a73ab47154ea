"""Ctrl-C and SIGTERM: in the middle of an update the step is finished first, elsewhere a half-written file is removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interruption:
    """``signal`` is the number of the signal that asked to stop, None as long as none has."""

    signal: int | None = None

    def leave(self) -> None:
        """End as the signal asks: 130 for Ctrl-C, 143 for SIGTERM. Does nothing if there was none."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is not None:
            raise SystemExit(128 + self.signal)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside the block the first SIGINT or SIGTERM is only noted. A SIGINT after it acts at once, as it does outside; a SIGTERM
    does not: a scheduler may send one to torchrun and to its processes, which torchrun passes on to them.

    Signals reach the main thread only; in another one nothing changes.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        interruption.signal = interruption.signal or number
        if signal.SIGINT in before:
            signal.signal(signal.SIGINT, before[signal.SIGINT])

    for number in before:
        signal.signal(number, note)
    try:
        yield interruption
    finally:
        restore()


@contextmanager
def terminable() -> Iterator[None]:
    """Inside the block SIGTERM ends the process as Ctrl-C does, by an exception that lets everything tidy up (exit code 143)."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
