"""The tree of a search, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from nmt.inspection.canvas import COLOURS, INK, LINE, SOFT, Block, Canvas, drawable
from nmt.inspection.tree import Node
from nmt.inspection.tree_layout import HEIGHT, Box, tree_boxes

_STEPS = 80  # that are drawn: a picture of matplotlib's ends at 65,536 pixels


def tree_block(tree: Sequence[Node]) -> Block:
    """Steps from left to right, the first 80; the way to the best hypothesis on top."""
    boxes = [box for box in tree_boxes(tree, drawable) if box.node.step <= _STEPS]
    width, height = max(box.left + box.width for box in boxes) + 4, max(box.top for box in boxes) + HEIGHT + 4

    def draw(canvas: Canvas, left: float, top: float) -> None:
        axes = canvas.axes(left, top, width, height)
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for box in sorted(boxes, key=lambda box: box.kind != "pruned"):
            if box.node.parent is not None:
                _edge(axes, boxes[box.node.parent], box)
            _box(axes, box)

    return Block(width, height, draw)


def _look(box: Box) -> dict[str, Any]:
    return {
        "best": {"edgecolor": COLOURS[0], "linewidth": 2},
        "kept": {"edgecolor": INK, "linewidth": 0.8},
        "pruned": {"edgecolor": LINE, "linewidth": 0.8},
    }[box.kind]


def _edge(axes: Axes, parent: Box, box: Box) -> None:
    start, end = (parent.left + parent.width, parent.top + HEIGHT / 2), (box.left, box.top + HEIGHT / 2)
    middle = (start[0] + end[0]) / 2
    path = Path([start, (middle, start[1]), (middle, end[1]), end], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    axes.add_patch(PathPatch(path, facecolor="none", **_look(box)))


def _box(axes: Axes, box: Box) -> None:
    style = f"round,pad=0,rounding_size={5 if box.node.score is None else HEIGHT / 2}"
    axes.add_patch(FancyBboxPatch((box.left, box.top), box.width, HEIGHT, boxstyle=style, facecolor="white", **_look(box)))
    middle, ink = box.left + box.width / 2, SOFT if box.kind == "pruned" else INK
    axes.text(middle, box.top + 12, box.piece, ha="center", va="center", color=ink)
    axes.text(middle, box.top + 27, box.number, ha="center", va="center", color=SOFT, fontsize=8)
