"""What a search considered, as a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nmt.search.record import History


@dataclass(frozen=True)
class Node:
    """A piece that a search wrote, or considered to write, after those on the way from the root.

    ``step`` counts from 1; the root is step 0, has the piece "" and stands for nothing written yet. ``parent`` is the number of
    the node before it in the list, None at the root. ``log_prob`` is that of all pieces on the way (natural logarithm).
    ``score`` is what the hypothesis that ends here was ranked by, None where none ends, or only one that was not. ``rank`` is the
    place, from 0, of the hypothesis that ends here among the n best, None if it is not among them. ``pruned``: no hypothesis of
    the n best goes through here.
    """

    step: int
    piece: str
    parent: int | None
    log_prob: float
    score: float | None
    rank: int | None
    pruned: bool


def search_tree(history: History, n_best: Sequence[float], pieces: Callable[[Sequence[int]], list[str]]) -> list[Node]:
    """The tree of the search of one sentence, whose ``n_best`` have these scores; ``pieces`` names ids. Parents come before
    their children, the root first.
    """
    (ends,) = history.ends
    ranks = {end: rank for rank, end in enumerate(ends)}
    ranked_anew = any(history.score[step - 1][entry] != score for (step, entry), score in zip(ends, n_best, strict=True))
    kept = _on_the_way(history, ends)
    numbers = {(0, 0): 0}
    nodes = [Node(0, "", None, 0.0, None, None, pruned=False)]
    for step in range(1, len(history.tokens) + 1):
        tokens, parents, log_probs, scores = (
            table[step - 1].tolist() for table in (history.tokens, history.parents, history.log_prob, history.score)
        )
        for entry, (piece, log_prob, score) in enumerate(zip(pieces(tokens), log_probs, scores, strict=True)):
            if log_prob == -math.inf:
                continue
            place = (step, entry)
            numbers[place] = len(nodes)
            parent = numbers[step - 1, parents[entry]]
            rank = ranks.get(place)
            if rank is not None:
                score = n_best[rank]
            elif ranked_anew or score == -math.inf:
                score = None
            nodes.append(Node(step, piece, parent, log_prob, score, rank, pruned=place not in kept))
    return nodes


def _on_the_way(history: History, ends: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """The entries of the hypotheses that end at ``ends``, from first to last piece."""
    found = set()
    for step, entry in ends:
        while step:
            found.add((step, entry))
            step, entry = step - 1, int(history.parents[step - 1][entry])
    return found
