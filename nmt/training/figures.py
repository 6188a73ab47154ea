"""The figures of training between two log lines, and the updates that were skipped: gathered without waiting for a GPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from nmt.data.batch import Batch
from nmt.training.state import Window

TOO_MANY = 10


class Figures:
    """Figures since the last log line."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.restore(Window())

    def restore(self, window: Window) -> None:
        """Go on from these sums."""
        self._nll = torch.tensor(window.nll, device=self._device)
        self._counted = torch.tensor(window.counted, device=self._device)
        self._skipped = torch.tensor(window.skipped, device=self._device)
        self._tokens, self._padding, self._positions = window.tokens, window.padding, window.positions
        self.split = window.split
        self._paused: float | None = None
        self._began = time.monotonic() - window.seconds

    def window(self) -> Window:
        """The sums. Waits for the device."""
        seconds = (self._paused or time.monotonic()) - self._began
        on_device = float(self._nll), int(self._counted), int(self._skipped)
        return Window(*on_device, self._tokens, self._padding, self._positions, self.split, seconds)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time inside the block is not spent on training."""
        self._paused = time.monotonic()
        yield
        self._began += time.monotonic() - self._paused
        self._paused = None

    def add(self, nll: Tensor, finite: Tensor, batches: Sequence[Batch]) -> None:
        """Take in an update: its negative log-likelihood, whether it was finite (both on the device), its batches."""
        tokens = sum(batch.target_tokens for batch in batches)
        self._nll += torch.where(finite, nll, 0)
        self._counted += finite * tokens
        self._skipped += ~finite
        self._tokens += tokens
        for batch in batches:
            padding, positions = batch.padding
            self._padding += padding
            self._positions += positions

    def take(self) -> dict[str, float]:
        """The figures, and begin anew. The loss is that of the updates that were not skipped, and absent if all were."""
        window = self.window()
        loss = {"loss": window.nll / window.counted} if window.counted else {}
        self.restore(Window())
        return loss | {
            "tokens_per_second": window.tokens / window.seconds,
            "padding": window.padding / window.positions,
            "skipped": window.skipped,
            "split": window.split,
        }


class Skips:
    """Watches for ``TOO_MANY`` skipped updates in a row; ``in_a_row`` of them came just before."""

    def __init__(self, device: torch.device, in_a_row: int = 0) -> None:
        self._in_a_row = torch.tensor(in_a_row, device=device)
        self._found = torch.zeros_like(self._in_a_row)

    def add(self, finite: Tensor, step: int) -> None:
        """Take in whether update number ``step`` was finite, without waiting for the device."""
        self._in_a_row.add_(1).mul_(~finite)
        self._found = torch.where((self._in_a_row == TOO_MANY) & (self._found == 0), step, self._found)

    @property
    def in_a_row(self) -> int:
        """How many updates in a row were skipped up to now. Waits for the device."""
        return int(self._in_a_row)

    @property
    def too_many(self) -> int | None:
        """The number of the first of the first ``TOO_MANY`` updates that were skipped in a row. Waits for the device."""
        found = int(self._found)
        return found - TOO_MANY + 1 if found else None
