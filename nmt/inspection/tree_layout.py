"""The drawing of a tree, on the page and in the picture alike: steps are columns, branches are rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from nmt.inspection.layout import shown_piece
from nmt.inspection.tree import Node
from nmt.pages.text import shortened, text_width

ROW, HEIGHT = 50, 38  # pixels from row to row, and of a box
_GAP = 24  # pixels between the boxes of two steps
_LONGEST = 16  # characters of a piece


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: where, in pixels; its two lines of text; ``kind``: best, kept or pruned."""

    node: Node
    left: float
    top: float
    width: float
    piece: str
    number: str
    kind: str


def tree_boxes(tree: Sequence[Node], spelled: Callable[[str], str] = str) -> list[Box]:
    """A box for each node; the way to the best hypothesis on top. ``spelled`` writes pieces as they can be drawn."""
    texts = [_texts(node, spelled) for node in tree]
    rows, best = tree_rows(tree), _best_path(tree)
    steps = max(node.step for node in tree)
    widths = [0] * (steps + 1)
    for node, lines in zip(tree, texts, strict=True):
        widths[node.step] = max(widths[node.step], *(text_width(line) + 12 for line in lines))
    lefts = [sum(widths[:step]) + _GAP * step + 2 for step in range(steps + 1)]
    return [
        Box(
            node,
            lefts[node.step],
            rows[number] * ROW + 2,
            widths[node.step],
            *texts[number],
            "best" if number in best else "pruned" if node.pruned else "kept",
        )
        for number, node in enumerate(tree)
    ]


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


def _best_path(tree: Sequence[Node]) -> set[int]:
    """The nodes from the root to the end of the best hypothesis."""
    number = next((number for number, node in enumerate(tree) if node.rank == 0), None)
    found = set()
    while number is not None:
        found.add(number)
        number = tree[number].parent
    return found


def _texts(node: Node, spelled: Callable[[str], str]) -> tuple[str, str]:
    """The two lines of a node: the piece; its log-probability, or the rank and score of what ends here."""
    if node.parent is None:
        return "start", "0.00"
    piece = spelled(shortened(shown_piece(node.piece), _LONGEST))
    if node.score is None:
        return piece, f"{node.log_prob:.2f}"
    place = "" if node.rank is None else f"{node.rank + 1}.  "
    return piece, f"{place}score {node.score:.2f}"
