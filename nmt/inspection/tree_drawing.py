"""The tree of a search as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.inspection.tree import Node
from nmt.inspection.tree_layout import HEIGHT, Box, tree_boxes
from nmt.pages.html import Attributes, Html, element

TREE_STYLE = """
.tree rect { fill: var(--paper); stroke: var(--ink) } .tree path { fill: none; stroke: var(--ink) }
.tree .number { font-size: 11px; fill: var(--soft) }
.tree .pruned rect, .tree path.pruned { stroke: var(--line) } .tree .pruned text { fill: var(--soft) }
.tree .best rect, .tree path.best { stroke: var(--series); stroke-width: 2.5 }
"""


def draw_tree(tree: Sequence[Node]) -> Html:
    """Steps from left to right; the way to the best hypothesis on top. Its size is fixed: put it into ``figure``."""
    boxes = tree_boxes(tree)
    joined = [(boxes[box.node.parent], box) for box in boxes if box.node.parent is not None]
    joined.sort(key=lambda pair: pair[1].kind != "pruned")  # what was kept lies on top
    size: Attributes = {
        "width": max(box.left + box.width for box in boxes) + 4,
        "height": max(box.top for box in boxes) + HEIGHT + 4,
    }
    edges = [_edge(parent, box) for parent, box in joined]
    return element(
        "svg", {**size, "class": "tree", "role": "img", "aria-label": "the tree of the search"}, *edges, *map(_box, boxes)
    )


def _box(box: Box) -> Html:
    node = box.node
    told = f"step {node.step}: {node.piece}, log-probability {node.log_prob:.3f}"
    middle = box.left + box.width / 2
    return element(
        "g",
        {"class": _classes(box)},
        element("title", None, told if node.score is None else f"{told}, score {node.score:.3f}"),
        element(
            "rect", {"x": box.left, "y": box.top, "width": box.width, "height": HEIGHT, "rx": 5 if node.score is None else 19}
        ),
        element("text", {"x": middle, "y": box.top + 16, "text-anchor": "middle"}, box.piece),
        element("text", {"class": "number", "x": middle, "y": box.top + 31, "text-anchor": "middle"}, box.number),
    )


def _edge(parent: Box, box: Box) -> Html:
    x1, y1, x2, y2 = parent.left + parent.width, parent.top + HEIGHT / 2, box.left, box.top + HEIGHT / 2
    middle = (x1 + x2) / 2
    path = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    return element("path", {"class": _classes(box), "d": path})


def _classes(box: Box) -> str:
    return "best series-0" if box.kind == "best" else box.kind
