"""What holds for every search, and the settings' own errors."""

import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from nmt.errors import UserError
from nmt.search import STRATEGIES, Beam, Greedy, Sampling, SearchStrategy

SOURCES = [(7, 8, 9, 2), (7, 2), (9, 8, 2), (2,), (5, 5, 5, 5, 5, 5, 2)]
ALL = [Greedy, Beam, Sampling]


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("seed", range(5))
def test_targets_keep_to_the_bounds(scripted: ModuleType, strategy: type[SearchStrategy], seed: int) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(seed))
    search = strategy(min_length_ratio=0.5, max_length_ratio=1.0, max_length_offset=2)
    cut = 0
    for source, (hypothesis,) in zip(SOURCES, search(model, *scripted.batch(SOURCES)), strict=True):
        pieces = len(source) - 1
        assert set(hypothesis.tokens) <= set(scripted.PIECES)
        assert len(hypothesis.tokens) >= max(pieces / 2, min(pieces, 1))
        if hypothesis.finished:
            assert len(hypothesis.tokens) + 1 <= pieces + 2
        else:
            assert len(hypothesis.tokens) == pieces + 2
            cut += 1
    assert cut < len(SOURCES)


@pytest.mark.parametrize("strategy", ALL)
def test_no_translation_is_empty_unless_the_source_is(scripted: ModuleType, strategy: type[SearchStrategy]) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(end_bonus=20.0))
    found = strategy(max_length_ratio=0.0, max_length_offset=0)(model, *scripted.batch(SOURCES))
    assert [len(hypothesis.tokens) for (hypothesis,) in found] == [1, 1, 1, 0, 1]
    assert all(hypothesis.finished for (hypothesis,) in found)


@pytest.mark.parametrize("strategy", ALL)
def test_a_target_without_end_is_cut_and_says_so(scripted: ModuleType, strategy: type[SearchStrategy]) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(end_bonus=-50.0))
    for source, (hypothesis,) in zip(SOURCES, strategy()(model, *scripted.batch(SOURCES)), strict=True):
        assert not hypothesis.finished
        assert len(hypothesis.tokens) == 2 * (len(source) - 1) + 10


@pytest.mark.parametrize("strategy", ALL)
def test_no_sentences_no_translations(scripted: ModuleType, strategy: type[SearchStrategy]) -> None:
    assert strategy()(scripted.ScriptedDecoder(scripted.Table()), *scripted.batch([])) == []


@pytest.mark.parametrize("strategy", ALL)
def test_a_broken_model_is_reported(scripted: ModuleType, strategy: type[SearchStrategy]) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(), shift=float("nan"))
    with pytest.raises(UserError, match="weights hold NaN"):
        strategy()(model, *scripted.batch(SOURCES))


def test_greedy_takes_the_likeliest_piece_at_every_step(scripted: ModuleType) -> None:
    table = scripted.Table(6)
    for source, (hypothesis,) in zip(
        SOURCES, Greedy()(scripted.ScriptedDecoder(table, shift=-3.0), *scripted.batch(SOURCES)), strict=True
    ):
        prefix: tuple[int, ...] = ()
        for token in hypothesis.tokens + [scripted.EOS] * hypothesis.finished:
            allowed = scripted.PIECES if not prefix and len(source) > 1 else (scripted.EOS, *scripted.PIECES)
            log_probs, _ = table(source, prefix)
            assert token == max(allowed, key=log_probs.__getitem__)
            prefix = (*prefix, token)
        truth = scripted.Truth(table, source, 0, 0).score(tuple(hypothesis.tokens), hypothesis.finished)
        assert hypothesis.log_prob == hypothesis.score == pytest.approx(truth.log_prob, abs=1e-5)


def test_length_bounds_are_not_fooled_by_binary_fractions() -> None:
    mask = np.ones((1, 101), dtype=bool)  # 100 pieces and the end mark
    search = Greedy(min_length_ratio=0.07, max_length_ratio=0.29, max_length_offset=0)
    assert 100 * 0.07 > 7 and 100 * 0.29 < 29
    assert [bound.item() for bound in search.length_bounds(mask)] == [7, 29]


