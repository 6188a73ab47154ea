"""Several models as one: to a search it is a model whose probabilities are the means."""

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nmt.errors import UserError
from nmt.search import Beam, Greedy, Sampling, SearchStrategy
from nmt.search.ensemble import Ensemble

SOURCES = [(7, 8, 9, 2), (7, 2), (9, 8, 2), (2,)]
EVERYTHING = 400


def mean_of(tables: list[Any]) -> Any:
    """The table of the ensemble, by its definition."""

    def table(source: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[list[float], list[float]]:
        members = [one(source, prefix) for one in tables]
        probabilities = [sum(map(math.exp, column)) / len(tables) for column in zip(*(one for one, _ in members), strict=True)]
        attention = [sum(column) / len(tables) for column in zip(*(weights for _, weights in members), strict=True)]
        return [math.log(probability) for probability in probabilities], attention

    return table


def members(scripted: ModuleType, count: int) -> list[Any]:
    return [scripted.ScriptedDecoder(scripted.Table(seed), shift=3.0 * seed) for seed in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_a_wide_beam_finds_every_target_in_order(scripted: ModuleType, count: int, beta: float) -> None:
    models = members(scripted, count)
    table, lengths = mean_of([model.table for model in models]), scripted.Lengths(1.0, 2)
    beam = Beam(beam_size=EVERYTHING, n_best=EVERYTHING, length_penalty=0.6, coverage_penalty=beta, **lengths.settings())
    found = beam(Ensemble(models), *scripted.batch(SOURCES), with_attention=True)
    for source, hypotheses in zip(SOURCES, found, strict=True):
        truth = scripted.Truth(table, source, *lengths.bounds(source), alpha=0.6, beta=beta).everything()
        scripted.same(hypotheses, truth)
        for one, expected in zip(hypotheses, truth, strict=True):
            np.testing.assert_allclose(one.attention, expected.attention, rtol=1e-5)


@pytest.mark.parametrize("search", [Greedy(), Beam(beam_size=4, n_best=4), Sampling(n_best=3), Sampling(n_best=3, top_k=2)])
def test_a_model_with_itself_is_that_model(scripted: ModuleType, search: SearchStrategy) -> None:
    model = scripted.ScriptedDecoder(scripted.Table(5))
    together = search(Ensemble([model] * 3), *scripted.batch(SOURCES))
    for found, expected in zip(together, search(model, *scripted.batch(SOURCES)), strict=True):
        assert [(one.tokens, one.finished) for one in found] == [(one.tokens, one.finished) for one in expected]
        assert [one.log_prob for one in found] == pytest.approx([one.log_prob for one in expected], abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 99])
def test_the_best_are_the_first_of_all(scripted: ModuleType, count: int) -> None:
    ensemble = Ensemble(members(scripted, 3))
    source, mask = scripted.batch(SOURCES)
    memory = ensemble.encode(source, mask)
    output = ensemble.step(np.full(8, scripted.BOS), ensemble.start(memory, 2), memory)
    tokens, log_prob = output.best(count)
    whole = output.log_prob()
    assert tokens.shape == (8, min(count, scripted.VOCABULARY))
    assert np.array_equal(tokens, np.argsort(-whole, axis=1, kind="stable")[:, :count])
    assert np.array_equal(log_prob, np.take_along_axis(whole, tokens, axis=1))
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.exp(whole).sum(axis=1), 1, rtol=1e-5)


def test_attention_is_the_mean_of_those_that_have_one(scripted: ModuleType) -> None:
    models = members(scripted, 3)
    models[1].with_attention = False
    batch = scripted.batch(SOURCES)
    memory, begin = Ensemble(models).encode(*batch), np.full(4, scripted.BOS)
    parts = zip(models, memory.parts, strict=True)
    outputs = [model.step(begin, model.start(part, 1), part) for model, part in parts]
    found = Ensemble(models).step(begin, Ensemble(models).start(memory, 1), memory).attention
    np.testing.assert_allclose(found, (outputs[0].attention + outputs[2].attention) / 2, rtol=1e-6)
    (hypothesis,) = Beam()(Ensemble(models[1:2] * 2), *scripted.batch([(7, 2)]), with_attention=True)[0]
    assert hypothesis.attention is None


def test_improbable_tokens_stay_above_minus_infinity(scripted: ModuleType) -> None:
    sharp = [scripted.ScriptedDecoder(scripted.Table(seed, sharpness=300.0)) for seed in (1, 2)]
    source, mask = scripted.batch(SOURCES)
    ensemble = Ensemble(sharp)
    memory = ensemble.encode(source, mask)
    assert np.isfinite(ensemble.step(np.full(4, scripted.BOS), ensemble.start(memory, 1), memory).log_prob()).all()


def test_what_one_cannot_write_is_half_as_likely_and_what_none_can_is_never_written(scripted: ModuleType) -> None:
    class Without(scripted.Table):  # type: ignore[name-defined, misc]
        """Has no probability for ``missing`` tokens, as a shortlist leaves them out."""

        missing: tuple[int, ...] = ()

        def __call__(self, source: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[list[float], list[float]]:
            log_probs, attention = super().__call__(source, prefix)
            return [-math.inf if token in self.missing else one for token, one in enumerate(log_probs)], attention

    tables = [Without(1), Without(1)]
    tables[0].missing, tables[1].missing = (4, 5), (5,)
    ensemble, (source, mask) = Ensemble([scripted.ScriptedDecoder(table) for table in tables]), scripted.batch(SOURCES)
    memory = ensemble.encode(source, mask)
    output = ensemble.step(np.full(4, scripted.BOS), ensemble.start(memory, 1), memory)
    expected = np.mean([np.exp(member.log_prob()) for member in output.outputs], axis=0)
    np.testing.assert_allclose(np.exp(output.log_prob()), expected, rtol=1e-5)
    assert (expected[:, 5] == 0).all() and (expected[:, 4] > 0).all()
    for hypotheses in Beam(n_best=5)(ensemble, source, mask):
        assert all(5 not in one.tokens for one in hypotheses)


def test_an_ensemble_is_no_network(scripted: ModuleType) -> None:
    with pytest.raises(UserError, match="only a single model can be looked into, but this is an ensemble of 2"):
        Ensemble(members(scripted, 2)).network  # noqa: B018
