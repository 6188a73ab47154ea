"""The loop detector."""

import random
from types import ModuleType

import pytest

from nmt.search import Beam, Greedy
from nmt.search.repetition import loop_end


@pytest.mark.parametrize(
    ("tokens", "end"),
    [
        ([], None),
        ([1], None),
        ([1, 1], None),
        ([1, 1, 1], 1),
        ([7, 1, 1, 1, 1], 2),
        ([1, 1, 1, 7], None),  # a loop that was left
        ([7, 1, 2, 1, 2, 1], None),  # two rounds and a half
        ([7, 1, 2, 1, 2, 1, 2], 3),
        ([7, 1, 2, 1, 2, 1, 2, 1], 3),  # the last round is cut
        ([1, 2, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2], 4),  # a loop within the loop
        ([1, 2, 3, 1, 2, 3, 1, 2, 4], None),
    ],
)
def test_examples(tokens: list[int], end: int | None) -> None:
    assert loop_end(tokens) == end


def by_definition(tokens: list[int]) -> int | None:
    """Every end and every period, tried."""
    loops = [
        (-(len(tokens) - start), period, start)
        for start in range(len(tokens))
        for period in range(1, len(tokens))
        if len(tokens) - start >= 3 * period
        and all(tokens[place] == tokens[place - period] for place in range(start + period, len(tokens)))
    ]
    return min(loops)[2] + min(loops)[1] if loops else None


def test_it_is_its_definition() -> None:
    draw = random.Random(1)
    found = 0
    for _ in range(3000):
        tokens = [draw.randrange(draw.choice((2, 3))) for _ in range(draw.randrange(14))]
        assert loop_end(tokens) == by_definition(tokens)
        found += loop_end(tokens) is not None
    assert 300 < found < 2700


def test_a_loop_is_found_whatever_stands_before_it_and_wherever_it_is_cut() -> None:
    draw = random.Random(2)
    for _ in range(500):
        size = draw.randrange(1, 8)
        part = list(range(100, 100 + size))
        before = [draw.randrange(50) for _ in range(draw.randrange(6))]
        tokens = before + part * 10
        tokens = tokens[: len(before) + 3 * size + draw.randrange(6 * size)]
        assert loop_end(tokens) == len(before) + size
        assert tokens[: loop_end(tokens)] == before + part


def test_what_does_not_repeat_is_none() -> None:
    draw = random.Random(3)
    for _ in range(200):
        assert loop_end(draw.sample(range(1000), 30)) is None


@pytest.mark.parametrize("search", [Greedy(), Beam(n_best=3)])
def test_a_model_that_loops_is_caught_and_one_that_ends_is_not(scripted: ModuleType, search: Greedy | Beam) -> None:
    class Loop(scripted.Table):  # type: ignore[name-defined, misc]
        """Writes 3, then 4 5 4 5 …, and never wishes to end."""

        def __call__(self, source: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[list[float], list[float]]:
            wanted = 3 if not prefix else 4 + (len(prefix) + 1) % 2
            return [-0.01 if token == wanted else -9.0 for token in range(scripted.VOCABULARY)], [1.0 / len(source)] * len(source)

    ((best, *_),) = search(scripted.ScriptedDecoder(Loop()), *scripted.batch([(7, 8, 9, 2)]))
    assert best.tokens == [3, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4]
    assert not best.finished
    assert loop_end(best.tokens) == 3
    ((best, *_),) = search(scripted.ScriptedDecoder(scripted.Table(end_bonus=3.0)), *scripted.batch([(7, 8, 9, 2)]))
    assert best.finished


def test_a_long_loop_is_found_in_linear_time() -> None:
    """Where time grew with the square it would be minutes."""
    assert loop_end([1] * 200_000) == 1
