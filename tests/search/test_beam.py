"""Beam search against the enumerated truth."""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nmt.search import Beam, Greedy
from nmt.search.constraints import Constraints
from nmt.search.record import History, Kept
from nmt.search.scoring import LengthPenalty

# The last token of a source is its end mark: 3, 1, 2 and 0 pieces.
SOURCES = [(7, 8, 9, 2), (7, 2), (9, 8, 2), (2,)]
EVERYTHING = 400  # more than there are targets of at most 5 tokens
# Greatest and least lengths, each by its ratio and its offset.
LENGTHS = (
    *((1.0, 2, 0.0, 0), (0.0, 4, 0.0, 0), (1.5, 0, 0.0, 0), (1.0, 1, 1.0, 0), (1.0, 0, 1.0, 0), (0.5, 3, 0.5, 0)),
    *((0.5, 3, 0.0, 2), (0.0, 1, 0.0, 3), (0.5, 2, 0.5, 1)),
)
GNMT, PLAIN = LengthPenalty.gnmt, LengthPenalty.plain
PENALTIES = [(0.0, GNMT), *((alpha, form) for alpha in (0.6, 1.0, 2.0) for form in (GNMT, PLAIN))]
BETAS = (0.0, 0.3, 2.0)


@pytest.mark.parametrize("numbers", LENGTHS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beta", BETAS)
def test_a_wide_beam_finds_every_target_in_order(
    scripted: ModuleType, penalty: tuple[float, LengthPenalty], beta: float, numbers: tuple[float, int, float, int]
) -> None:
    table, lengths, (alpha, form) = scripted.Table(seed=3), scripted.Lengths(*numbers), penalty
    model = scripted.ScriptedDecoder(table, shift=5.0)
    truth = [
        scripted.Truth(table, source, *lengths.bounds(source), alpha, beta, form is PLAIN).everything() for source in SOURCES
    ]
    settings = {"length_penalty": alpha, "length_penalty_form": form, "coverage_penalty": beta, **lengths.settings()}
    for n_best in (EVERYTHING, 7, 1):
        beam = Beam(beam_size=EVERYTHING, n_best=n_best, **settings)
        for found, expected in zip(beam(model, *scripted.batch(SOURCES)), truth, strict=True):
            scripted.same(found, expected[:n_best])


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("form", [GNMT, PLAIN])
@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_goes_by_the_book(scripted: ModuleType, seed: int, form: LengthPenalty, beam_size: int) -> None:
    table, lengths = scripted.Table(seed), scripted.Lengths(1.5, 4, 0.5)
    settings = {"length_penalty": 0.8, "length_penalty_form": form, "coverage_penalty": 0.2, **lengths.settings()}
    for n_best in {1, (beam_size + 1) // 2, beam_size}:
        beam = Beam(beam_size=beam_size, n_best=n_best, **settings)
        for source, found in zip(SOURCES, beam(scripted.ScriptedDecoder(table), *scripted.batch(SOURCES)), strict=True):
            truth = scripted.Truth(table, source, *lengths.bounds(source), alpha=0.8, beta=0.2, plain=form is PLAIN)
            scripted.same(found, scripted.by_the_book(truth, beam_size, n_best))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("penalty", PENALTIES)
def test_beam_of_one_is_greedy(scripted: ModuleType, seed: int, penalty: tuple[float, LengthPenalty]) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(seed))
    beam = Beam(beam_size=1, length_penalty=penalty[0], length_penalty_form=penalty[1])(model, *scripted.batch(SOURCES))
    greedy = Greedy()(model, *scripted.batch(SOURCES))
    for (one,), (other,) in zip(beam, greedy, strict=True):
        assert (one.tokens, one.log_prob, one.finished) == (other.tokens, other.log_prob, other.finished)


@pytest.mark.parametrize("beam_size", [2, 3, 5, 20])
@pytest.mark.parametrize("seed", range(5))
def test_a_batch_is_its_sentences_one_by_one(scripted: ModuleType, seed: int, beam_size: int) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(seed))
    beam = Beam(beam_size=beam_size, n_best=beam_size, coverage_penalty=0.2)
    together = beam(model, *scripted.batch(SOURCES), with_attention=True)
    for source, found in zip(SOURCES, together, strict=True):
        (alone,) = beam(model, *scripted.batch([source]), with_attention=True)
        assert [(h.tokens, h.log_prob, h.score, h.finished) for h in found] == [
            (h.tokens, h.log_prob, h.score, h.finished) for h in alone
        ]
        assert all(np.array_equal(h.attention, a.attention) for h, a in zip(found, alone, strict=True))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beta", BETAS)
def test_stopping_early_changes_nothing_but_the_work(
    scripted: ModuleType, monkeypatch: pytest.MonkeyPatch, penalty: tuple[float, LengthPenalty], beta: float
) -> None:
    def run(beam: Beam) -> tuple[list[Any], int]:
        found, work = [], 0
        for seed in range(6):
            model = scripted.ScriptedDecoder(scripted.Table(seed, sharpness=2.0, end_bonus=2.0))
            found.append(beam(model, *scripted.batch(SOURCES)))
            work += sum(model.rows)
        return found, work

    alpha, form = penalty
    for beam_size, n_best in ((2, 1), (5, 1), (5, 3), (12, 4)):
        beam = Beam(
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=alpha,
            length_penalty_form=form,
            coverage_penalty=beta,
            max_length_offset=4,
        )
        found, work = run(beam)
        with monkeypatch.context() as patch:
            patch.setattr(Kept, "worst", lambda kept, sentences: np.full(sentences.shape, -np.inf))
            to_the_end, all_work = run(beam)
        assert found == to_the_end
        # A penalty that rises steeply leaves the bound too little room with these short targets.
        assert work < all_work if alpha <= 1 and form is GNMT else work <= all_work


