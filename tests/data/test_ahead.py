"""Items made ahead are the same items; errors come where they belong; nothing is left behind."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import count, islice

import pytest

from nmt.data.ahead import ahead


def made(log: list[int], wrong: int = -1) -> Generator[int, None, None]:
    for i in count():
        if i == wrong:
            raise ValueError(f"item {i}")
        log.append(i)
        yield i


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def threads() -> int:
    return sum(thread.name.startswith("nmt-ahead") for thread in threading.enumerate())


def test_items_come_in_order_and_no_more_are_made_than_asked_for() -> None:
    log: list[int] = []
    with closing(ahead(made(log), 3)) as items:
        assert list(islice(items, 10)) == list(range(10))
        wait_for(lambda: len(log) == 13)
        time.sleep(0.05)
        assert log == list(range(13))


def test_an_error_is_raised_where_its_item_would_have_come() -> None:
    log: list[int] = []
    with closing(ahead(ahead(made(log, wrong=5), 2), 20)) as items:
        assert list(islice(items, 5)) == list(range(5))
        with pytest.raises(ValueError, match="item 5"):
            next(items)
    assert threads() == 0


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError, None])
def test_no_thread_is_left_behind(end: type[BaseException] | None) -> None:
    log: list[int] = []
    with pytest.raises(end or StopIteration), closing(ahead(ahead(made(log), 2), 2)) as items:
        next(items)
        assert threads() == 2
        raise end or StopIteration
    assert threads() == 0


def test_closing_waits_only_for_the_item_in_the_making() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), []

    def slow() -> Generator[int, None, None]:
        try:
            for i in count():
                if i == 1:
                    begun.set()
                    go_on.wait(10)
                assert i < 2
                yield i
        finally:
            closed.append(True)

    slowly = slow()  # kept: it is closed, not only collected
    items = ahead(slowly, 5)
    assert next(items) == 0
    begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    items.close()
    assert threads() == 0 and closed == [True]
