"""What a terminal shows can be read back: every sign stands under its piece, and for its number."""

from collections.abc import Callable
from dataclasses import replace

import numpy
import pytest
import torch

from nmt.inspection.result import Inspection
from nmt.inspection.terminal import attention_text, forced_text, gates_text
from nmt.models.config import Cell
from nmt.pages.text import terminal_width
from nmt.translation import ForcedTarget
from nmt.translator import Translator

TEXT = "猫は庭で寝ています。🐈 é̂ A man rides a bike on the street."
SHADES, HEIGHTS = " ░▒▓█", "▁▂▃▄▅▆▇█"


def in_columns(line: str) -> list[str]:
    """What is in each column of a terminal: the second one of a wide sign holds nothing."""
    columns: list[str] = []
    for sign in line:
        match terminal_width(sign):
            case 0:
                columns[-1] += sign
            case 1:
                columns.append(sign)
            case _:
                columns += [sign, ""]
    return columns


def read_back(grid: list[str], rows: int, ramp: str, left: int) -> tuple[list[str], list[str], numpy.ndarray]:
    """The labels, the names above and the values of a grid, whose labels take ``left`` columns."""
    names: list[str] = []
    labels: list[str] = []
    values: list[list[int]] = [[] for _ in range(rows)]
    while grid:
        height = next(place for place, line in enumerate(grid) if line[: left - 1].strip())
        upright = [in_columns(line)[left:] for line in grid[:height]]
        count = max(len(line) + 1 for line in upright) // 2
        names += ["".join(line[2 * place] for line in upright if 2 * place < len(line)).strip() for place in range(count)]
        labels = []
        for row, line in enumerate(grid[height : height + rows]):
            columns = in_columns(line)
            labels.append("".join(columns[: left - 1]).strip())
            cells = columns[left:] + [" "] * (2 * count - len(columns[left:]))
            assert cells[::2] == cells[1::2]
            values[row] += [ramp.index(cell) for cell in cells[::2]]
        grid = grid[height + rows :]
    return labels, names, numpy.array(values) / (len(ramp) - 1)


def shown(pieces: list[str]) -> list[str]:
    return [piece.replace("▁", "␣") for piece in pieces]


@pytest.mark.parametrize("width", [40, 80, 1000])
def test_the_attention_can_be_read_back(width: int, make: Callable[..., Translator]) -> None:
    found = make().inspect(TEXT)
    assert found.attention is not None
    best = found.hypotheses[0]
    found = replace(found, hypotheses=[replace(best, pieces=["▁猫は寝ている", *best.pieces[1:]])])
    assert found.attention is not None
    said, grid = attention_text(found, width).split("\n\n")
    lines = grid.split("\n")
    assert all(terminal_width(line) <= width for line in [*said.split("\n"), *lines])
    left = max(map(terminal_width, shown(found.target_pieces))) + 1
    rows, columns, values = read_back(lines, len(found.target_pieces), SHADES, left)
    assert rows == shown(found.target_pieces)
    assert columns == shown(found.source_pieces)
    assert f"{float(found.attention.max()):.2f}" in said
    assert numpy.abs(values - found.attention.numpy() / float(found.attention.max())).max() <= 0.5 / 4 + 1e-6


@pytest.mark.parametrize(
    ("cell", "context_gate"), [*((cell, False) for cell in (Cell.gru, Cell.gru_cho, Cell.lstm)), (Cell.gru, True)]
)
def test_the_gates_can_be_read_back(cell: Cell, context_gate: bool, make: Callable[..., Translator]) -> None:
    found = make(cell=cell, context_gate=context_gate).inspect(TEXT)
    _, encoder, decoder = gates_text(found, 60).split("\n\n")
    names = [name for name in found.encoder_gates if name != "candidate"]
    expected = {
        "Encoder:": torch.stack(
            [found.encoder_gates[name][layer, place] for layer in range(2) for place in range(2) for name in names]
        ),
        "Decoder:": torch.stack([found.decoder_gates[name][layer] for layer in range(2) for name in names]),
    }
    if found.context_gate is not None:
        expected["Decoder:"] = torch.cat([expected["Decoder:"], found.context_gate.unsqueeze(0)])
    for text, pieces in ((encoder, found.source_pieces), (decoder, found.target_pieces)):
        title, *lines = text.split("\n")
        means = expected[title].mean(dim=2).numpy()
        assert all(terminal_width(line) <= 60 for line in lines)
        left = next(place for line in lines for place, sign in enumerate(line) if sign in HEIGHTS)
        labels, columns, values = read_back(lines, len(means), HEIGHTS, left)
        assert columns == shown(pieces)
        assert numpy.abs(values - means).max() <= 0.5 / 7 + 1e-6
        for label, row in zip(labels, means, strict=True):
            assert label.endswith(f"{row.mean():.2f}")
            assert any(f" {name} " in label for name in [*names, "context"])
    assert ("out context g" in decoder) == context_gate
    assert "1← update z" in encoder or cell is Cell.lstm
    assert "2 forget f" in decoder or cell is not Cell.lstm


def test_every_model_has_something_to_say(system: Translator) -> None:
    found = system.inspect(TEXT)
    for text in (attention_text(found, 80), gates_text(found, 80)):
        assert text and all(terminal_width(line) <= 80 for line in text.split("\n"))
    assert ("█" in attention_text(found, 80)) == (found.attention is not None)
    assert ("Encoder:" in gates_text(found, 80)) == bool(found.encoder_gates)
    assert ("Decoder:" in gates_text(found, 80)) == (bool(found.decoder_gates) or found.context_gate is not None)


def steering(found: Inspection) -> Inspection:
    """The same, had its tokenizer pieces that steer a terminal, or are very long."""
    best = replace(found.hypotheses[0], pieces=["\x1b[2J" for _ in found.target_pieces])
    return replace(found, source_pieces=["abc\x9b\r\u202e" * 9 for _ in found.source_pieces], hypotheses=[best])


def test_nothing_steers_the_terminal_and_long_names_are_cut(make: Callable[..., Translator]) -> None:
    found = steering(make().inspect(TEXT))
    target = ForcedTarget("", ["\x1b[2J", "▁猫" * 20], [-1.0, -2.0])
    for text in (attention_text(found, 80), gates_text(found, 80), forced_text(target, 80)):
        assert all(sign.isprintable() for sign in text.replace("\n", ""))
        assert "…" in text and "\ufffd" in text


def test_an_accent_without_a_letter_has_a_place_of_its_own() -> None:
    assert forced_text(ForcedTarget("", ["\u0941", "a\u0301"], [-1.0, -2.0]), 80) == "  ◌\u0941 -1.00  a\u0301 -2.00"


def test_probabilities_of_pieces_are_wrapped_between_pieces() -> None:
    pieces = ["▁猫", "は", "▁sleeps", "</s>"] * 5
    target = ForcedTarget("", pieces, [-number / 8 for number in range(20)])
    lines = forced_text(target, 30).split("\n")
    assert len(lines) > 5 and all(terminal_width(line) <= 30 for line in lines)
    parts = [part for line in lines for part in line.split("  ")[1:]]
    assert parts == [f"{name} {-number / 8:.2f}" for number, name in enumerate(shown(pieces))]
