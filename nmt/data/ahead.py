"""Work done ahead of time by a thread."""

import signal
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Generator[Item, None, None], count: int) -> Generator[Item, None, None]:
    """The endless ``items``, the same in the same order, of which a thread makes up to ``count`` ahead.

    An error in making an item is raised where that item would have come. Closing the generator waits for the item that is
    being made, closes ``items``, and leaves no thread behind.
    """
    with ThreadPoolExecutor(1, "nmt-ahead", _leave_signals) as thread:
        coming = deque(thread.submit(next, items) for _ in range(count))
        try:
            while True:
                coming.append(thread.submit(next, items))
                yield coming.popleft().result()
        finally:
            thread.shutdown(cancel_futures=True)
            items.close()


def _leave_signals() -> None:
    """To the main thread; processes that are started here inherit it, before they can say so themselves."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
