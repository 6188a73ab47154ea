"""An inspection as a PNG picture: the page's plots. Needs matplotlib; see ``canvas``."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

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
from nmt.inspection.layout import (
    Panel,
    attention_words,
    decoder_panels,
    encoder_panels,
    gate_maps,
    meanings,
    shown,
    sorted_units,
)
from nmt.inspection.result import Inspection
from nmt.inspection.tree_picture import tree_block
from nmt.pages.text import text_width

_CELL = 24  # pixels of a piece


def inspection_picture(inspection: Inspection, about: Sequence[tuple[str, str]] = ()) -> bytes:
    """A PNG file with what ``inspection_page`` shows; ``about`` as there."""
    facts = [("source", inspection.source), ("translation", inspection.hypotheses[0].text), *about]
    tree = tree_block(inspection.tree)
    most = max(LEAST_WIDTH, tree.width)
    return paint(
        stacked(
            words(["Inside a translation"], size=20, bold=True),
            paragraph([f"{label}: {fact}" for label, fact in facts], most),
            _part("Translations", told.TRANSLATIONS, most, paragraph(_translations(inspection), most)),
            _part("Probability of each piece", told.PROBABILITIES, most, _probabilities(inspection)),
            _part(
                "Attention",
                attention_words(inspection),
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
    for label in axis.get_ticklabels():
        if len(label.get_text()) == 1:
            label.set_rotation(0)
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
        axes.imshow(weights, vmin=0, vmax=weights.max(), cmap="viridis", aspect="auto", interpolation="nearest")
        axes.xaxis.tick_top()
        _names(axes, columns, upright=True)
        _names(axes, rows, upright=False)

    return [Block(left_room + len(columns) * _CELL, top_room + len(rows) * _CELL, draw)]


def _gates(inspection: Inspection, most: float) -> list[Block]:
    reading, writing, maps = encoder_panels(inspection), decoder_panels(inspection), gate_maps(inspection)
    if not maps:
        return [_part("Gates", told.NO_GATES, most)]
    listed = paragraph([f"• {meaning}" for meaning in meanings(reading + writing)], most)
    parts = [_part("Gates", told.GATES_SEEN, most, listed)]
    for title, said, panels, pieces in (
        ("Gates of the encoder", told.ENCODER, reading, inspection.source_pieces),
        ("Gates of the decoder", told.DECODER, writing, inspection.target_pieces),
    ):
        if panels:
            parts.append(_part(title, said, most, flowing([_panel(panel, shown(pieces), maps) for panel in panels], most)))
    return parts


def _panel(panel: Panel, pieces: Sequence[str], maps: int) -> Block:
    """The means of its gates above their units."""
    gates = panel.gates
    width, high, step = len(pieces) * _CELL, 100, 126
    units = {name: sorted_units(values, maps) for name, values in gates.items()}

    def draw(canvas: Canvas, left: float, top: float) -> None:
        canvas.text(left + 30, top, panel.title, weight="bold")
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
