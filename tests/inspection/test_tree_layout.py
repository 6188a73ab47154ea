"""No two boxes of the tree overlap, branches keep their row, and the best way is straight."""

from collections.abc import Callable
from itertools import combinations

import pytest

from nmt.inspection.tree import Node
from nmt.inspection.tree_layout import HEIGHT, tree_boxes, tree_rows
from nmt.search import Beam, Sampling, SearchStrategy
from nmt.translator import Translator

SEARCHES = [Beam(0.5, 6, beam_size=6, n_best=6), Beam(0.5, 6, beam_size=3, n_best=1), Sampling(0.5, 6, n_best=4)]


@pytest.mark.parametrize("search", SEARCHES)
def test_boxes_do_not_overlap(search: SearchStrategy, make: Callable[..., Translator]) -> None:
    tree = make().inspect("The woman on the red bike", search=search).tree
    boxes = tree_boxes(tree)
    assert [box.node for box in boxes] == tree
    for one, other in combinations(boxes, 2):
        apart = one.left + one.width <= other.left or other.left + other.width <= one.left
        assert apart or abs(one.top - other.top) >= HEIGHT
    for box in boxes[1:]:
        assert box.node.parent is not None
        parent = boxes[box.node.parent]
        assert parent.left + parent.width < box.left
    best = [box for box in boxes if box.kind == "best"]
    assert {box.top for box in best} == {boxes[0].top}
    assert [box.node.rank for box in best][-1] == 0
    assert all((box.kind == "pruned") == box.node.pruned for box in boxes)


def test_a_row_serves_branches_one_after_the_other() -> None:
    def node(step: int, parent: int | None, log_prob: float, rank: int | None = None, pruned: bool = False) -> Node:
        return Node(step, "x", parent, log_prob, None if rank is None else -1.0, rank, pruned)

    tree = [node(0, None, 0)]
    for step in range(1, 6):  # a way of kept nodes, each with a child that is given up
        above = max(number for number, one in enumerate(tree) if not one.pruned)
        tree += [node(step, above, -0.1 * step, 0 if step == 5 else None), node(step, above, -3.0 * step, pruned=True)]
    assert tree_rows(tree) == [0, *[0, 1] * 5]


def test_pieces_are_spelled_and_long_ones_cut() -> None:
    tree = [Node(0, "", None, 0.0, None, None, False), Node(1, "▁" + "long" * 9, 0, -1.0, -0.5, 0, False)]
    box = tree_boxes(tree, str.upper)[1]
    assert (box.piece, box.number) == ("␣LONGLONGLONGLO…", "1.  score -0.50")
