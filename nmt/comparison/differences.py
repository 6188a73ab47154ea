"""The sentences that two systems translate most differently, by the chrF2 of each translation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

SHOWN = 5  # of the largest gains, and of the largest losses


@dataclass(frozen=True)
class Difference:
    """A sentence, ``line`` counted from 1, as two systems translate it, with the chrF2 of either translation in percent."""

    line: int
    source: str
    reference: str
    baseline: str
    translation: str
    baseline_chrf: float
    chrf: float

    @property
    def gain(self) -> float:
        """How much better than the baseline's the translation is; negative if it is worse."""
        return self.chrf - self.baseline_chrf

    def to_json(self) -> dict[str, object]:
        chrf = {"baseline_chrf": round(self.baseline_chrf, 4), "chrf": round(self.chrf, 4)}
        return asdict(self) | chrf


@dataclass(frozen=True)
class Differences:
    """``run`` against the first: how many translations differ at all, the largest gains and losses, largest first."""

    run: str
    differing: int
    gains: Sequence[Difference]
    losses: Sequence[Difference]

    def to_json(self) -> dict[str, object]:
        return {
            "run": self.run,
            "differing": self.differing,
            "gains": [one.to_json() for one in self.gains],
            "losses": [one.to_json() for one in self.losses],
        }


def most_different(
    run: str,
    sources: Sequence[str],
    references: Sequence[str],
    baseline: tuple[Sequence[str], Sequence[float]],
    system: tuple[Sequence[str], Sequence[float]],
) -> Differences:
    """What ``run`` does otherwise; ``baseline`` and ``system`` are the translations and the chrF2 of each."""
    columns = zip(sources, references, baseline[0], system[0], baseline[1], system[1], strict=True)
    every = [Difference(line, *row) for line, row in enumerate(columns, start=1)]
    differing = [one for one in every if one.translation != one.baseline]
    by_gain = sorted(differing, key=lambda one: one.gain, reverse=True)  # of equal ones the first comes first
    by_loss = sorted(differing, key=lambda one: one.gain)
    return Differences(
        run,
        len(differing),
        [one for one in by_gain[:SHOWN] if one.gain > 0],
        [one for one in by_loss[:SHOWN] if one.gain < 0],
    )
