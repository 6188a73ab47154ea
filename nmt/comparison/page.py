"""The comparison as one HTML page with plots."""

from collections.abc import Sequence

from nmt.comparison.differences import Difference, Differences
from nmt.comparison.results import Comparison
from nmt.comparison.runs import Training
from nmt.pages.charts import Interval, Series, interval_chart, line_chart
from nmt.pages.document import figure, labelled, page, section, sentence, side_by_side, table
from nmt.pages.html import Html, element, together


def comparison_page(comparison: Comparison) -> str:
    """The whole document."""
    test_set, names = comparison.test_set, _names(comparison)
    about = (
        f"{test_set.name}: {len(test_set.sources):,} sentences, {' to '.join(test_set.languages)}."
        f" The differences and p-values are against {names[0]}."
    )
    return page(
        f"Comparison of {names[0]}" if len(names) == 1 else f"Comparison of {len(names)} runs",
        element("p", None, about),
        table(*comparison.summary()),
        section("Scores", side_by_side(_scores(comparison), _by_length(comparison))),
        *_training(comparison),
        *(_differences(comparison, differences) for differences in comparison.differences),
        section("How this was measured", *(element("p", {"class": "soft"}, note) for note in comparison.notes())),
    )


def _names(comparison: Comparison) -> list[str]:
    return [result.system.run.name for result in comparison.results]


def _scores(comparison: Comparison) -> Html:
    intervals = []
    for name, result in zip(_names(comparison), comparison.results, strict=True):
        low, high = result.bleu.interval or (result.bleu.score, result.bleu.score)
        intervals.append(Interval(name, result.bleu.score, low, high))
    caption = "BLEU with its 95 % interval. That two overlap says little; the p-values compare sentence by sentence."
    return figure(caption, interval_chart(intervals, "BLEU"))


def _by_length(comparison: Comparison) -> Html:
    lines = [
        Series(name, list(enumerate(map(float, result.bleu_by_length))))
        for name, result in zip(_names(comparison), comparison.results, strict=True)
    ]
    labels = [one.label for one in comparison.bins]
    counts = ", ".join(f"{one.sentences:,} of {one.label}" for one in comparison.bins)
    caption = f"BLEU by the length of the source. Sentences: {counts} {comparison.length_unit}."
    return figure(caption, line_chart(lines, f"{comparison.length_unit} of the source", "BLEU", x_names=labels))


def _training(comparison: Comparison) -> list[Html]:
    """Validation BLEU by time and by steps, as far as the runs know of them."""
    trainings = [result.system.run.training for result in comparison.results]
    by_minutes = [Series(name, _by_minutes(one)) for name, one in zip(_names(comparison), trainings, strict=True)]
    by_steps = [
        Series(name, [(validation.step, validation.bleu) for validation in one.validations])
        for name, one in zip(_names(comparison), trainings, strict=True)
    ]
    charts = [
        figure(caption, line_chart(lines, x_label, "validation BLEU"))
        for lines, x_label, caption in (
            (
                by_minutes,
                "minutes of training",
                "BLEU of each run on its own validation set, by time, of which every step is taken to have had an equal share.",
            ),
            (by_steps, "steps", "BLEU of each run on its own validation set, by steps."),
        )
        if any(line.points for line in lines)
    ]
    return [section("Training", side_by_side(*charts))] if charts else []


def _by_minutes(training: Training) -> list[tuple[float, float]]:
    # The times in metrics.jsonl hold interruptions too; `seconds` does not.
    if not training.seconds or not training.steps:
        return []
    minutes_a_step = training.seconds / 60 / training.steps
    return [(validation.step * minutes_a_step, validation.bleu) for validation in training.validations]


def _differences(comparison: Comparison, differences: Differences) -> Html:
    baseline, run = _names(comparison)[0], differences.run
    sentences = len(comparison.test_set.sources)
    told = "The numbers are chrF2 of the sentence." if differences.gains or differences.losses else "In chrF2 none does."
    return section(
        f"{run} against {baseline}: the sentences that differ most",
        element("p", None, f"{differences.differing:,} of {sentences:,} translations differ. {told}"),
        _examples(f"{run} is better", differences.gains, comparison, run),
        _examples(f"{run} is worse", differences.losses, comparison, run),
    )


def _examples(heading: str, examples: Sequence[Difference], comparison: Comparison, run: str) -> Html:
    if not examples:
        return together()
    shown = [_example(one, comparison, run) for one in examples]
    return element("details", {"open": "open"}, element("summary", None, heading), *shown)


def _example(one: Difference, comparison: Comparison, run: str) -> Html:
    source, target = comparison.test_set.languages
    baseline = _names(comparison)[0]
    return labelled(
        [
            (f"line {one.line:,}", element("strong", None, f"{one.gain:+.1f}")),
            ("source", sentence(one.source, source)),
            ("reference", sentence(one.reference, target)),
            (f"{baseline}, {one.baseline_chrf:.1f}", sentence(one.baseline, target)),
            (f"{run}, {one.chrf:.1f}", sentence(one.translation, target)),
        ]
    )
