"""A report says of each system what its scores say, and its JSON and its table say the same."""

import json
import random

import pytest

from nmt.errors import UserError
from nmt.evaluation import bleu, count_all, score
from nmt.evaluation.measure import SystemOutput, evaluate
from nmt.evaluation.report import Report

SENTENCES = 40


def lines(seed: int, words: str) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(words.split(), k=generator.randint(3, 15))) for _ in range(SENTENCES)]


SOURCES = lines(1, "the dog sees a red car and some cats on the table")
REFERENCES = lines(2, "le chien voit une voiture rouge et des chats sur la table")
SYSTEM = SystemOutput("runs/a/model", [line.replace("rouge", "verte") for line in REFERENCES])
BASELINE = SystemOutput("other.txt", [line.rsplit(" ", 2)[0] for line in REFERENCES])


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(SYSTEM, REFERENCES, baseline=BASELINE, sources=SOURCES, languages=("en", "fr"))


def test_scores_are_those_of_score(report: Report) -> None:
    assert report.scores == score(SYSTEM.translations, REFERENCES, target_language="fr")
    assert report.baseline is not None
    assert report.baseline.scores == score(BASELINE.translations, REFERENCES, target_language="fr")
    alone = evaluate(SYSTEM, REFERENCES, languages=("en", "fr"))
    assert (alone.scores, alone.baseline) == (report.scores, None)


def test_p_values_are_those_of_the_counts(report: Report) -> None:
    assert report.baseline is not None
    ours, theirs = (count_all(one.translations, REFERENCES) for one in (SYSTEM, BASELINE))
    for key, one, other in zip(("bleu", "chrf", "ter"), ours, theirs, strict=True):
        p_values = report.baseline.p_values[key]
        assert p_values.bootstrap == one.bootstrap().p_value(other.bootstrap())
        assert p_values.randomisation == one.randomisation_p_value(other)


def test_a_system_against_itself_has_p_1() -> None:
    baseline = evaluate(SYSTEM, REFERENCES, baseline=SYSTEM).baseline
    assert baseline is not None
    assert {p for one in baseline.p_values.values() for p in (one.bootstrap, one.randomisation)} == {1}


def test_bleu_by_length_is_bleu_of_the_sentences_of_the_bin(report: Report) -> None:
    assert [one.side for one in report.by_length] == ["source", "reference"]
    for one, measured in zip(report.by_length, (SOURCES, REFERENCES), strict=True):
        assert sum(it.sentences for it in one.bins) == SENTENCES
        for place, it in enumerate(one.bins):
            members = [line for line in range(SENTENCES) if it.low <= len(measured[line].split()) <= it.high]
            for output, found in zip((SYSTEM, BASELINE), one.bleu, strict=True):
                chosen = [output.translations[line] for line in members], [REFERENCES[line] for line in members]
                assert found[place] == bleu(*chosen).score


def test_words_are_counted_in_the_references_or_the_training_text() -> None:
    references, system = ["a b b", "c"], SystemOutput("x", ["a b", "d"])
    alone = evaluate(system, references).by_frequency
    assert alone.counted_in == "references"
    assert [(one.label, one.in_references) for one in alone.classes[0]] == [("1", 2), ("2", 2)]
    trained = evaluate(system, references, training=["a a a", "b d d d d d"]).by_frequency
    assert trained.counted_in == "training text"
    assert [(one.label, one.in_references) for one in trained.classes[0]] == [("0", 1), ("1", 2), ("3", 1)]
    assert [one.f1 for one in trained.classes[0]] == pytest.approx([0, 200 / 3, 100])


def test_a_language_without_spaces_is_measured_in_characters() -> None:
    system, references = SystemOutput("x", ["我有一只猫。", "猫。"]), ["我有一只狗。", "狗。"]
    report = evaluate(system, references, sources=["I have a dog .", "A dog ."], languages=("en", "zh"))
    found = [(one.side, one.unit, one.bins[-1].high) for one in report.by_length]
    assert found == [("source", "words", 5), ("reference", "characters", 6)]
    assert report.scores == score(system.translations, references, target_language="zh")
    assert "|tok:zh|" in report.scores.bleu.signature
    assert [one.unit for one in evaluate(system, references, tokenize="zh").by_length] == ["characters"]
    assert [one.unit for one in evaluate(system, references, tokenize="none", languages=("en", "zh")).by_length] == ["words"]


