"""What a long source's parts are; test_translator.py shows them as text."""

import pytest

from nmt.chunks import split_pieces


@pytest.mark.parametrize(("after", "end"), [(["猫", "猫"], 7), (["」", "と"], 8)])
def test_no_chunk_ends_between_a_sentence_and_its_quotation_mark(after: list[str], end: int) -> None:
    first, *_ = split_pieces(["▁猫", "犬", "犬", "犬", "「", "猫", "。", *after], 8)
    assert first == slice(0, end)


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 16, 17, 100])
def test_the_parts_make_the_whole_each_but_the_last_more_than_half_full(number: int) -> None:
    pieces = ["▁a", "b", "<0xE7>", "<0x8C>", "<0xAB>", "▁c."] * 20
    parts = split_pieces(pieces[:number], 8)
    assert [piece for part in parts for piece in pieces[part]] == pieces[:number]
    lengths = [part.stop - part.start for part in parts]
    assert all(4 < length <= 8 for length in lengths[:-1]) and all(0 < length <= 8 for length in lengths)
