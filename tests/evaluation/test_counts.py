"""Scores of selections, intervals and paired tests follow from what is counted in each sentence, as in sacreBLEU."""

import random

import numpy
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from nmt.evaluation import Bootstrap, Counts, bleu, count, count_all, of_seeds

WORDS = ["Der", "Hund,", "ein", "Mann", "und", "die", "Frau:", "sie", "sehen", "den", "roten", "Ball", "auf", "Straße", "."]
SENTENCES = 59  # no multiple of 32
METRICS = [(0, BLEU()), (1, CHRF()), (2, TER())]


def systems() -> tuple[list[str], list[list[str]]]:
    """References and four systems: chance made the difference of the first three; the last is worse than these."""
    words = random.Random(1)
    references = [" ".join(words.choices(WORDS, k=words.randint(3, 15))) + "." for _ in range(SENTENCES)]

    def damaged(seed: int, share: float) -> list[str]:
        generator = random.Random(seed)
        return [" ".join(word for word in line.split() if generator.random() > share) for line in references]

    return references, [damaged(1, 0.2), damaged(2, 0.2), damaged(3, 0.2), damaged(4, 0.5)]


def counted(metric: int) -> list[Counts]:
    references, hypotheses = systems()
    return [count_all(one, references)[metric] for one in hypotheses]


def bootstraps(metric: int) -> list[Bootstrap]:
    return [counts.bootstrap() for counts in counted(metric)]


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_p_values_and_signatures_are_those_of_sacrebleus_paired_bootstrap(number: int, metric: BLEU | CHRF | TER) -> None:
    references, hypotheses = systems()
    named = [(str(place), one) for place, one in enumerate(hypotheses)]
    signatures, theirs = PairedTest(named, {"metric": metric}, [references], test_type="bs")()
    [name] = signatures
    first, *others = bootstraps(number)
    for ours, their in zip(others, theirs[name][1:], strict=True):
        assert ours.summary.score == their.score
        # sacreBLEU computes the scores of its resamples in fp32: one that is almost as far as the real difference may be counted.
        assert ours.p_value(first) == pytest.approx(their.p_value, abs=1.5 / 1001)
    assert first.summary.signature == str(signatures[name])


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_p_values_are_those_of_sacrebleus_approximate_randomisation(number: int, metric: BLEU | CHRF | TER) -> None:
    references, hypotheses = systems()
    named = [(str(place), one) for place, one in enumerate(hypotheses)]
    signatures, theirs = PairedTest(named, {"metric": metric}, [references], test_type="ar", n_samples=1001)()
    [name] = signatures
    first, *others = counted(number)
    assert [one.randomisation_p_value(first, trials=1001) for one in others] == [one.p_value for one in theirs[name][1:]]


@pytest.mark.parametrize("metric", [0, 1, 2])
def test_a_p_value_tells_chance_from_difference(metric: int) -> None:
    first, other, _, worse = bootstraps(metric)
    assert first.p_value(first) == 1
    assert other.p_value(first) == first.p_value(other)
    assert 1 / 1001 <= worse.p_value(first) < 0.01 < 0.05 < other.p_value(first)


@pytest.mark.parametrize("metric", [0, 1, 2])
def test_so_does_that_of_approximate_randomisation(metric: int) -> None:
    first, other, _, worse = counted(metric)
    assert other.randomisation_p_value(first) == first.randomisation_p_value(other)
    assert 1 / 10_001 <= worse.randomisation_p_value(first) < 0.01 < 0.05 < other.randomisation_p_value(first)


@pytest.mark.parametrize("metric", [0, 1, 2])
def test_systems_that_are_alike_or_differ_in_one_sentence_are_not_told_apart(metric: int) -> None:
    references, hypotheses = systems()
    alike = count_all(hypotheses[0], references)[metric]
    other = count_all([hypotheses[0][0], references[1], *hypotheses[0][2:]], references)[metric]
    assert other.score() != alike.score()
    assert alike.randomisation_p_value(alike) == other.randomisation_p_value(alike) == 1


def test_resamples_of_two_systems_are_of_the_same_sentences() -> None:
    references, hypotheses = systems()
    counts, _ = count(hypotheses[0], references)
    twice, _ = count(hypotheses[0] * 2, references * 2)
    assert (counts.bootstrap().resampled == count(hypotheses[0], references)[0].bootstrap().resampled).all()
    assert len(twice.bootstrap(resamples=7).resampled) == 7
    # A resample is the score of the sentences drawn.
    drawn = numpy.random.default_rng(5).choice(SENTENCES, size=SENTENCES)
    lines = [hypotheses[0][place] for place in drawn], [references[place] for place in drawn]
    assert counts.bootstrap(resamples=1, seed=5).resampled[0] == bleu(*lines).score


def test_a_trial_swaps_sentences_of_the_two_systems() -> None:
    references, (first, second, *_) = systems()
    swapped = numpy.random.default_rng(5).integers(2, size=SENTENCES, dtype=bool)
    mixed = [(theirs, ours) if swap else (ours, theirs) for ours, theirs, swap in zip(first, second, swapped, strict=True)]
    one, other = (bleu(lines, references).score for lines in zip(*mixed, strict=True))
    real = bleu(first, references).score - bleu(second, references).score
    p_value = count(first, references)[0].randomisation_p_value(count(second, references)[0], trials=1, seed=5)
    assert p_value == (2 if abs(one - other) > abs(real) else 1) / 2


def test_any_selection_of_the_sentences_can_be_scored_from_the_counts() -> None:
    references, hypotheses = systems()
    counts, chrf = count(hypotheses[0], references)
    chosen = numpy.arange(SENTENCES) % 3 == 0
    assert counts.score(chosen) == bleu(hypotheses[0][::3], references[::3]).score
    assert counts.score() == bleu(hypotheses[0], references).score
    for hypothesis, reference, found in zip(hypotheses[0], references, chrf.sentence_scores(), strict=True):
        assert found == CHRF().sentence_score(hypothesis, [reference]).score


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_recipes_of_one_seed_each_are_told_apart_as_models_are(number: int, metric: BLEU | CHRF | TER) -> None:
    one, *others = counted(number)
    for other in others:
        difference, p_value = of_seeds([one], [other])
        assert difference == pytest.approx(one.score() - other.score())
        assert p_value == pytest.approx(one.randomisation_p_value(other), abs=0.08)  # which looks in both directions, too
        assert of_seeds([one], [other, other]) == (pytest.approx(difference), pytest.approx(p_value, abs=0.01))


@pytest.mark.parametrize(("number", "metric"), METRICS)
def test_recipes_score_as_the_texts_of_their_seeds_do(number: int, metric: BLEU | CHRF | TER) -> None:
    references, (first, second, third, _) = systems()
    seeds = [[count_all(one, references)[number] for one in side] for side in ((first, second), (third,))]
    expected = metric.corpus_score(first + second, [references * 2]).score - metric.corpus_score(third, [references]).score
    assert of_seeds(*seeds)[0] == pytest.approx(expected)


def test_recipes_whose_seeds_are_the_same_do_not_differ() -> None:
    one, _, _, other = counted(0)
    assert of_seeds([one, other], [other, one]) == (pytest.approx(0), 1)


def test_a_recipe_does_not_win_by_a_lucky_seed() -> None:
    good, _, _, bad = counted(0)
    assert of_seeds([good], [bad])[1] < 0.01
    difference, p_value = of_seeds([good, good, bad], [good, bad, bad])
    assert difference > 5
    assert p_value > 0.1
