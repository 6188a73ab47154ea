"""Every word of the test set is in one class of frequency, and the classes together are what BLEU counts."""

from collections import Counter

import numpy
import pytest
from sacrebleu.metrics.bleu import BLEU

from nmt.evaluation import count
from nmt.evaluation.words import frequencies, frequency_classes, words_of

REFERENCES = ["The cat sat on the mat.", "A dog saw the cat, the cat saw it.", "", "Nobody?"]
TRANSLATIONS = ["The the cat sat on mat.", "A dog saw a cat.", "x", ""]


@pytest.mark.parametrize("lowercase", [False, True])
def test_the_classes_together_are_the_words_that_bleu_counts(lowercase: bool) -> None:
    counts, _ = count(TRANSLATIONS, REFERENCES, lowercase=lowercase)
    translations, references = (words_of(counts.metric, texts) for texts in (TRANSLATIONS, REFERENCES))
    classes = frequency_classes(translations, references, {"the": 3, "cat": 12, "saw": 100_000, ".": 2})
    totals = [[one.in_translations, one.in_references, one.matched] for one in classes]
    assert numpy.sum(totals, axis=0).tolist() == counts.table.sum(axis=0)[:3].tolist()


def test_known_cases() -> None:
    references, translations = [["a", "a", "b", "c"], ["a", "d"]], [["a", "b", "b", "e"], ["a", "a", "d"]]
    found = {one.label: one for one in frequency_classes(translations, references, {"a": 1000, "b": 7, "c": 1, "d": 1})}
    assert list(found) == ["0", "1", "2", "3", "4", "5–9", "10–99", "100–999", "≥ 1,000"]
    counts = {label: (one.in_references, one.in_translations, one.matched) for label, one in found.items()}
    assert {label: count for label, count in counts.items() if any(count)} == {
        "0": (0, 1, 0),
        "1": (2, 1, 1),
        "5–9": (1, 2, 1),
        "≥ 1,000": (3, 3, 2),
    }
    # Precision 1/1 and recall 1/2; precision 1/2 and recall 1/1; 2/3 and 2/3; nothing.
    assert [found[label].f1 for label in ("1", "5–9", "≥ 1,000", "0", "2")] == pytest.approx([200 / 3, 200 / 3, 200 / 3, 0, 0])


def test_right_words_have_100_and_order_does_not_matter() -> None:
    classes = frequency_classes([["b", "a"]], [["a", "b"]], {"a": 1, "b": 50})
    assert {one.label: one.f1 for one in classes if one.in_references} == {"1": 100, "10–99": 100}


def test_frequency_is_that_of_the_wanted_words_as_bleu_separates_them() -> None:
    texts = iter(["The cat, the cat", "a cat."])
    assert frequencies(BLEU(lowercase=True), texts, frozenset({"the", "cat", "dog"})) == Counter({"the": 2, "cat": 3})
