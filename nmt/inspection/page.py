"""An inspection as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nmt.inspection import words
from nmt.inspection.layout import (
    Panel,
    attention_words,
    decoder_panels,
    encoder_panels,
    gate_maps,
    meanings,
    shown,
    shown_piece,
    sorted_units,
)
from nmt.inspection.result import Inspection
from nmt.inspection.tree_drawing import TREE_STYLE, draw_tree
from nmt.pages.bars import Bar, bar_chart
from nmt.pages.charts import legend
from nmt.pages.document import figure, flowing, labelled, page, scrolling, section, sentence
from nmt.pages.heat_map import colour_bar, heat_map
from nmt.pages.html import Html, element, together
from nmt.pages.tracks import Heat, Lines, tracks


def inspection_page(inspection: Inspection, about: Sequence[tuple[str, str]] = ()) -> str:
    """The whole document. ``about`` are further facts, such as the model's name, each with its label."""
    best = inspection.hypotheses[0]
    return page(
        "Inside a translation",
        labelled([("source", sentence(inspection.source)), ("translation", sentence(best.text)), *about]),
        section("Translations", _said(words.TRANSLATIONS), _translations(inspection)),
        section("Probability of each piece", _said(words.PROBABILITIES), _probabilities(inspection)),
        section("Attention", *_attention(inspection)),
        *_gates(inspection),
        section("The search", _said(words.TREE), figure(_tree_caption(inspection), draw_tree(inspection.tree))),
        style=TREE_STYLE,
    )


def _said(sentence: str) -> Html:
    return element("p", None, sentence)


def _translations(inspection: Inspection) -> Html:
    rows = []
    for rank, one in enumerate(inspection.hypotheses, start=1):
        told = f" log-probability {one.log_prob:.3f}{'' if one.finished else ', cut at the length limit'}"
        rows.append((f"{rank}. score {one.score:.3f}", together(sentence(one.text), element("span", {"class": "soft"}, told))))
    return labelled(rows)


def _probabilities(inspection: Inspection) -> Html:
    bars = []
    for piece, log_prob in zip(inspection.target_pieces, inspection.token_log_probs.tolist(), strict=True):
        probability = math.exp(log_prob)
        told = f"{piece}: probability {probability:.4f}, logarithm {log_prob:.3f}"
        bars.append(Bar(shown_piece(piece), probability, f"{probability:.3f}", told))
    total = sum(inspection.token_log_probs.tolist())
    return figure(f"The logarithms add up to {total:.3f}.", bar_chart(bars, 1.0, "probability of each piece"))


def _attention(inspection: Inspection) -> list[Html]:
    said = _said(attention_words(inspection))
    if inspection.attention is None:
        return [said]
    weights = inspection.attention.numpy()
    high = float(weights.max())
    drawing = heat_map(
        weights,
        0,
        high,
        row_names=shown(inspection.target_pieces),
        column_names=shown(inspection.source_pieces),
        cell=24,
        description="attention of each target piece to each source piece",
    )
    return [said, colour_bar(0, round(high, 2)), figure("Rows: the translation. Columns: the source.", drawing)]


def _gates(inspection: Inspection) -> list[Html]:
    reading, writing, maps = encoder_panels(inspection), decoder_panels(inspection), gate_maps(inspection)
    if not maps:
        return [section("Gates", _said(words.NO_GATES))]
    listed = element("ul", None, *(element("li", None, f"{meaning}.") for meaning in meanings(reading + writing)))
    sections = [section("Gates", listed, _said(words.GATES_SEEN), colour_bar(0, 1))]
    for title, said, panels, pieces in (
        ("Gates of the encoder", words.ENCODER, reading, inspection.source_pieces),
        ("Gates of the decoder", words.DECODER, writing, inspection.target_pieces),
    ):
        if panels:
            sections.append(section(title, _said(said), flowing(*(_panel(panel, pieces, maps) for panel in panels))))
    return sections


def _panel(panel: Panel, pieces: Sequence[str], maps: int) -> Html:
    """The means of its gates above their units."""
    lines = [(words.SHORT[name], values.mean(dim=1).numpy()) for name, values in panel.gates.items()]
    heats = []
    for name, values in panel.gates.items():
        units, hidden = sorted_units(values, maps), values.shape[1]
        told = f"{hidden} units" if len(units) == hidden else f"{len(units)} of {hidden} units"
        heats.append(Heat(f"{words.SHORT[name]}, {told}", units, height=max(64, len(units))))
    drawing = tracks(shown(pieces), [Lines("mean of each gate", lines), *heats], f"gates of {panel.title}")
    return element("div", None, element("h3", None, panel.title), legend([name for name, _ in lines]), scrolling(drawing))


def _tree_caption(inspection: Inspection) -> str:
    pruned = sum(node.pruned for node in inspection.tree)
    return f"{len(inspection.tree) - 1:,} pieces were considered, {pruned:,} of them given up."
