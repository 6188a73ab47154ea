"""An inspection as a PNG picture: the page's plots. Needs matplotlib; see ``canvas``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from torch import Tensor

from nmt.inspection import words as told
from nmt.inspection.canvas import (
    COLOURS,
    LEAST_WIDTH,
    LINE,
    SOFT,
    Block,
    Canvas,
    drawable,
    flowing,
    paint,
    paragraph,
    stacked,
    words,
)
from nmt.inspection.layout import gate_maps, gate_names, shown, sorted_units
from nmt.inspection.result import Inspection
from nmt.inspection.tree_layout import HEIGHT, Box, tree_boxes
from nmt.pages.text import text_width

_CELL = 24  # pixels of a piece
_LONGEST_TREE = 80  # steps of the tree that are drawn: matplotlib's pictures end at 65,536 pixels


def inspection_picture(inspection: Inspection, about: Sequence[tuple[str, str]] = ()) -> bytes:
    """A PNG file with what ``inspection_page`` shows; ``about`` as there."""
    facts = [("source", inspection.source), ("translation", inspection.hypotheses[0].text), *about]
    tree = _tree(inspection)
    most = max(LEAST_WIDTH, tree.width)
    return paint(
        stacked(
            words(["Inside a translation"], size=20, bold=True),
            paragraph([f"{label}: {fact}" for label, fact in facts], most),
            _part("Translations", told.TRANSLATIONS, most, paragraph(_translations(inspection), most)),
            _part("Probability of each piece", told.PROBABILITIES, most, _probabilities(inspection)),
            _part(
                "Attention",
                told.ATTENTION if inspection.attention is not None else told.NO_ATTENTION,
                most,
                *_attention(inspection),
            ),
            *_gates(inspection, most),
            _part("The search", told.TREE, most, tree),
        )
    )


def _part(title: str, sentence: str, most: float, *blocks: Block) -> Block:
    return stacked(words([title], size=15, bold=True), paragraph([sentence], most), *blocks, gap=8)


def _translations(inspection: Inspection) -> list[str]:
    return [
        f"{rank}.  {one.text}   (score {one.score:.3f}, log-probability {one.log_prob:.3f}{'' if one.finished else ', cut'})"
        for rank, one in enumerate(inspection.hypotheses, start=1)
    ]


def _room(names: Sequence[str]) -> float:
    """Pixels for the names of an axis."""
    return max(text_width(drawable(name)) for name in names) + 12


def _names(axes: Axes, pieces: Sequence[str], upright: bool) -> None:
    """The pieces as ticks of the axis, at 0, 1, …"""
    axis = axes.xaxis if upright else axes.yaxis
    axis.set_ticks(range(len(pieces)), [drawable(piece) for piece in pieces], rotation=90 if upright else 0)
    axes.tick_params(length=0)


def _probabilities(inspection: Inspection) -> Block:
    pieces = shown(inspection.target_pieces)
    values = inspection.token_log_probs.exp().tolist()
    room = _room(pieces)

    def draw(canvas: Canvas, left: float, top: float) -> None:
        axes = canvas.axes(left + room, top, 220, len(pieces) * _CELL)
        axes.barh(range(len(values)), values, color=COLOURS[0], height=0.65)
        axes.set(xlim=(0, 1), ylim=(len(pieces) - 0.5, -0.5), xticks=[])
        for row, value in enumerate(values):
            axes.text(1.03, row, f"{value:.3f}", va="center")
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        _names(axes, pieces, upright=False)

    return Block(room + 280, len(pieces) * _CELL, draw)


def _attention(inspection: Inspection) -> list[Block]:
    if inspection.attention is None:
        return []
    weights, rows, columns = inspection.attention.numpy(), shown(inspection.target_pieces), shown(inspection.source_pieces)
    left_room, top_room = _room(rows), _room(columns)

    def draw(canvas: Canvas, left: float, top: float) -> None:
        axes = canvas.axes(left + left_room, top + top_room, len(columns) * _CELL, len(rows) * _CELL)
        axes.imshow(weights, vmin=0, vmax=1, cmap="viridis", aspect="auto", interpolation="nearest")
        axes.xaxis.tick_top()
        _names(axes, columns, upright=True)
        _names(axes, rows, upright=False)

    return [Block(left_room + len(columns) * _CELL, top_room + len(rows) * _CELL, draw)]


def _gates(inspection: Inspection, most: float) -> list[Block]:
    encoder, decoder = gate_names(inspection.encoder_gates), gate_names(inspection.decoder_gates)
    if not encoder and not decoder:
        return [_part("Gates", told.NO_GATES, most)]
    maps = gate_maps(inspection)
    reading = [
        _panel(
            f"Layer {layer + 1}, {direction}",
            shown(inspection.source_pieces),
            {name: inspection.encoder_gates[name][layer, place] for name in encoder},
            maps,
        )
        for layer in range(inspection.encoder_states.shape[0])
        for place, direction in enumerate(inspection.directions)
    ]
    writing = [
        _panel(
            f"Layer {layer + 1}",
            shown(inspection.target_pieces),
            {name: inspection.decoder_gates[name][layer] for name in decoder},
            maps,
        )
        for layer in range(inspection.decoder_states.shape[0])
    ]
    meanings = paragraph([f"• {told.GATES[name]}" for name in encoder or decoder], most)
    return [
        _part("Gates", told.GATES_SEEN, most, meanings),
        _part("Gates of the encoder", told.ENCODER, most, flowing(reading, most)),
        _part("Gates of the decoder", told.DECODER, most, flowing(writing, most)),
    ]


def _panel(title: str, pieces: Sequence[str], gates: dict[str, Tensor], maps: int) -> Block:
    """One layer in one direction: gates [length, hidden], their means above their units."""
    width, high, step = len(pieces) * _CELL, 100, 126
    units = {name: sorted_units(values, maps) for name, values in gates.items()}

    def draw(canvas: Canvas, left: float, top: float) -> None:
        canvas.text(left + 30, top, title, weight="bold")
        means = canvas.axes(left + 30, top + 20, width, high)
        for number, (name, values) in enumerate(gates.items()):
            means.plot(values.mean(dim=1).tolist(), ".-", color=COLOURS[number], label=told.SHORT[name])
        means.set(xlim=(-0.5, len(pieces) - 0.5), ylim=(0, 1), xticks=[], yticks=[0, 0.5, 1])
        means.grid(color=LINE, linewidth=0.6)
        means.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(-0.02, -0.3), ncols=3, borderpad=0)
        for number, (name, rows) in enumerate(units.items(), start=1):
            y = top + 20 + number * step + 12
            of_all = "" if len(rows) == gates[name].shape[1] else f" of {gates[name].shape[1]}"
            canvas.text(left + 30, y, f"{told.SHORT[name]}, {len(rows)}{of_all} units", color=SOFT, fontsize=8)
            heat = canvas.axes(left + 30, y + 16, width, high)
            heat.imshow(rows, vmin=0, vmax=1, cmap="viridis", aspect="auto", interpolation="nearest")
            heat.set(xticks=[], yticks=[])
        _names(heat, pieces, upright=True)

    return Block(max(width + 40, 220), 20 + (len(units) + 1) * step + 12 + _room(pieces), draw)


def _tree(inspection: Inspection) -> Block:
    boxes = [box for box in tree_boxes(inspection.tree) if box.node.step <= _LONGEST_TREE]
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
        "kept": {"edgecolor": "#1c2127", "linewidth": 0.8},
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
    middle, ink = box.left + box.width / 2, SOFT if box.kind == "pruned" else "#1c2127"
    axes.text(middle, box.top + 12, drawable(box.piece), ha="center", va="center", color=ink)
    axes.text(middle, box.top + 27, box.number, ha="center", va="center", color=SOFT, fontsize=8)
