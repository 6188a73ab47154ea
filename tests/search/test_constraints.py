"""Lengths, n-grams that may not come again, forbidden pieces, prefixes: searches against the truth that knows them too."""

import math
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nmt.errors import UserError
from nmt.search import Beam, Greedy, Hypothesis, Sampling, SearchStrategy
from nmt.search.constraints import UNCONSTRAINED, Constraints, repetitions
from nmt.search.scoring import LengthPenalty

SOURCES = [(7, 8, 9, 2), (7, 2), (9, 8, 2), (2,)]
EVERYTHING = 400  # more than there are targets of at most 5 tokens
NO_REPEAT = (0, 1, 2, 3)
FORBIDDEN = ((), (4,), (5, 3))
# One a sentence. They may repeat themselves, hold what is forbidden, and be longer than the limit.
PREFIXES = ((), ((4,), (), (5, 5, 5), (3,)), ((3, 4), (5,), (), ()))
LENGTHS = ((1.0, 1, 0.0, 0), (0.5, 3, 0.5, 1), (0.0, 2, 0.0, 3))
SCORES = tuple(product(((0.0, LengthPenalty.gnmt), (0.8, LengthPenalty.gnmt), (1.2, LengthPenalty.plain)), (0.0, 0.3)))


class Case:
    """A combination of constraints: the settings, what goes with a call, and the truth of each sentence."""

    def __init__(
        self, scripted: ModuleType, lengths: tuple[float, int, float, int], no_repeat: int, forbidden: Any, prefixes: Any
    ) -> None:
        self.scripted = scripted
        self.lengths = scripted.Lengths(*lengths)
        self.forbidden, self.prefixes, self.no_repeat = forbidden, prefixes, no_repeat
        names = [f"piece {token}" for token in forbidden]
        self.settings = {"no_repeat_ngram": no_repeat, "forbidden_pieces": names, **self.lengths.settings()}
        self.constraints = Constraints(forbidden, prefixes)

    def truths(self, table: Any, **scores: Any) -> list[Any]:
        prefixes = self.prefixes or [()] * len(SOURCES)
        return [
            self.scripted.Truth(
                table,
                source,
                *self.lengths.bounds(source, prefix),
                **scores,
                no_repeat=self.no_repeat,
                forbidden=self.forbidden,
                prefix=prefix,
            )
            for source, prefix in zip(SOURCES, prefixes, strict=True)
        ]

    def alone(self, place: int) -> Constraints:
        return Constraints(self.forbidden, self.prefixes[place : place + 1])


def cases(scripted: ModuleType) -> list[Case]:
    return [Case(scripted, *choice) for choice in product(LENGTHS, NO_REPEAT, FORBIDDEN, PREFIXES)]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("no_repeat", NO_REPEAT)
