"""The sentences that differ most are those."""

from nmt.comparison.differences import SHOWN, most_different

LINES = [f"sentence {number}" for number in range(30)]


def test_a_system_differs_nowhere_from_itself() -> None:
    scores = [50.0] * 30
    found = most_different("same", LINES, LINES, (LINES, scores), (LINES, scores))
    assert (found.differing, found.gains, found.losses) == (0, [], [])


def test_gains_and_losses_come_largest_first() -> None:
    before = [50.0] * 30
    after = [50.0 + (number * 7 % 30) - 15 for number in range(30)]
    found = most_different("b", LINES, LINES, (LINES, before), ([f"{line}!" for line in LINES], after))
    assert found.differing == 30
    differences = sorted(after[number] - before[number] for number in range(30))
    assert [one.gain for one in found.losses] == differences[:SHOWN]
    assert [one.gain for one in found.gains] == differences[::-1][:SHOWN]
    for one in (*found.gains, *found.losses):
        assert one.source == one.reference == one.baseline == LINES[one.line - 1]
        assert one.translation == f"{one.baseline}!"
        assert (one.baseline_chrf, one.chrf) == (before[one.line - 1], after[one.line - 1])


def test_what_differs_without_gain_or_loss_is_only_counted() -> None:
    found = most_different("b", ["x", "y"], ["x", "y"], (["a", "b"], [1.0, 2.0]), (["c", "d"], [1.0, 3.0]))
    assert found.differing == 2
    assert [one.line for one in found.gains] == [2]
    assert found.losses == []