def test_a_sure_end_stops_the_search_at_once(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(end_bonus=40.0))
    Beam(length_penalty=0.0)(model, *scripted.batch([(*range(7, 27), 2)]))
    assert len(model.rows) == 2


def test_rows_of_done_sentences_leave(scripted: ModuleType) -> None:
    long, short = (7, 8, 9, 10, 11, 12, 13, 2), (7, 2)
    model = scripted.ScriptedDecoder(scripted.Table(end_bonus=-9.0))
    beam = Beam(beam_size=3, max_length_ratio=1.0, max_length_offset=1)
    beam(model, *scripted.batch([long, short]))
    # One row a sentence at first; the short one is cut after 2 tokens.
    assert model.rows == [2, 6, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_ended_hypotheses_leave(scripted: ModuleType, seed: int) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(seed))
    (found,) = Beam(beam_size=3, n_best=3)(model, *scripted.batch([(7, 8, 2)]))
    ends = [len(hypothesis.tokens) + hypothesis.finished for hypothesis in found]
    assert model.rows == [1] + [sum(end >= number for end in ends) for number in range(2, max(ends) + 1)]


@pytest.mark.parametrize("prefixes", [(), ((3,), (4, 5, 3))])
@pytest.mark.parametrize("seed", range(5))
def test_free_rows_are_told_and_what_comes_of_them_does_not_matter(
    scripted: ModuleType, seed: int, prefixes: Sequence[Sequence[int]]
) -> None:
    free = []

    class Careless(scripted.ScriptedDecoder):  # type: ignore[misc]
        def step(self, tokens: np.ndarray, state: Any, memory: Any) -> Any:
            output = super().step(tokens, state, memory)
            without = tokens == scripted.PAD
            free.append(int(without.sum()))
            output.logits[without] = 99.0
            known = output.log_prob
            output.log_prob = lambda: np.where(without[:, None], -np.inf, known())
            return output

    beam, table = Beam(beam_size=4, n_best=4, max_length_offset=4), scripted.Table(seed)
    constraints = Constraints(prefixes=[prefixes[place % 2] for place in range(len(SOURCES))] if prefixes else [])
    found, expected = (
        beam(model(table), *scripted.batch(SOURCES), constraints=constraints) for model in (Careless, scripted.ScriptedDecoder)
    )
    assert [[h.tokens for h in ours] for ours in found] == [[h.tokens for h in theirs] for theirs in expected]
    assert [[h.score for h in ours] for ours in found] == [[h.score for h in theirs] for theirs in expected]
    assert sum(free) > 0


@pytest.mark.parametrize("seed", range(10))
def test_log_prob_and_attention_are_those_of_the_forced_target(scripted: ModuleType, seed: int) -> None:
    table = scripted.Table(seed)
    beam = Beam(n_best=5, length_penalty=0.6, coverage_penalty=0.2, max_length_offset=4)
    results = beam(scripted.ScriptedDecoder(table), *scripted.batch(SOURCES), with_attention=True)
    for source, found in zip(SOURCES, results, strict=True):
        truth = scripted.Truth(table, source, *scripted.Lengths(2.0, 4).bounds(source), alpha=0.6, beta=0.2)
        forced = [truth.score(tuple(h.tokens), h.finished) for h in found]
        scripted.same(found, forced)
        for hypothesis, expected in zip(found, forced, strict=True):
            assert hypothesis.attention is not None
            np.testing.assert_allclose(hypothesis.attention, expected.attention, rtol=1e-6)


def test_no_attention_unless_asked_for_or_if_the_model_has_none(scripted: ModuleType) -> None:
    batch = scripted.batch(SOURCES)
    model = scripted.ScriptedDecoder(scripted.Table())
    assert all(h.attention is None for (h,) in Beam()(model, *batch))
    model.with_attention = False
    assert all(h.attention is None for (h,) in Beam()(model, *batch, with_attention=True))


def test_hypotheses_are_distinct_and_in_order(scripted: ModuleType) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(4))
    for found in Beam(beam_size=12, n_best=12)(model, *scripted.batch(SOURCES)):
        assert len({(*h.tokens, h.finished) for h in found}) == len(found) > 1
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_history_that_is_given_holds_what_was_considered(scripted: ModuleType, seed: int) -> None:
    table = scripted.Table(seed)
    beam = Beam(max_length_ratio=0.5, max_length_offset=3, beam_size=3, n_best=2, length_penalty=0.5)
    history = History()
    found = beam(scripted.ScriptedDecoder(table), *scripted.batch(SOURCES), history=history)
    assert found == beam(scripted.ScriptedDecoder(table), *scripted.batch(SOURCES))
    for hypotheses, ends in zip(found, history.ends, strict=True):
        assert [float(history.log_prob[step - 1][entry]) for step, entry in ends] == [one.log_prob for one in hypotheses]
        assert [float(history.score[step - 1][entry]) for step, entry in ends] == [one.score for one in hypotheses]
    for log_prob, score, tokens in zip(history.log_prob, history.score, history.tokens, strict=True):
        assert (log_prob[score > -math.inf] > -math.inf).all()  # what ended was there
        assert (score[(tokens == scripted.EOS) & (log_prob > -math.inf)] > -math.inf).all()  # and an end mark is an end
