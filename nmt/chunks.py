"""A source of more pieces than its model was trained on, cut where that hurts least."""

from collections.abc import Sequence

from nmt.sentences import GOING_ON, IDEOGRAPHIC_ENDS, SENTENCE_ENDS


def split_pieces(pieces: Sequence[str], longest: int) -> list[slice]:
    """The parts of at most ``longest`` pieces that these make together, in their order; none of no pieces.

    Each but the last is filled to more than half: up to its last end of a sentence, or else between words, or else between
    characters.
    """
    parts, start = [], 0
    while len(pieces) - start > longest:
        end = start + _cut(pieces[start : start + longest + 1])
        parts.append(slice(start, end))
        start = end
    return [*parts, slice(start, len(pieces))] if pieces else []


def _cut(pieces: Sequence[str]) -> int:
    """How many of the pieces make a chunk: the most that end at the best kind of place, but never all."""
    longest = len(pieces) - 1
    for is_good in (_ends_sentence, _starts_word, _starts_character):
        for end in range(longest, longest // 2, -1):
            if is_good(pieces[end - 1], pieces[end]):
                return end
    return longest


def continues_character(piece: str) -> bool:
    """Whether this is a byte within a character: UTF-8's continuation bytes are 0x80 to 0xBF."""
    return len(piece) == 6 and piece.startswith(("<0x8", "<0x9", "<0xA", "<0xB"))


def _ends_sentence(before: str, after: str) -> bool:
    if before.endswith(IDEOGRAPHIC_ENDS):
        return not after.removeprefix("▁").startswith(GOING_ON)
    return before.endswith(SENTENCE_ENDS) and _starts_word(before, after)


def _starts_word(before: str, after: str) -> bool:
    return after.startswith("▁")


def _starts_character(before: str, after: str) -> bool:
    return not continues_character(after)
