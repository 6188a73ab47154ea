"""The measuring: a system scored on a test set, and tested against a baseline if there is one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from sacrebleu.metrics.base import Metric

from nmt.evaluation.counts import Counts
from nmt.evaluation.lengths import length_bins, lengths_of
from nmt.evaluation.report import Baseline, ByFrequency, ByLength, PValues, Report
from nmt.evaluation.scores import Scores, count_all, is_unspaced
from nmt.evaluation.words import frequencies, frequency_classes, words_of


@dataclass(frozen=True)
class SystemOutput:
    """What a system made of a test set, line by line, and what the system is called."""

    name: str
    translations: Sequence[str]


def evaluate(
    system: SystemOutput,
    references: Sequence[str],
    *,
    baseline: SystemOutput | None = None,
    sources: Sequence[str] | None = None,
    training: Iterable[str] | None = None,
    languages: tuple[str, str] = ("", ""),
    tokenize: str | None = None,
    lowercase: bool = False,
) -> Report:
    """Score ``system`` and, if there is one, the ``baseline``, and test the one against the other.

    ``training``, the text in the target language that the system was trained on, gives the frequency of words; without
    it they are counted in the references. ``languages`` are (source, target), "" if unknown. ``tokenize``,
    ``lowercase`` and errors: ``score``.
    """
    outputs = [system, *([baseline] if baseline else [])]
    counted = [
        count_all(one.translations, references, tokenize=tokenize, target_language=languages[1], lowercase=lowercase)
        for one in outputs
    ]
    bootstraps = [[counts.bootstrap() for counts in three] for three in counted]
    scores = [Scores(bleu.summary, chrf.summary, ter.summary, len(references)) for bleu, chrf, ter in bootstraps]
    held_against = None
    if baseline is not None:
        p_values = [
            PValues(ours.p_value(theirs), our_counts.randomisation_p_value(their_counts))
            for ours, theirs, our_counts, their_counts in zip(*bootstraps, *counted, strict=True)
        ]
        keys = [key for key, _ in scores[0].by_key()]
        held_against = Baseline(baseline.name, scores[1], dict(zip(keys, p_values, strict=True)))
    systems = [three[0] for three in counted]
    by_length = [_by_length("source", sources, is_unspaced(languages[0]), systems)] if sources is not None else []
    by_length.append(_by_length("reference", references, is_unspaced(languages[1], tokenize), systems))
    by_frequency = _by_frequency(outputs, references, training, systems[0].metric)
    return Report(system.name, scores[0], held_against, by_length, by_frequency)


def _by_length(side: str, texts: Sequence[str], unspaced: bool, systems: Sequence[Counts]) -> ByLength:
    bins = length_bins(lengths_of(texts, unspaced))
    unit = "characters" if unspaced else "words"
    return ByLength(side, unit, bins, [[counts.score(one.members) for one in bins] for counts in systems])


def _by_frequency(
    outputs: Sequence[SystemOutput], references: Sequence[str], training: Iterable[str] | None, bleu: Metric
) -> ByFrequency:
    expected = words_of(bleu, references)
    said = [words_of(bleu, one.translations) for one in outputs]
    if training is None:
        frequency = Counter(chain.from_iterable(expected))
    else:
        frequency = frequencies(bleu, training, frozenset(chain.from_iterable(chain(expected, *said))))
    systems = [frequency_classes(words, expected, frequency) for words in said]
    classes = [[one for one in system if one.in_references] for system in systems]
    return ByFrequency("references" if training is None else "training text", classes)
