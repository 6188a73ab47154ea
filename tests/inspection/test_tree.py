"""The tree is the search: probabilities fall, its kept leaves are the hypotheses, all else is pruned."""

from collections.abc import Callable

import pytest

from nmt.inspection.tree import Node
from nmt.search import MBR, Beam, Greedy, Sampling, SearchStrategy
from nmt.search.mbr import Proposing
from nmt.translator import Translator

BOUNDS = {"max_length_ratio": 0.5, "max_length_offset": 6}
SEARCHES = [
    Beam(**BOUNDS, beam_size=5, n_best=5),
    Beam(**BOUNDS, beam_size=5, n_best=2, length_penalty=0.3, coverage_penalty=0.2),
    Beam(0, 3, beam_size=3, n_best=2),  # cut at the length limit
    Greedy(**BOUNDS),
    Sampling(**BOUNDS, n_best=4, temperature=0.3),
    Sampling(**BOUNDS, n_best=4, top_k=2, seed=3),
    MBR(**BOUNDS, n_best=2, candidates=4, temperature=2.0),
    MBR(**BOUNDS, n_best=2, candidates=4, candidates_by=Proposing.beam),
]
TEXT = "The woman on the red bike"


def path(tree: list[Node], number: int | None) -> list[int]:
    """From the root's child to the node."""
    return [] if not number else [*path(tree, tree[number].parent), number]


@pytest.mark.parametrize("search", SEARCHES)
def test_laws_of_the_tree(search: SearchStrategy, make: Callable[..., Translator]) -> None:
    found = make().inspect(TEXT, search=search)
    tree = found.tree
    assert tree[0] == Node(0, "", None, 0.0, None, None, pruned=False)
    for number, node in enumerate(tree[1:], start=1):
        assert node.parent is not None and node.parent < number
        parent = tree[node.parent]
        assert node.step == parent.step + 1
        assert node.log_prob <= parent.log_prob
        assert parent.score is None  # what has ended does not go on
        assert node.score is None or node.score <= 0 or isinstance(search, MBR)

    leaves = {node.rank: number for number, node in enumerate(tree) if node.rank is not None}
    assert sorted(leaves) == list(range(len(found.hypotheses)))
    for rank, hypothesis in enumerate(found.hypotheses):
        way = path(tree, leaves[rank])
        assert [tree[number].piece for number in way] == hypothesis.pieces
        assert tree[leaves[rank]].log_prob == hypothesis.log_prob
        assert tree[leaves[rank]].score == hypothesis.score

    if isinstance(search, MBR):
        assert all(node.score is None for node in tree if node.rank is None)
    kept = {0, *(number for leaf in leaves.values() for number in path(tree, leaf))}
    assert [number in kept for number in range(len(tree))] == [not node.pruned for node in tree]


def test_a_beam_is_no_wider_than_its_slots(make: Callable[..., Translator]) -> None:
    tree = make().inspect(TEXT, search=Beam(**BOUNDS, beam_size=3, n_best=3)).tree
    ended = 0
    for step in range(1, max(node.step for node in tree) + 1):
        level = [node for node in tree if node.step == step]
        assert len(level) <= 3 - ended
        ended += sum(node.score is not None for node in level)
    assert any(node.pruned for node in tree)


def test_greedy_search_is_a_single_way(make: Callable[..., Translator]) -> None:
    tree = make().inspect(TEXT, search=Greedy(**BOUNDS)).tree
    assert [node.parent for node in tree] == [None, *range(len(tree) - 1)]
    assert not any(node.pruned for node in tree)
