"""F1 of words by their frequency: how well rare words are translated, which BLEU, being of phrases, does not tell.

Neubig et al. 2019, 'compare-mt: a tool for holistic comparison of language generation systems': its word accuracies, with
its classes of frequency. Words are those that BLEU counts.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sacrebleu.metrics.base import Metric

_LOWEST = (0, 1, 2, 3, 4, 5, 10, 100, 1000)  # where each class begins


@dataclass(frozen=True)
class FrequencyClass:
    """The words that occur ``low`` to ``high`` times (None: or more often), and their occurrences in the test set.

    ``matched`` are those in a translation that its reference has too, each at most as often as it stands there.
    """

    low: int
    high: int | None
    in_references: int
    in_translations: int
    matched: int

    @property
    def label(self) -> str:
        if self.high is None:
            return f"≥ {self.low:,}"
        return f"{self.low}–{self.high}" if self.low < self.high else str(self.low)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall in percent; 0 where nothing matches."""
        return 200 * self.matched / max(1, self.in_references + self.in_translations)


def words_of(metric: Metric, texts: Iterable[str]) -> list[list[str]]:
    """The words of each text, as ``metric`` (BLEU) separates them, in lower case if it ignores case."""
    return [metric._preprocess_segment(text).split() for text in texts]


def frequencies(metric: Metric, texts: Iterable[str], wanted: frozenset[str]) -> Counter[str]:
    """How often each of the ``wanted`` words occurs in ``texts``, of which none is kept."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(word for word in metric._preprocess_segment(text).split() if word in wanted)
    return found


def frequency_classes(
    translations: Sequence[Sequence[str]], references: Sequence[Sequence[str]], frequency: Mapping[str, int]
) -> list[FrequencyClass]:
    """All classes, those without words too. The first two are words [sentences][words]; an absent ``frequency`` is 0."""
    in_references, in_translations, matched = Counter[str](), Counter[str](), Counter[str]()
    for translation, reference in zip(map(Counter, translations), map(Counter, references), strict=True):
        in_references.update(reference)
        in_translations.update(translation)
        matched.update(translation & reference)
    highest = [*(low - 1 for low in _LOWEST[1:]), None]
    totals = {low: [0, 0, 0] for low in _LOWEST}
    for place, counts in enumerate((in_references, in_translations, matched)):
        for word, count in counts.items():
            totals[_LOWEST[bisect_right(_LOWEST, frequency.get(word, 0)) - 1]][place] += count
    return [FrequencyClass(low, high, *totals[low]) for low, high in zip(_LOWEST, highest, strict=True)]
