"""The measuring: several runs scored on one test set, each tested against the first."""

from collections.abc import Sequence

from nmt.comparison.differences import most_different
from nmt.comparison.results import Comparison, Conditions, ParallelText, Result, System
from nmt.evaluation import Bootstrap, Counts, count, is_unspaced
from nmt.evaluation.lengths import LengthBin, length_bins, lengths_of


def compare(
    systems: Sequence[System],
    test_set: ParallelText,
    conditions: Conditions,
    *,
    tokenize: str | None = None,
    lowercase: bool = False,
) -> Comparison:
    """Score the systems (at least one) and test each against the first. ``tokenize``, ``lowercase`` and errors: ``score``."""
    languages, sources, references = test_set.languages, test_set.sources, test_set.references
    unspaced = is_unspaced(languages[0])
    bins = length_bins(lengths_of(sources, unspaced))
    counted = [
        count(system.translations, references, tokenize=tokenize, target_language=languages[1], lowercase=lowercase)
        for system in systems
    ]
    baseline = [counts.bootstrap() for counts in counted[0]]
    results = [_result(systems[0], counted[0], baseline, None, bins)]
    for system, counts in zip(systems[1:], counted[1:], strict=True):
        results.append(_result(system, counts, [one.bootstrap() for one in counts], baseline, bins))
    translated = [(system.translations, chrf.sentence_scores()) for system, (_, chrf) in zip(systems, counted, strict=True)]
    differences = [
        most_different(system.run.name, sources, references, translated[0], other)
        for system, other in zip(systems[1:], translated[1:], strict=True)
    ]
    return Comparison(test_set, conditions, results, bins, "characters" if unspaced else "words", differences)


def _result(
    system: System,
    counts: tuple[Counts, Counts],
    bootstraps: Sequence[Bootstrap],
    baseline: Sequence[Bootstrap] | None,
    bins: Sequence[LengthBin],
) -> Result:
    bleu, chrf = bootstraps
    return Result(
        system,
        bleu.summary,
        chrf.summary,
        (bleu.p_value(baseline[0]), chrf.p_value(baseline[1])) if baseline else None,
        len(system.translations) / system.seconds,
        [counts[0].score(one.members) for one in bins],
    )
