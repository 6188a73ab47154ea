"""The page and the picture show everything of every model, escaped, within two megabytes."""

import base64
import math
import re
import struct
import warnings
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt.inspection.layout import CELLS, gate_maps, sorted_units
from nmt.inspection.memory import MemoryCurve
from nmt.inspection.memory_page import Measured, memory_page
from nmt.inspection.page import inspection_page
from nmt.inspection.result import Inspection
from nmt.inspection.tree import Node
from nmt.models.config import Cell
from nmt.pages.heat_map import colour_numbers, encode_png, palette
from nmt.translation import TranslatedHypothesis
from nmt.translator import Translator

TEXT = "猫は庭で寝ています。🐈 & <b>$x_1$</b> \"'"
NASTY = "<script>alert(1)</script>"


class Seen(HTMLParser):
    """The tags, addresses and texts of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_every_model_has_a_page(system: Translator) -> None:
    found = system.inspect(TEXT)
    page = inspection_page(found, [("model", NASTY)])
    for text in (TEXT, *(one.text for one in found.hypotheses)):  # from right to left, if its signs are written so
        assert f'<span dir="auto">{escape(text, quote=False)}</span>' in page
    seen = Seen(page)
    assert TEXT in seen.texts and NASTY in seen.texts
    assert not {"script", "link", "b", "iframe"} & set(seen.tags)
    assert all(address.startswith("data:image/png;base64,") for address in seen.addresses)
    for piece in {*found.source_pieces, *found.target_pieces}:
        assert piece.replace("▁", "␣") in seen.texts or found.attention is None
    pictures = [address for address in seen.addresses if base64.b64decode(address.split(",")[1])[16:24] != b"\0\0\1\0\0\0\0\1"]
    gates = sum(name != "candidate" for name in found.decoder_gates)
    panels = found.encoder_states.shape[0] * len(found.directions) + found.decoder_states.shape[0]
    assert len(pictures) == gates * panels + (found.context_gate is not None) + (found.attention is not None)
    for title in ("Gates of the encoder", "Gates of the decoder"):
        assert (title in seen.texts) == (gates > 0 or (found.context_gate is not None and title.endswith("decoder")))
    for one in found.hypotheses:
        assert f"{one.score:.3f}" in page and f"log-probability {one.log_prob:.3f}" in page
    for log_prob in found.token_log_probs.tolist():
        assert f"probability {math.exp(log_prob):.4f}, logarithm {log_prob:.3f}" in page


def test_each_panel_shows_the_gates_of_its_layer_and_direction(system: Translator) -> None:
    found = system.inspect("a b c")
    pictures = [base64.b64decode(address.split(",")[1]) for address in Seen(inspection_page(found, [])).addresses]
    gates = [
        *(found.encoder_gates[name][layer, place] for layer, place in np.ndindex(found.encoder_states.shape[:2])
          for name in found.encoder_gates if name != "candidate"),
        *(found.decoder_gates[name][layer] for layer in range(found.decoder_states.shape[0])
          for name in found.decoder_gates if name != "candidate"),
        *([] if found.context_gate is None else [found.context_gate]),
    ]
    expected = [encode_png(colour_numbers(sorted_units(values, gate_maps(found)), 0, 1), palette()) for values in gates]
    assert [picture for picture in pictures if picture in expected] == expected


def large(source: int, target: int, layers: int, hidden: int) -> Inspection:
    """An LSTM's inspection with random numbers, which no compression makes smaller, and a tree of five live hypotheses."""
    torch.manual_seed(1)
    names = ("input", "forget", "candidate", "output")
    tree = [Node(0, "", None, 0.0, None, None, False)]
    for step in range(1, target + 1):
        for place in range(5):
            tree.append(Node(step, "▁piece", max(0, len(tree) - 5 if step > 1 else 0), -float(step), None, None, place > 0))
    return Inspection(
        source="word " * source,
        source_pieces=["▁word"] * source,
        hypotheses=[TranslatedHypothesis("wort " * target, ["▁wort"] * target, -1.0, -1.0, True)] * 5,
        tree=tree,
        token_log_probs=-torch.rand(target),
        attention=torch.rand(target, source),
        directions=["forwards", "backwards"],
        encoder_states=torch.zeros(layers, 2, source, 2 * hidden),
        encoder_gates={name: torch.rand(layers, 2, source, hidden) for name in names},
        decoder_states=torch.zeros(layers, target, 2 * hidden),
        decoder_gates={name: torch.rand(layers, target, hidden) for name in names},
    )