@pytest.mark.parametrize("endless", [{"max_length_ratio": 1e18}, {"max_length_ratio": 1e300}, {"max_length_offset": 10**18}])
def test_a_length_beyond_counting_is_none(endless: dict[str, Any], scripted: ModuleType) -> None:
    mask = np.ones((1, 4), dtype=bool)
    least, greatest = (bound.item() for bound in Greedy(**endless).length_bounds(mask))
    assert least == 1 and greatest > 10**9
    least, greatest = (bound.item() for bound in Greedy(min_length_offset=10**18, **endless).length_bounds(mask))
    assert greatest > least > 10**9


@pytest.mark.parametrize("name", STRATEGIES)
def test_settings_survive_omegaconf(name: str) -> None:
    config = OmegaConf.merge(OmegaConf.structured(STRATEGIES[name]), {"max_length_ratio": 3, "forbidden_pieces": ["▁a", ","]})
    assert OmegaConf.to_object(config) == STRATEGIES[name](max_length_ratio=3.0, forbidden_pieces=["▁a", ","])


@pytest.mark.parametrize(
    ("strategy", "changed", "message"),
    [
        (Beam, {"beam_size": 0}, "`beam_size` must be at least 1, but is 0 instead"),
        (Beam, {"beam_size": "5"}, "`beam_size` must be a whole number, but is '5' instead"),
        (Beam, {"beam_size": True}, "`beam_size` must be a whole number, but is True instead"),
        (Beam, {"n_best": 6}, "`n_best` must be at most `beam_size` (5)"),
        (Beam, {"length_penalty": -0.5}, "`length_penalty` must be at least 0, but is -0.5 instead"),
        (
            Beam,
            {"length_penalty": float("nan")},
            "`length_penalty` must be a finite number, but is nan instead",
        ),
        (Beam, {"coverage_penalty": -1.0}, "`coverage_penalty` must be at least 0, but is -1.0 instead"),
        (Beam, {"max_length_ratio": -1.0}, "`max_length_ratio` must be at least 0, but is -1.0 instead"),
        (Beam, {"max_length_offset": -1}, "`max_length_offset` must be at least 0, but is -1 instead"),
        (Beam, {"beam_size": 2**63}, f"`beam_size` must be below 2**63, but is {2**63} instead"),
        (Beam, {"min_length_ratio": -1}, "`min_length_ratio` must be at least 0, but is -1 instead"),
        (Beam, {"min_length_offset": -1}, "`min_length_offset` must be at least 0, but is -1 instead"),
        (Greedy, {"no_repeat_ngram": -1}, "`no_repeat_ngram` must be at least 0, but is -1 instead"),
        (Beam, {"length_penalty_form": "wu"}, "`length_penalty_form` must be one of gnmt, plain, but is 'wu' instead"),
        (Beam, {"forbidden_pieces": "▁a"}, "`forbidden_pieces` must be a list of text, but is '▁a' instead"),
        (Beam, {"forbidden_pieces": [3]}, "`forbidden_pieces` must be a list of text, but is [3] instead"),
        (
            Beam,
            {"min_length_ratio": 3.0},
            "`min_length_ratio` must be at most `max_length_ratio` (2.0), but is 3.0 instead",
        ),
        (Beam, {"n_best": 0}, "`n_best` must be at least 1, but is 0 instead"),
        (
            Greedy,
            {"n_best": 2},
            "`n_best` must be 1 for greedy search (beam search finds more), but is 2 instead",
        ),
        (
            Sampling,
            {"temperature": 0.0},
            "`temperature` must be above 0 (greedy search is the limit), but is 0.0 instead",
        ),
        (
            Sampling,
            {"temperature": float("inf")},
            "`temperature` must be a finite number, but is inf instead",
        ),
        (Sampling, {"top_k": -1}, "`top_k` must be at least 0, but is -1 instead"),
        (Sampling, {"top_p": 0.0}, "`top_p` must be above 0 and at most 1, but is 0.0 instead"),
        (Sampling, {"top_p": 1.5}, "`top_p` must be above 0 and at most 1, but is 1.5 instead"),
        (Sampling, {"seed": -1}, "`seed` must be at least 0, but is -1 instead"),
    ],
)
def test_a_wrong_setting_is_told(strategy: type[SearchStrategy], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        strategy(**changed)


def test_coverage_needs_attention(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(), with_attention=False)
    with pytest.raises(UserError, match="`coverage_penalty` must be 0 for a model without attention"):
        Beam(coverage_penalty=0.1)(model, *scripted.batch(SOURCES))