def test_the_json_is_plain_and_complete(report: Report) -> None:
    found = json.loads(json.dumps(report.to_json()))
    assert list(found) == ["bleu", "chrf", "ter", "sentences", "baseline", "bleu_by_length", "word_f1"]
    assert {key: found[key] for key in ("bleu", "chrf", "ter", "sentences")} == json.loads(json.dumps(report.scores.to_json()))
    assert report.baseline is not None
    baseline = found["baseline"]
    assert (baseline["name"], baseline["resamples"], baseline["trials"], baseline["seed"]) == ("other.txt", 1000, 10_000, 12345)
    for key, theirs in report.baseline.scores.by_key():
        assert baseline[key]["score"] == pytest.approx(theirs.score, abs=1e-4)
        assert baseline[key]["difference"] == pytest.approx(found[key]["score"] - theirs.score, abs=2e-4)
        assert baseline[key]["p_values"]["randomisation"] == pytest.approx(report.baseline.p_values[key].randomisation, abs=1e-6)
    for one in report.by_length:
        written = found["bleu_by_length"][one.side]
        assert written["unit"] == "words"
        assert [it["bleu"] for it in written["bins"]] == pytest.approx(list(one.bleu[0]), abs=1e-4)
        assert [it["baseline_bleu"] for it in written["bins"]] == pytest.approx(list(one.bleu[1]), abs=1e-4)
        sizes = [(*it["length"], it["sentences"]) for it in written["bins"]]
        assert sizes == [(it.low, it.high, it.sentences) for it in one.bins]
    classes = found["word_f1"]["classes"]
    for key, system in zip(("f1", "baseline_f1"), report.by_frequency.classes, strict=True):
        assert [it[key] for it in classes] == pytest.approx([it.f1 for it in system], abs=1e-4)
    assert sum(it["words"] for it in classes) == sum(len(line.split()) for line in REFERENCES)
    alone = evaluate(SYSTEM, REFERENCES).to_json()
    assert alone["baseline"] is None
    assert alone["word_f1"]["classes"][0]["baseline_f1"] is None  # type: ignore[index]
    assert list(alone["bleu_by_length"]) == ["reference"]  # type: ignore[call-overload]


def test_the_table_says_what_the_json_says(report: Report) -> None:
    found = json.loads(json.dumps(report.to_json()))
    scores, against, by_source, by_reference, by_frequency = report.table().split("\n\n")
    assert scores == report.scores.table()
    for name, key, row in zip(("BLEU", "chrF2", "TER"), ("bleu", "chrf", "ter"), against.split("\n")[1:4], strict=True):
        one = found["baseline"][key]
        cells = [f"{one['score']:.2f}", "{:.2f} to {:.2f}".format(*one["interval"]), f"{one['difference']:+.2f}"]
        cells += [f"{one['p_values'][test]:.4f}" for test in ("bootstrap", "randomisation")]
        assert [cell.strip() for cell in row.split("   ") if cell.strip()] == [name, *cells]
    for part, side in ((by_source, "source"), (by_reference, "reference")):
        header, ours, theirs = part.split("\n")
        bins = found["bleu_by_length"][side]["bins"]
        assert header.startswith(f"BLEU by words of the {side}")
        assert ours.split() == ["runs/a/model", *(f"{it['bleu']:.2f}" for it in bins)]
        assert theirs.split() == ["other.txt", *(f"{it['baseline_bleu']:.2f}" for it in bins)]
    header, ours, theirs = by_frequency.split("\n")
    assert "in the references" in header
    assert ours.split() == ["runs/a/model", *(f"{it['f1']:.2f}" for it in found["word_f1"]["classes"])]
    assert theirs.split() == ["other.txt", *(f"{it['baseline_f1']:.2f}" for it in found["word_f1"]["classes"])]


def test_blank_lines_are_lines_like_others() -> None:
    report = evaluate(SystemOutput("x", ["", "a"]), ["b", ""], sources=["", ""], baseline=SystemOutput("y", ["", ""]))
    assert [it.label for it in report.by_length[0].bins] == ["0"]
    assert [it.label for it in report.by_length[1].bins] == ["0", "1"]
    blank = evaluate(SystemOutput("x", [""]), [""])
    assert list(blank.by_frequency.classes[0]) == []
    assert blank.table()


def test_mistakes() -> None:
    with pytest.raises(UserError, match="every translation needs one reference"):
        evaluate(SystemOutput("x", ["a"]), ["a", "b"])
    with pytest.raises(UserError, match="nothing to score"):
        evaluate(SystemOutput("x", []), [])
