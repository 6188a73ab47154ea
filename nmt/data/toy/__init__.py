"""The embedded English-French corpus: lexicon, grammar, and the writer that makes the splits."""

from nmt.data.toy.writer import toy_pairs as toy_pairs
