"""How things are drawn, on the page and in the picture alike: pieces, the rows of the tree, the units of a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy
from torch import Tensor

from nmt.inspection.tree import Node

UNITS = 128  # rows of a heat map at most, and
CELLS = 400_000  # pixels of all heat maps together: a page's pictures stay below a megabyte


def shown_piece(piece: str) -> str:
    """A piece as it is drawn: SentencePiece's mark of a space as a lighter one."""
    return piece.replace("▁", "␣")


def shown(pieces: Sequence[str]) -> list[str]:
    """Pieces as they are drawn."""
    return list(map(shown_piece, pieces))


def tree_rows(tree: Sequence[Node]) -> list[int]:
    """The row of each node, from 0, in a drawing whose columns are the steps.

    The best hypothesis goes straight along row 0. A branch stays in one row, the nearest to where it springs from that is free
    as far as it goes, so that a row serves many branches that are pruned one after the other.
    """
    children: list[list[int]] = [[] for _ in tree]
    for number, node in enumerate(tree):
        if node.parent is not None:
            children[node.parent].append(number)
    best = _best_below(tree)
    rows = [0] * len(tree)
    taken: set[tuple[int, int]] = set()  # (row, step)
    waiting = [0]
    while waiting:
        # branches that lead to the better hypotheses choose first, then those that spring earlier and are likelier
        first = min(waiting, key=lambda number: (best[number], tree[number].step, -tree[number].log_prob))
        waiting.remove(first)
        chain = [first]
        while children[chain[-1]]:
            on, *others = sorted(children[chain[-1]], key=lambda number: (best[number], -tree[number].log_prob))
            waiting += others
            chain.append(on)
        steps = [tree[number].step for number in chain]
        parent = tree[first].parent
        row = _nearest_free(taken, steps, 0 if parent is None else rows[parent])
        taken.update((row, step) for step in steps)
        for number in chain:
            rows[number] = row
    return rows


def _best_below(tree: Sequence[Node]) -> list[float]:
    """For each node the rank of the best hypothesis that goes through it."""
    best = [float("inf") if node.rank is None else node.rank for node in tree]
    for number in range(len(tree) - 1, 0, -1):
        parent = tree[number].parent
        assert parent is not None
        best[parent] = min(best[parent], best[number])
    return best


def _nearest_free(taken: set[tuple[int, int]], steps: Sequence[int], wanted: int) -> int:
    for away in count():
        for row in {wanted + away, wanted - away}:
            if row >= 0 and not any((row, step) in taken for step in steps):
                return row
    raise AssertionError("there always is a row further down")


def sorted_units(values: Tensor, maps: int) -> numpy.ndarray:
    """values [length, hidden] of one of so many ``maps`` → [units, length], the highest mean on top; of very many units a
    sample at equal steps.
    """
    by_unit = values.T.numpy()
    order = numpy.argsort(-by_unit.mean(axis=1), kind="stable")
    most = max(8, min(UNITS, CELLS // (maps * by_unit.shape[1])))
    if len(order) > most:
        order = order[numpy.linspace(0, len(order) - 1, most).round().astype(int)]
    return numpy.asarray(by_unit[order])
