"""Sampling: frequencies against the enumerated distribution, and what its seed promises."""

import math
from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nmt.search import Greedy, Sampling
from nmt.search.constraints import Constraints

SOURCE = (8, 7, 2)
SOURCES = [(7, 8, 9, 2), (7, 2), SOURCE, (2,)]
LIMIT = 3


def shaped(log_probs: list[float], allowed: list[int], search: Sampling) -> dict[int, float]:
    """The next token's distribution after temperature, top-k and top-p, by their definitions."""
    ranked = sorted(allowed, key=lambda token: -log_probs[token])
    ranked = ranked[: search.top_k or len(ranked)]
    weights = [math.exp(log_probs[token] / search.temperature) for token in ranked]
    probabilities = [weight / sum(weights) for weight in weights]
    size = next(n for n in range(1, len(ranked) + 1) if n == len(ranked) or sum(probabilities[:n]) >= search.top_p)
    total = sum(probabilities[:size])
    return {token: probability / total for token, probability in zip(ranked[:size], probabilities, strict=False)}


def distribution(scripted: ModuleType, truth: Any, search: Sampling) -> dict[tuple[int, ...], float]:
    """The probability of every token sequence that is permitted, end mark included."""
    result: dict[tuple[int, ...], float] = {}
    prefixes: dict[tuple[int, ...], float] = {(): 1.0}
    for length in range(LIMIT):
        longer = {}
        for prefix, probability in prefixes.items():
            for token, share in shaped(truth.table(SOURCE, prefix)[0], truth.allowed(prefix), search).items():
                ended = token == scripted.EOS or length + 1 == LIMIT
                (result if ended else longer)[(*prefix, token)] = probability * share
        prefixes = longer
    return result


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 2},
        {"top_p": 0.6},
        {"temperature": 1.5, "top_k": 3, "top_p": 0.7},
        {"no_repeat_ngram": 1},
        {"no_repeat_ngram": 1, "top_k": 2},
        {"forbidden_pieces": ["piece 4"]},
        {"forbidden_pieces": ["piece 4"], "top_p": 0.7},
    ],
)
@pytest.mark.parametrize("prefix", [(), (4,)])
def test_frequencies_are_the_distribution_s(scripted: ModuleType, shape: dict[str, Any], prefix: tuple[int, ...]) -> None:
    table, forbidden = scripted.Table(seed=2), (4,) if "forbidden_pieces" in shape else ()
    search = Sampling(n_best=5000, max_length_ratio=0.0, max_length_offset=LIMIT, seed=1, **shape)
    (samples,) = search(scripted.ScriptedDecoder(table), *scripted.batch([SOURCE]), constraints=Constraints(forbidden, [prefix]))
    counts = Counter((*h.tokens, scripted.EOS) if h.finished else tuple(h.tokens) for h in samples)
    truth = scripted.Truth(table, SOURCE, 1, LIMIT, no_repeat=search.no_repeat_ngram, forbidden=forbidden, prefix=prefix)
    expected = distribution(scripted, truth, search)
    assert sum(expected.values()) == pytest.approx(1)
    assert set(counts) <= set(expected)
    # Pearson's statistic: its mean is the degrees of freedom, its deviation the root of twice these.
    statistic = sum((counts[tokens] - 5000 * p) ** 2 / (5000 * p) for tokens, p in expected.items())
    freedom = len(expected) - 1
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("shape", [{}, {"temperature": 0.3}, {"top_k": 2}, {"top_p": 0.5}])
def test_log_prob_is_the_model_s_own(scripted: ModuleType, shape: dict[str, Any]) -> None:
    table = scripted.Table(5)
    found = Sampling(n_best=20, **shape)(scripted.ScriptedDecoder(table, shift=2.0), *scripted.batch(SOURCES))
    for source, samples in zip(SOURCES, found, strict=True):
        assert len(samples) == 20
        assert [h.score for h in samples] == sorted((h.score for h in samples), reverse=True)
        for sample in samples:
            truth = scripted.Truth(table, source, 0, 0).score(tuple(sample.tokens), sample.finished)
            assert sample.log_prob == sample.score == pytest.approx(truth.log_prob, abs=1e-4)


@pytest.mark.parametrize("shape", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-300}])
def test_the_sharpest_sampling_is_greedy(scripted: ModuleType, shape: dict[str, Any]) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(7))
    for (sample,), (greedy,) in zip(
        Sampling(**shape)(model, *scripted.batch(SOURCES)),
        Greedy()(model, *scripted.batch(SOURCES)),
        strict=True,
    ):
        assert (sample.tokens, sample.log_prob) == (greedy.tokens, greedy.log_prob)


@pytest.mark.parametrize("n_best", [1, 8])
def test_a_seed_and_a_sentence_decide_alone(scripted: ModuleType, n_best: int) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(1))
    search = Sampling(n_best=n_best, seed=3)
    together = search(model, *scripted.batch([*SOURCES, SOURCE]))
    assert together[2] == together[4]
    for source, found in zip(SOURCES, together[:4], strict=True):
        np.random.random(5)  # the global generator has moved on
        assert search(model, *scripted.batch([source])) == [found]


def test_another_seed_draws_otherwise_and_the_global_generator_is_left_alone(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(1))
    before = np.random.get_state()[1].tolist()
    draws = [Sampling(n_best=8, seed=seed)(model, *scripted.batch(SOURCES)) for seed in range(4)]
    assert np.random.get_state()[1].tolist() == before
    assert all(one != other for place, one in enumerate(draws) for other in draws[:place])
