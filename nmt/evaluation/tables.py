"""Columns of text."""

from collections.abc import Sequence

from nmt.evaluation.counts import Score

NOTHING = "–"  # stands where there is no figure


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first aligned left, the others right; without a final newline."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for name, *cells in (header, *rows):
        columns = [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
        lines.append("   ".join(columns).rstrip())
    return "\n".join(lines)


def bounds(score: Score) -> str:
    """The interval of a score, if it has one."""
    return "{:.2f} to {:.2f}".format(*score.interval) if score.interval else NOTHING
