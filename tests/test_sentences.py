"""Sentences are split where it is safe to, and joining them gives the text back."""

import pytest

from nmt.sentences import join_sentences, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        [],
        ["no end"],
        ["A man runs.", "A dog sleeps."],
        ["Really?!", "Yes!", "Well…", "No."],
        ["猫です。", "犬です！", "本当？", "はい。"],
        ["猫です。", "A cat."],
        ["बिल्ली सोती है।", "कुत्ता दौड़ता है।"],
        ["هل هي هنا؟", "نعم."],
        ["He ran to me.", "I saw it."],  # not everything short is an abbreviation
        # no end of a sentence, or in doubt none
        ["Dr. Smith and Mrs. Jones met J. S. Bach on the 3. of May, e.g. at 5 p.m. or so."],
        ["Am 3. Oktober, z. B. in der Hauptstr. gegenüber."],
        ["Version 3.5.1 costs 3.50 at example.com/a.b?c=d!e."],
        ["Wait... what? he said."],
        ["(A man runs.) and stops."],
        ["「行く。」と言った。", "彼は'行く！'(行く。)と。"],
        ["何……？！！", "行く。"],
        ["."],
        ["..."],
        ["。"],
    ],
)
def test_sentences_are_split_and_joined(sentences: list[str]) -> None:
    text = join_sentences(sentences)
    assert split_sentences(text) == sentences
    assert split_sentences(f" {text}\t") == sentences


@pytest.mark.parametrize("blank", ["", " ", "\u3000\t"])
def test_blank_text_has_no_sentences(blank: str) -> None:
    assert split_sentences(blank) == []


def test_nothing_but_spaces_is_lost() -> None:
    text = "Once.  Two!\tThree?\u3000四。 五。六"
    assert split_sentences(text) == ["Once.", "Two!", "Three?", "四。", "五。", "六"]
    assert "".join(split_sentences(text)) == "".join(text.split())


def test_empty_sentences_are_left_out_and_ideographic_ends_need_no_space() -> None:
    assert join_sentences(["", "a.", "", "b"]) == "a. b"
    assert join_sentences(["猫。", "犬。", "a"]) == "猫。犬。a"


def test_parts_of_a_sentence_have_a_space_between_where_their_script_has() -> None:
    assert join_sentences(["猫犬、", "犬ネコ", "ねこ（", "猫）"]) == "猫犬、犬ネコねこ（猫）"
    assert join_sentences(["two", "cats 猫", "and 猫", "猫"]) == "two cats 猫 and 猫猫"
    assert join_sentences(["고양이가", "잔다"]) == "고양이가 잔다"
