"""Translations held against references.

    counts   what a metric counts in each sentence: scores, intervals and paired tests follow from it
    scores   BLEU, chrF and TER, each with its signature
    lengths  bins of a test set by the length of its sentences
    words    F1 of words by their frequency
    report   a system in detail, alone or beside a baseline: as JSON and as a table
    measure  how it comes about
    tables   columns of text
"""

from nmt.evaluation.counts import RESAMPLES, Bootstrap, Counts, Score, of_seeds
from nmt.evaluation.scores import Scores, bleu, count, count_all, is_unspaced, score, tokenizer_for

__all__ = [
    "RESAMPLES",
    "Bootstrap",
    "Counts",
    "Score",
    "Scores",
    "bleu",
    "count",
    "count_all",
    "is_unspaced",
    "of_seeds",
    "score",
    "tokenizer_for",
]
