"""The figures of a comparison are those of `nmt evaluate`, and its JSON, its table and its laws agree."""

import json
from dataclasses import replace

import pytest
from sacrebleu.metrics import CHRF

from nmt.comparison.differences import SHOWN
from nmt.comparison.measure import compare
from nmt.comparison.page import comparison_page
from nmt.comparison.results import Comparison, Conditions, ParallelText, System
from nmt.evaluation import bleu, count, score


def test_scores_are_those_of_evaluate(comparison: Comparison, test_set: ParallelText) -> None:
    for result in comparison.results:
        scores = score(result.system.translations, test_set.references, target_language="fr")
        assert (result.bleu, result.chrf) == (scores.bleu, scores.chrf)
        assert result.sentences_per_second == len(test_set.sources) / 2


def test_the_first_has_no_p_value_and_a_system_against_itself_has_one(comparison: Comparison) -> None:
    first, _, same = comparison.results
    assert first.p_values is None
    assert same.p_values == (1, 1)
    assert [one.differing > 0 for one in comparison.differences] == [True, False]


def test_p_values_are_those_of_each_metric_against_the_first(comparison: Comparison, test_set: ParallelText) -> None:
    first, other, _ = (
        [counts.bootstrap() for counts in count(result.system.translations, test_set.references, target_language="fr")]
        for result in comparison.results
    )
    assert comparison.results[1].p_values == tuple(theirs.p_value(ours) for theirs, ours in zip(other, first, strict=True))
    assert len(set(comparison.results[1].p_values or ())) == 2


def test_the_chrf_of_a_sentence_is_sacrebleus(comparison: Comparison) -> None:
    for one in (*comparison.differences[0].gains, *comparison.differences[0].losses):
        assert one.chrf == pytest.approx(CHRF().sentence_score(one.translation, [one.reference]).score)
        assert one.baseline_chrf == pytest.approx(CHRF().sentence_score(one.baseline, [one.reference]).score)


def test_bleu_by_length_is_bleu_of_the_sentences_of_the_bin(comparison: Comparison, test_set: ParallelText) -> None:
    assert sum(one.sentences for one in comparison.bins) == len(test_set.sources)
    for result in comparison.results:
        for one, found in zip(comparison.bins, result.bleu_by_length, strict=True):
            members = [line for line in range(len(test_set.sources)) if one.members[line]]
            assert all(one.low <= len(test_set.sources[line].split()) <= one.high for line in members)
            lines = [result.system.translations[line] for line in members], [test_set.references[line] for line in members]
            assert found == bleu(*lines).score


def test_the_json_is_plain_and_says_what_the_table_says(comparison: Comparison) -> None:
    found = json.loads(json.dumps(comparison.to_json()))
    header, rows = comparison.summary()
    for run, row in zip(found["runs"], rows, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert cells["run"] == run["name"]
        assert cells["parameters"] == f"{run['parameters']:,}"
        assert row[6] == f"{run['bleu']['score']:.2f}" and row[9] == f"{run['chrf']['score']:.2f}"
        assert row[7] == "{:.2f} to {:.2f}".format(*run["bleu"]["interval"])
        for metric, place in (("bleu", 8), ("chrf", 11)):
            p_value = run[metric]["p_value"]
            assert row[place] == ("–" if p_value is None else f"{p_value:.3f}")
        assert cells["sentences/s"] == f"{run['sentences_per_second']:.1f}"
    _, by_length = comparison.by_length()
    for place, one in enumerate(found["bleu_by_length"], start=1):
        assert {row[0]: row[place] for row in by_length} == {name: f"{value:.2f}" for name, value in one["bleu"].items()}
    assert [one["differing"] for one in found["differences"]] == [one.differing for one in comparison.differences]
    gain = found["differences"][0]["gains"][0]
    assert set(gain) == {"line", "source", "reference", "baseline", "translation", "baseline_chrf", "chrf"}
    assert found["measured"] == {"device": "cpu", "num_threads": 1, "batch_size": 64}


def test_what_is_not_known_is_null_and_a_dash(comparison: Comparison) -> None:
    known, unknown, _ = comparison.to_json()["runs"]  # type: ignore[misc]
    assert known["training"] == {"steps": 200, "best_step": 100, "seconds": 90.0, "tokens_per_second": 1234.5}
    assert set(unknown["training"].values()) == {None}
    _, rows = comparison.summary()
    assert rows[0][2:6] == ["200", "100", "1,234", "1:30"]
    assert rows[1][2:6] == ["–"] * 4


def test_the_table_is_aligned_and_holds_everything(comparison: Comparison) -> None:
    summary, by_length, *rest = comparison.table().split("\n\n")
    for part, (header, rows) in ((summary, comparison.summary()), (by_length, comparison.by_length())):
        lines = part.split("\n")
        assert [line.split("   ")[0].strip() for line in lines] == [row[0] for row in (header, *rows)]
        assert len({len(line) for line in lines}) == 1
        for line, row in zip(lines, (header, *rows), strict=True):
            assert all(cell in line for cell in row)
    assert "<script>alert('x')</script>" in rest[0]
    assert rest[1] == "same against first: 0 of 40 translations differ"
    for text in (comparison.results[0].bleu.signature, comparison.results[0].chrf.signature, "cpu, 1 thread, batch_size 64"):
        assert text in rest[2]


def test_systems_that_differ_in_spaces_alone_have_no_examples(comparison: Comparison, test_set: ParallelText) -> None:
    system = comparison.results[0].system
    spaced = replace(system, translations=[f"{text} " for text in system.translations])
    found = compare([system, spaced], test_set, Conditions("cpu", 1, 64))
    assert f"{len(test_set.sources)} translations differ\n" in found.table()
    assert "translations differ. In chrF2 none does.</p></section>" in comparison_page(found)


def test_one_run_alone_is_a_comparison(comparison: Comparison, test_set: ParallelText) -> None:
    alone = compare([comparison.results[0].system], test_set, Conditions("cpu", 2, 8))
    assert alone.results == comparison.results[:1]
    assert alone.differences == []
    assert "2 threads" in alone.table()


def test_few_sentences_are_shown(comparison: Comparison) -> None:
    for differences in comparison.differences:
        assert len(differences.gains) <= SHOWN and len(differences.losses) <= SHOWN


@pytest.mark.parametrize(("language", "unit", "label"), [("en", "words", "1"), ("ja", "characters", "2–5")])
def test_sources_without_spaces_are_measured_in_characters(language: str, unit: str, label: str, comparison: Comparison) -> None:
    few = ParallelText("x", (language, "en"), ["犬がいる。", "犬。"], ["There is a dog.", "Dog."])
    one = comparison.results[0].system
    found = compare([System(one.run, 1, {}, ["There is a dog.", "Cat."], 1.0)], few, Conditions("cpu", 1, 1))
    assert found.length_unit == unit
    assert f"{found.bins[0].low}–{found.bins[-1].high}" == label or found.bins[0].label == label