@pytest.mark.parametrize("forbidden", FORBIDDEN)
@pytest.mark.parametrize("prefixes", PREFIXES)
def test_a_wide_beam_finds_every_permitted_target_in_order(
    scripted: ModuleType, lengths: tuple[float, int, float, int], no_repeat: int, forbidden: Any, prefixes: Any
) -> None:
    case, table = Case(scripted, lengths, no_repeat, forbidden, prefixes), scripted.Table(seed=3)
    model = scripted.ScriptedDecoder(table, shift=5.0)
    for (alpha, form), beta in SCORES:
        scores = {"length_penalty": alpha, "length_penalty_form": form, "coverage_penalty": beta}
        plain = form is LengthPenalty.plain
        truth = [one.everything() for one in case.truths(table, alpha=alpha, beta=beta, plain=plain)]
        for n_best in (EVERYTHING, 2):
            beam = Beam(beam_size=EVERYTHING, n_best=n_best, **scores, **case.settings)
            if not all(truth):
                with pytest.raises(UserError, match="`no_repeat_ngram` and `forbidden_pieces` permit no translation"):
                    beam(model, *scripted.batch(SOURCES), constraints=case.constraints)
                continue
            for found, expected in zip(
                beam(model, *scripted.batch(SOURCES), constraints=case.constraints), truth, strict=True
            ):
                scripted.same(found, expected[:n_best])


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5, 8])
def test_a_narrow_beam_goes_by_the_book(scripted: ModuleType, beam_size: int) -> None:
    tried = 0
    for seed, case in enumerate(cases(scripted)):
        table = scripted.Table(seed)
        truths = case.truths(table, alpha=0.8, beta=0.2)
        expected = [scripted.by_the_book(truth, beam_size, (beam_size + 1) // 2) for truth in truths]
        if not all(expected):  # a narrow beam may miss the few that are permitted
            continue
        beam = Beam(
            beam_size=beam_size, n_best=(beam_size + 1) // 2, length_penalty=0.8, coverage_penalty=0.2, **case.settings
        )
        found = beam(scripted.ScriptedDecoder(table), *scripted.batch(SOURCES), constraints=case.constraints)
        for one, other in zip(found, expected, strict=True):
            scripted.same(one, other)
        tried += 1
    assert tried > 60


def plain(hypotheses: list[Hypothesis]) -> list[tuple[Any, ...]]:
    return [(one.tokens, one.log_prob, one.score, one.finished) for one in hypotheses]


def test_beam_of_one_and_the_sharpest_sampling_are_greedy(scripted: ModuleType) -> None:
    for seed, case in enumerate(cases(scripted)):
        model = scripted.ScriptedDecoder(scripted.Table(seed))
        found = []
        for search in (
            Greedy(**case.settings),
            Beam(beam_size=1, length_penalty=0.0, **case.settings),
            Sampling(top_k=1, **case.settings),
            Sampling(temperature=1e-300, **case.settings),
        ):
            try:
                found.append([plain(one) for one in search(model, *scripted.batch(SOURCES), constraints=case.constraints)])
            except UserError:
                found.append([])
        assert found[1:] == found[:1] * 3


@pytest.mark.parametrize(
    "search",
    [
        {"kind": Greedy},
        {"kind": Beam, "beam_size": 3, "n_best": 3, "coverage_penalty": 0.2},
        {"kind": Sampling, "n_best": 3},
        {"kind": Sampling, "n_best": 2, "top_k": 2},
    ],
)
def test_a_batch_is_its_sentences_one_by_one(scripted: ModuleType, search: dict[str, Any]) -> None:
    settings = {**search}
    kind, tried = settings.pop("kind"), 0
    for seed, case in enumerate(cases(scripted)):
        model, strategy = scripted.ScriptedDecoder(scripted.Table(seed)), kind(**settings, **case.settings)
        try:
            together = strategy(model, *scripted.batch(SOURCES), constraints=case.constraints)
        except UserError:
            continue
        for place, (source, found) in enumerate(zip(SOURCES, together, strict=True)):
            (alone,) = strategy(model, *scripted.batch([source]), constraints=case.alone(place))
            assert plain(found) == plain(alone)
        tried += 1
    assert tried > 60


@pytest.mark.parametrize("strategy", [Greedy, Beam, Sampling])
def test_a_translation_begins_with_its_prefix_and_its_log_prob_counts_it(scripted: ModuleType, strategy: Any) -> None:
    table = scripted.Table(2)
    prefixes = [(4, 4, 4, 3), (), (5,), (3, 5, 3, 5, 3, 5, 3, 5, 3, 5, 3, 5)]
    search = strategy(no_repeat_ngram=2, forbidden_pieces=["piece 4"], max_length_offset=2)
    found = search(
        scripted.ScriptedDecoder(table), *scripted.batch(SOURCES), constraints=Constraints((4,), prefixes), with_attention=True
    )
    for source, prefix, hypotheses in zip(SOURCES, prefixes, found, strict=True):
        for one in hypotheses:
            assert tuple(one.tokens[: len(prefix)]) == prefix
            assert 4 not in one.tokens[len(prefix) :]
            truth = scripted.Truth(table, source, 0, 0).score(tuple(one.tokens), one.finished)
            assert one.log_prob == pytest.approx(truth.log_prob, abs=1e-5)
            np.testing.assert_allclose(one.attention, truth.attention, rtol=1e-6)


@pytest.mark.parametrize(
    ("search", "constraints", "expected"),
    [
        (Greedy(), UNCONSTRAINED, {4}),  # the best, PAD, BOS and the end mark
        (Beam(beam_size=3), UNCONSTRAINED, {6}),  # as many as there are slots
        (Greedy(forbidden_pieces=["piece 4"]), Constraints((4,)), {5}),
        (Greedy(no_repeat_ngram=2), UNCONSTRAINED, {4, 5, 6, 7}),  # each of three pieces may have followed the last one
        (Greedy(), Constraints(prefixes=[(), (3, 3), (4,), ()]), {4, math.inf}),
    ],
)
def test_the_model_is_asked_for_as_few_tokens_as_will_do(
    scripted: ModuleType, search: SearchStrategy, constraints: Constraints, expected: set[float]
) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(1, end_bonus=-2.0))
    search(model, *scripted.batch(SOURCES), constraints=constraints)
    assert set(model.asked) == expected
    assert model.asked.count(math.inf) == (2 if constraints.prefixes else 0)  # within a prefix only


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_repetitions_are_the_tokens_that_complete_an_n_gram_again(order: int) -> None:
    generator = np.random.default_rng(order)
    found_any = False
    for length in range(12):
        written = generator.integers(1, 4, (20, length))
        rows, tokens = repetitions(written, order)
        found = set(zip(rows.tolist(), tokens.tolist(), strict=True))
        expected = set()
        for row, had in enumerate(written.tolist()):
            grams = {tuple(had[start : start + order]) for start in range(length - order + 1)}
            expected |= {(row, token) for token in range(1, 4) if (*had[length - order + 1 :], token)[-order:] in grams}
        assert found == expected
        found_any |= bool(found)
    assert found_any


@pytest.mark.parametrize("strategy", [Greedy, Beam, Sampling])
def test_a_prefix_that_the_model_cannot_write_is_told(scripted: ModuleType, strategy: Any) -> None:
    class Shortlisted(scripted.Table):  # type: ignore[name-defined, misc]
        def __call__(self, source: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[list[float], list[float]]:
            log_probs, attention = super().__call__(source, prefix)
            return [-math.inf if token == 4 else log_prob for token, log_prob in enumerate(log_probs)], attention

    model = scripted.ScriptedDecoder(Shortlisted())
    assert strategy()(model, *scripted.batch(SOURCES), constraints=Constraints(prefixes=[(3,), (), (5, 3), ()]))
    with pytest.raises(UserError, match="a piece of one is not in its shortlist: translate with `shortlist=false`"):
        strategy()(model, *scripted.batch(SOURCES), constraints=Constraints(prefixes=[(3,), (), (5, 4), ()]))
