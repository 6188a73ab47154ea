"""Loops: what a model writes up to the length limit when it finds no end."""

from collections.abc import Sequence

ROUNDS = 3  # so many make it a loop


def loop_end(tokens: Sequence[int]) -> int | None:
    """How many of the tokens there are up to the end of the first round, if they end in a loop; else None.

    They do if they end in three rounds or more of the same, the last of which may be cut. Of several ways to see it
    so, the longest loop counts, and of its rounds the shortest.
    """
    longest, chosen = 0, 0
    same = _same_as_start(tokens[::-1])
    for period in range(1, len(tokens) // ROUNDS + 1):
        length = period + same[period]
        if length >= ROUNDS * period and length > longest:
            longest, chosen = length, period
    return len(tokens) - longest + chosen if longest else None


def _same_as_start(tokens: Sequence[int]) -> list[int]:
    """For each place but the first, how many tokens from there on are those of the beginning, in linear time (the Z-algorithm,
    Gusfield 1997, section 1.4).
    """
    same = [0] * len(tokens)
    first, end = 0, 0  # the stretch that reaches furthest of those that are a beginning
    for place in range(1, len(tokens)):
        length = min(end - place, same[place - first]) if place < end else 0
        while place + length < len(tokens) and tokens[length] == tokens[place + length]:
            length += 1
        same[place] = length
        if place + length > end:
            first, end = place, place + length
    return same
