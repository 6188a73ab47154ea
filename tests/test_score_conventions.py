"""`scripts/score_conventions.py`: its conventions, the mean of seeds, all models as one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import score_conventions
from sacrebleu import corpus_bleu

from nmt.evaluation import count_all, of_seeds
from nmt.translator import Translator


def test_rows_of_models_their_mean_and_all_as_one(
    repository: Path, tiny_model: Path, other_model: Path, tiny_corpus: Path
) -> None:
    files = [str(tiny_corpus / f"test.{language}") for language in ("en", "fr")]
    command = [sys.executable, str(repository / "scripts" / "score_conventions.py"), str(tiny_model), str(other_model)]
    command += ["--source", files[0], "--reference", files[1], "--together"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["model"] for row in rows] == [str(tiny_model), str(other_model), f"{tiny_model} + {other_model}"]
    sources, references = (Path(file).read_text("utf-8").splitlines() for file in files)
    for row, models in zip(rows, ([tiny_model], [other_model], [tiny_model, other_model]), strict=True):
        translations = Translator.from_pretrained(models).translate(sources)
        expected = score_conventions.score([str(one) for one in translations], references, tokenize="13a").to_json()
        assert row["cased"] == json.loads(json.dumps(expected))
    assert rows[0]["cased"] != rows[1]["cased"]
    assert [rows[0][name]["bleu"]["signature"].split("|")[3:6:2] for name in ("cased", "lowercased", "published")] == [
        ["case:mixed", "tok:13a"],
        ["case:lc", "tok:13a"],
        ["case:mixed", "tok:none"],
    ]
    (mean,) = (line for line in result.stderr.splitlines() if line.endswith("mean of 2"))
    figures = [row["cased"]["chrf"]["score"] for row in rows[:2]]
    assert f"{sum(figures) / 2:6.2f} ±{abs(figures[0] - figures[1]) / 2**0.5:4.2f}" in mean


def test_the_mean_and_its_deviation_are_those_of_the_seeds() -> None:
    references = ["the cat sat on the mat .", "a dog runs in the park ."]
    rows = []
    for seed, last in enumerate(("park .", "dark .", "park !")):
        scores = score_conventions.score([references[0], f"a dog runs in the {last}"], references, tokenize="none")
        rows.append(score_conventions.Row(str(seed), 1.0, {}, {"tokenised": scores}))
    lines = list(score_conventions.table(rows, ["tokenised"], singles=3))
    bleu = [row.scores["tokenised"].bleu.score for row in rows]
    average = sum(bleu) / 3
    deviation = (sum((score - average) ** 2 for score in bleu) / 2) ** 0.5
    assert f"{average:6.2f} ±{deviation:4.2f}" in lines[4]
    assert deviation > 1


def test_seeds_are_held_against_those_of_a_baseline(
    tiny_model: Path, other_model: Path, tiny_corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tiny_corpus / f"test.{language}") for language in ("en", "fr")]
    options = ["--source", files[0], "--reference", files[1], "--convention", "cased", "--convention", "lowercased"]
    found = []
    for models, baseline in (([tiny_model], [other_model]), ([tiny_model, tiny_model], [other_model])):
        names = [*map(str, models), "--baseline", *map(str, baseline)]
        monkeypatch.setattr(sys, "argv", ["score_conventions.py", *names, *options])
        score_conventions.main()
        out, err = capsys.readouterr()
        rows = [json.loads(line) for line in out.splitlines()]
        assert [row["model"] for row in rows[:-1]] == [str(model) for model in (*models, *baseline)]
        found.append(rows[-1])
    sources, references = (Path(file).read_text("utf-8").splitlines() for file in files)
    ours, theirs = (
        count_all([str(one) for one in Translator.from_pretrained(model).translate(sources)], references, tokenize="13a")
        for model in (tiny_model, other_model)
    )
    for metric, one, other in zip(("bleu", "chrf", "ter"), ours, theirs, strict=True):
        difference, p_value = of_seeds([one], [other])
        assert found[0]["cased"][metric] == {"difference": round(difference, 4), "p_value": round(p_value, 6)}
        assert found[1]["cased"][metric] == found[0]["cased"][metric], "a seed that comes twice is no evidence of its own"
    assert f"lowercased, against the baseline: BLEU {found[1]['lowercased']['bleu']['difference']:+.2f} (p " in err


def test_published_is_the_form_in_which_the_authors_give_their_text(shared_data: Path) -> None:
    for language in ("en", "de", "fr"):
        raw, published = (
            (shared_data / folder / f"val.{language}").read_text("utf-8").splitlines() for folder in ("multi30k", "multi30k-tok")
        )
        treat = score_conventions.as_published(language)
        assert sum(treat(ours) == theirs for ours, theirs in zip(raw, published, strict=True)) >= len(raw) - 1


def test_published_bleu_counts_the_tokens_of_moses() -> None:
    treat = score_conventions.as_published("fr")
    assert treat("L’homme, lui, rit.") == "l&apos; homme , lui , rit ."
    hypotheses, references = ["L'homme rit ."], ["l’Homme rit."]
    assert corpus_bleu([treat(hypotheses[0])], [[treat(references[0])]], tokenize="none", force=True).score == pytest.approx(100)


def test_mistakes_are_told_in_one_sentence(repository: Path, tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.fr"
    short.write_text("une ligne\n", encoding="utf-8")
    command = [sys.executable, str(repository / "scripts" / "score_conventions.py"), str(tiny_model)]
    command += ["--source", str(tiny_corpus / "test.en"), "--reference", str(short)]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("nmt: "), result.stderr


def test_ter_of_japanese_counts_ideographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_conventions, "load_ensemble", lambda models: [SimpleNamespace(languages=("en", "ja"))])
    translator = SimpleNamespace(translate=lambda sources: ["私は猫です"])
    monkeypatch.setattr(score_conventions.Translator, "of", lambda loaded, backend: translator)
    row = score_conventions.measure(["m"], ["I am a dog"], ["私は犬です"], ["char"])
    assert row.scores["char"].ter.score == pytest.approx(100 / 4)  # 私 は 犬 です
