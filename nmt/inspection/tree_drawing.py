"""The tree of a search as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.inspection.layout import shown_piece, tree_rows
from nmt.inspection.tree import Node
from nmt.pages.html import Attributes, Html, element
from nmt.pages.text import shortened, text_width

_ROW, _HEIGHT = 50, 38  # pixels from row to row, and of a node
_GAP = 24  # pixels between the nodes of two steps
_LONGEST = 16  # characters of a piece
TREE_STYLE = """
.tree rect { fill: var(--paper); stroke: var(--ink) } .tree path { fill: none; stroke: var(--ink) }
.tree .number { font-size: 11px; fill: var(--soft) }
.tree .pruned rect, .tree path.pruned { stroke: var(--line) } .tree .pruned text { fill: var(--soft) }
.tree .best rect { stroke: var(--series); stroke-width: 2.5 } .tree path.best { stroke: var(--series); stroke-width: 2.5 }
.tree .end rect { rx: 19px }
"""


def draw_tree(tree: Sequence[Node]) -> Html:
    """Steps from left to right; the way to the best hypothesis on top. Its size is fixed: put it into ``figure``."""
    rows = tree_rows(tree)
    best = _best_path(tree)
    steps = max(node.step for node in tree)
    widths = [max(_width(node) for node in tree if node.step == step) for step in range(steps + 1)]
    lefts = [sum(widths[:step]) + _GAP * step + 2 for step in range(steps + 1)]
    edges, nodes = [], []
    for number, node in enumerate(tree):
        kind = "best series-0" if number in best else "pruned" if node.pruned else "kept"
        left, top = lefts[node.step], rows[number] * _ROW + 2
        nodes.append(_node(node, kind, left, top, widths[node.step]))
        if node.parent is not None:
            start = lefts[node.step - 1] + widths[node.step - 1]
            edges.append(_edge(kind, start, rows[node.parent] * _ROW + 2 + _HEIGHT / 2, left, top + _HEIGHT / 2))
    size: Attributes = {"width": lefts[-1] + widths[-1] + 4, "height": max(rows) * _ROW + _HEIGHT + 4}
    edges.sort(key=lambda edge: "pruned" not in edge)  # what was kept lies on top
    return element("svg", {**size, "class": "tree", "role": "img", "aria-label": "the tree of the search"}, *edges, *nodes)


def _best_path(tree: Sequence[Node]) -> set[int]:
    """The nodes from the root to the end of the best hypothesis."""
    number = next((number for number, node in enumerate(tree) if node.rank == 0), None)
    found = set()
    while number is not None:
        found.add(number)
        number = tree[number].parent
    return found


def _texts(node: Node) -> tuple[str, str]:
    """The two lines of a node: the piece; its log-probability, or the rank and score of what ends here."""
    if node.parent is None:
        return "start", "0.00"
    if node.score is None:
        return shortened(shown_piece(node.piece), _LONGEST), f"{node.log_prob:.2f}"
    place = "" if node.rank is None else f"{node.rank + 1}.  "
    return shortened(shown_piece(node.piece), _LONGEST), f"{place}score {node.score:.2f}"


def _width(node: Node) -> int:
    return max(map(text_width, _texts(node))) + 12


def _node(node: Node, kind: str, left: float, top: float, width: float) -> Html:
    piece, number = _texts(node)
    told = f"step {node.step}: {node.piece}, log-probability {node.log_prob:.3f}"
    middle = left + width / 2
    return element(
        "g",
        {"class": f"{kind} end" if node.score is not None else kind},
        element("title", None, told if node.score is None else f"{told}, score {node.score:.3f}"),
        element("rect", {"x": left, "y": top, "width": width, "height": _HEIGHT, "rx": 5}),
        element("text", {"x": middle, "y": top + 16, "text-anchor": "middle"}, piece),
        element("text", {"class": "number", "x": middle, "y": top + 31, "text-anchor": "middle"}, number),
    )


def _edge(kind: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    middle = (x1 + x2) / 2
    path = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    return element("path", {"class": kind, "d": path})
