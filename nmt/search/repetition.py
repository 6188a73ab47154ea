"""Loops: what a model writes up to the length limit when it finds no end."""

from collections.abc import Sequence

ROUNDS = 3  # so many make it a loop


def loop_end(tokens: Sequence[int]) -> int | None:
    """How many of the tokens there are up to the end of the first round, if they end in a loop; else None.

    They do if they end in three rounds or more of the same, the last of which may be cut. Of several ways to see it
    so, the longest loop counts, and of its rounds the shortest.
    """
    longest, chosen = 0, 0
    for period in range(1, len(tokens) // ROUNDS + 1):
        length = period
        while length < len(tokens) and tokens[-1 - length] == tokens[-1 - length + period]:
            length += 1
        if length >= ROUNDS * period and length > longest:
            longest, chosen = length, period
    return len(tokens) - longest + chosen if longest else None
