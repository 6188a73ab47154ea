"""Minimum-Bayes-risk decoding: its utility against sacreBLEU's, its choice against the definition."""

import math
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from nmt.errors import UserError
from nmt.search import MBR, Beam, Sampling
from nmt.search.chrf import pairwise_chrf
from nmt.search.constraints import Constraints

SOURCES = [(7, 8, 9, 2), (7, 2), (9, 8, 2), (2,)]


def chrf(hypothesis: str, reference: str) -> float:
    return float(CHRF().sentence_score(hypothesis, [reference]).score)


def texts(seed: int) -> list[str]:
    draw = random.Random(seed)
    alphabet = ["ab ", "abcdefgh  ", "aé 猫🙂\u2028\u00a0e\u0301", "the cat sat "][seed % 4]
    return ["".join(draw.choice(alphabet) for _ in range(draw.randrange(30))) for _ in range(12)]


@pytest.mark.parametrize("seed", range(12))
def test_the_utility_is_sacrebleu_s_sentence_chrf(seed: int) -> None:
    strange = ["", " ", "a", "aa", "a a a a a a a", "abcde", "abcdef", "\ud800", "😀" * 40, "salad " * 30]
    some = texts(seed) + strange[: seed + 1]
    expected = [[chrf(one, other) for other in some] for one in some]
    np.testing.assert_allclose(pairwise_chrf(some), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("some", [[], [""], ["", " "], ["a"], ["a", ""]])
def test_there_may_be_little_to_count(some: list[str]) -> None:
    expected = np.array([[chrf(one, other) for other in some] for one in some]).reshape(len(some), len(some))
    np.testing.assert_allclose(pairwise_chrf(some), expected)


def decode(sequences: Sequence[Sequence[int]]) -> list[str]:
    """3 and 4 look the same, so that different tokens may be one text."""
    return ["".join({3: "a", 4: "a", 5: " bc"}[token] for token in tokens) for tokens in sequences]


@pytest.mark.parametrize("by", ["sampling", "beam"])
@pytest.mark.parametrize("seed", range(5))
def test_it_chooses_the_greatest_expected_utility(scripted: ModuleType, seed: int, by: Any) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(seed))
    mbr = MBR(candidates=12, candidates_by=by, n_best=4, seed=seed)
    proposing: Any = Sampling(n_best=12, seed=seed) if by == "sampling" else Beam(beam_size=12, n_best=12)
    proposed = proposing(model, *scripted.batch(SOURCES))
    merged = 0
    for found, candidates in zip(mbr(model, *scripted.batch(SOURCES)), proposed, strict=True):
        assert found == candidates
        weights: dict[str, float] = defaultdict(float)
        for one, text in zip(candidates, decode([one.tokens for one in candidates]), strict=True):
            weights[text] += 1.0 if by == "sampling" else math.exp(one.log_prob)
        total = sum(weights.values())
        expected = {
            text: sum(chrf(text, other) * weight / total for other, weight in weights.items()) for text in weights
        }
        ranked = mbr.rank(found, decode)
        chosen = [decode([found[place].tokens])[0] for place, _ in ranked]
        assert [score for _, score in ranked] == pytest.approx(sorted(expected.values(), reverse=True)[:4])
        assert [expected[text] for text in chosen] == pytest.approx([score for _, score in ranked])
        assert len(set(chosen)) == len(chosen) == min(4, len(weights))
        merged += len(candidates) - len(weights)
    assert merged > 0


def test_samples_are_drawn_as_the_settings_say(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(1))
    settings: dict[str, Any] = {"temperature": 0.5, "top_k": 2, "top_p": 0.8, "seed": 3}
    for left_out in ({}, *({name: None} for name in settings)):
        own = {name: value for name, value in settings.items() if name not in left_out}
        found = MBR(candidates=6, **own)(model, *scripted.batch(SOURCES), with_attention=True)
        drawn = Sampling(n_best=6, **own)(model, *scripted.batch(SOURCES), with_attention=True)
        for candidates, samples in zip(found, drawn, strict=True):
            assert [one.tokens for one in candidates] == [one.tokens for one in samples]
            assert all(one.attention is not None for one in candidates)


def test_of_one_candidate_there_is_no_choice(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(1))
    found = MBR(candidates=1)(model, *scripted.batch(SOURCES))
    assert found == Sampling()(model, *scripted.batch(SOURCES))
    assert all(MBR(candidates=1).rank(one, decode)[0][0] == 0 for one in found)


def test_candidates_keep_to_the_constraints(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(2))
    mbr = MBR(candidates=6, forbidden_pieces=["piece 4"], max_length_ratio=1.0, max_length_offset=2)
    found = mbr(model, *scripted.batch(SOURCES), constraints=Constraints((4,), [(5,)] * 4))
    for source, candidates in zip(SOURCES, found, strict=True):
        assert all(one.tokens[0] == 5 and 4 not in one.tokens and len(one.tokens) <= len(source) + 1 for one in candidates)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"candidates": 0}, "`candidates` must be at least 1, but is 0 instead"),
        ({"candidates": 4, "n_best": 5}, "`n_best` must be at most `candidates` (4), but is 5 instead"),
        ({"candidates_by": "greedy"}, "`candidates_by` must be one of sampling, beam, but is 'greedy' instead"),
        ({"top_p": 0.0}, "`top_p` must be above 0 and at most 1, but is 0.0 instead"),
    ],
)
def test_a_wrong_setting_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        MBR(**settings)