@pytest.mark.parametrize(("source", "target", "layers", "hidden"), [(40, 45, 2, 256), (40, 45, 4, 1000), (256, 300, 4, 1000)])
def test_a_page_stays_below_two_megabytes(source: int, target: int, layers: int, hidden: int) -> None:
    assert len(inspection_page(large(source, target, layers, hidden)).encode()) < 2_000_000


def test_units_are_sorted_and_a_sample_of_very_many() -> None:
    values = torch.tensor([[0.1, 0.9, 0.5], [0.2, 0.7, 0.6]])
    assert sorted_units(values, 1).tolist() == values.T[[1, 2, 0]].tolist()
    many = torch.rand(50, 1000)
    shown = sorted_units(many, 30)
    assert shown.shape[1] == 50 and 8 <= len(shown) <= 128 and shown.size * 30 <= CELLS
    means = shown.mean(axis=1)
    assert (means[:-1] >= means[1:]).all()
    assert means[0] == pytest.approx(float(many.mean(dim=0).max())) and means[-1] == pytest.approx(float(many.mean(dim=0).min()))


def curve(name: str, norm: list[float]) -> Measured:
    values = torch.tensor(norm, dtype=torch.float64)
    return Measured(name, MemoryCurve(values, values / 2, values * 2, torch.arange(len(norm), 0, -1)), len(norm))


def test_memory_has_a_curve_a_model() -> None:
    measured = [curve("<gru>", [1.0, 0.5, 0.25]), curve("rnn", [1.0, 0.1, 1e-38])]
    source = memory_page(measured)
    seen = Seen(source)
    assert seen.texts[seen.texts.index("distance") :][:9] == ["distance", "1", "2", "<gru>", "0.5", "0.25", "rnn", "0.1", "1e-38"]
    assert "<gru>" in seen.texts and "rnn" in seen.texts and "script" not in seen.tags
    assert len(re.findall("<circle", source)) == 6
    assert measured[0].to_json() == {
        "model": "<gru>",
        "sentences": 3,
        "norm": [1.0, 0.5, 0.25],
        "lower_quartile": [0.5, 0.25, 0.125],
        "upper_quartile": [2.0, 1.0, 0.5],
        "sentences_by_distance": [3, 2, 1],
    }


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize(("cell", "context_gate"), [(Cell.lstm, False), (Cell.rnn, False), (Cell.gru, True), (Cell.rnn, True)])
def test_a_picture_of_any_text_without_a_warning(
    cell: Cell, context_gate: bool, make: Callable[..., Translator], capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    from nmt.inspection.picture import inspection_picture

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = make(cell=cell, context_gate=context_gate).inspect(TEXT)
        width, height = size_of(inspection_picture(found, [("model", "_runs/$a_1$")]))
    assert width > 1000 and height > 1000
    assert capfd.readouterr() == ("", "")


def test_a_picture_of_memory() -> None:
    pytest.importorskip("matplotlib")
    from nmt.inspection.memory_picture import memory_picture

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        width, height = size_of(memory_picture([curve("_a", [1.0, 0.5]), curve("猫🐈", [1.0, 0.1, 0.01])]))
    assert width > 1000 and height > 500


def test_signs_that_no_font_has_are_written_as_codes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from nmt.inspection.canvas import drawable

    assert drawable("Wörter ␣ Слово") == "Wörter ␣ Слово"
    assert drawable("a\U000e0fff") == "aU+E0FFF"
