"""`nmt evaluate`: one JSON object on stdout, a table on stderr."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nmt import Translator
from nmt.cli import main
from nmt.cli.comet import comet_files
from nmt.search import Greedy

QUICK = "search.max_length_offset=5"


def evaluate(model: Path, *arguments: str) -> int:
    return main(["evaluate", str(model), QUICK, *arguments])


@pytest.fixture
def files(tiny_corpus: Path) -> list[str]:
    return ["--source", str(tiny_corpus / "test.en"), "--reference", str(tiny_corpus / "test.fr")]


def test_files(tiny_model: Path, tiny_corpus: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "comet"
    assert evaluate(tiny_model, *files, "--output", str(output), "search.beam_size=2") == 0
    captured = capfd.readouterr()
    scores = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert scores["sentences"] == 8
    for metric in ("bleu", "chrf", "ter"):
        low, high = scores[metric]["interval"]
        assert low <= scores[metric]["score"] <= high
        assert scores[metric]["signature"] in captured.err
    assert "tok:13a" in scores["bleu"]["signature"]
    assert (scores["search"]["strategy"], scores["search"]["beam_size"]) == ("beam", 2)
    assert scores["baseline"] is None
    assert list(scores["bleu_by_length"]) == ["source", "reference"]
    assert scores["word_f1"]["counted_in"] == "references"

    # What was kept is what was scored, and what `nmt translate` says.
    again = tmp_path / "again.fr"
    search = [QUICK, "search.beam_size=2"]
    assert main(["translate", str(tiny_model), "--input", files[1], "--output", str(again), *search]) == 0
    translated = again.read_bytes()
    assert translated.count(b"\n") == 8
    kept = {file.name: file.read_bytes() for file in output.iterdir()}
    source, reference = (tiny_corpus / name for name in ("test.en", "test.fr"))
    assert kept == {"source.txt": source.read_bytes(), "hypotheses.txt": translated, "reference.txt": reference.read_bytes()}


def test_data(tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = [f"data.path={tiny_corpus}", "data.source=en", "data.target=fr", "search=greedy"]
    found = {}
    for split in ("test", "validation", "val", "train"):
        assert evaluate(tiny_model, *data, f"split={split}", "--output", str(tmp_path / split)) == 0
        record = json.loads(capfd.readouterr().out)
        found[split] = record["sentences"]
        assert record["word_f1"]["counted_in"] == "training text"
    assert found == {"test": 8, "validation": 8, "val": 8, "train": 120}
    # Of the training text, no word is unknown to it.
    assert record["word_f1"]["classes"][0]["frequency"] != [0, 0]
    translated = {split: (tmp_path / split / "hypotheses.txt").read_bytes() for split in found}
    assert translated["val"] == translated["validation"] != translated["test"]


def test_default_split_has_the_name_that_data_gives_it(
    tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for language in ("en", "fr"):
        (tmp_path / f"test_2016_flickr.{language}").write_bytes((tiny_corpus / f"test.{language}").read_bytes())
    assert evaluate(tiny_model, "data=multi30k_en_fr", f"data.path={tmp_path}", "split=test", "search=greedy") == 0
    captured = capfd.readouterr()
    record = json.loads(captured.out)
    assert record["sentences"] == 8
    assert record["word_f1"]["counted_in"] == "references"
    assert evaluate(tiny_model, "data=multi30k_en_fr", f"data.path={tmp_path}", "split=test[:3]", "search=greedy") == 0
    assert json.loads(capfd.readouterr().out)["sentences"] == 3
    assert "words are counted in the references, for want of a training text: `data.train` must be" in captured.err


def test_blank_lines_count(tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test.en").write_text("a\n\nb\n", encoding="utf-8")
    (tmp_path / "test.fr").write_text("c\n\n\n", encoding="utf-8")
    for test_set in (
        ["--source", str(tmp_path / "test.en"), "--reference", str(tmp_path / "test.fr")],
        [f"data.path={tmp_path}", "data.source=en", "data.target=fr"],
    ):
        assert evaluate(tiny_model, *test_set) == 0
        assert json.loads(capfd.readouterr().out)["sentences"] == 3


def test_settings_of_the_scores(tiny_model: Path, files: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tiny_model, *files, "search=greedy", "tokenize=char", "lowercase=true") == 0
    signature = json.loads(capfd.readouterr().out)["bleu"]["signature"]
    assert "tok:char" in signature
    assert "case:lc" in signature


def test_several_models_are_scored_as_one(
    tiny_model: Path, other_model: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = []
    for number, others in enumerate(([], [str(tiny_model)], [str(other_model)])):
        assert evaluate(tiny_model, *others, *files, "search=greedy", "--output", str(tmp_path / f"{number}")) == 0
        assert json.loads(capfd.readouterr().out)["model"] == " + ".join([str(tiny_model), *others])
        written.append((tmp_path / f"{number}" / "hypotheses.txt").read_text("utf-8"))
    assert written[0] == written[1] != written[2]
    both = Translator.from_pretrained([tiny_model, other_model])
    sources = Path(files[1]).read_text("utf-8").splitlines()
    search = Greedy(max_length_offset=5)
    assert written[2] == "".join(f"{translation}\n" for translation in both.translate(sources, search=search))


def test_a_test_set_the_other_way_around_is_refused(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tiny_model, "data=toy", "data.source=fr", "data.target=en") == 1
    told = "nmt: the test set must go from en to fr, as the model does, but `data` goes from fr to en\n"
    assert capfd.readouterr() == ("", told)


def test_languages_of_other_names_are_warned_of(
    tiny_model: Path, tiny_corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix, name in (("en", "eng"), ("fr", "fra")):
        shutil.copy(tiny_corpus / f"test.{suffix}", tmp_path / f"test.{name}")
    assert evaluate(tiny_model, "data=parallel", f"data.path={tmp_path}", "data.source=eng", "data.target=fra") == 0
    told = "warning: the test set must go from en to fr, as the model does, but `data` goes from eng to fra\n"
    assert told in capfd.readouterr().err


def test_a_baseline_is_a_file_or_a_model(
    tiny_model: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    (other / "search.json").write_text('{"strategy": "greedy", "max_length_offset": 5}')
    assert evaluate(other, *files, "--output", str(tmp_path / "kept")) == 0
    alone = json.loads(capfd.readouterr().out)
    found = {}
    for baseline in (other, tmp_path / "kept" / "hypotheses.txt"):
        assert evaluate(tiny_model, *files, "--baseline", str(baseline)) == 0
        record = json.loads(capfd.readouterr().out)
        assert record["baseline"].pop("name") == str(baseline)
        found[baseline.name] = record
    searches = [record.pop("baseline_search", None) for record in found.values()]
    assert searches == [alone["search"], None]
    assert found["other"] == found["hypotheses.txt"]
    for metric in ("bleu", "chrf", "ter"):
        assert {key: found["other"]["baseline"][metric][key] for key in alone[metric]} == alone[metric]
    # Against itself nothing differs.
    assert evaluate(tiny_model, *files, "--baseline", str(tiny_model)) == 0
    record = json.loads(capfd.readouterr().out)["baseline"]
    for metric in ("bleu", "chrf", "ter"):
        assert (record[metric]["difference"], record[metric]["p_values"]) == (0, {"bootstrap": 1, "randomisation": 1})


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: 37 references, a system with CRLF line ends, a baseline and a copy of it; some lines are blank."""
    words = random.Random(1)
    vocabulary = ["Der", "Hund,", "ein", "Mann", "und", "die", "Frau:", "sie", "sehen", "den", "roten", "Ball", "auf", "."]
    references = [" ".join(words.choices(vocabulary, k=words.randint(3, 15))) if number % 12 else "" for number in range(37)]

    def damaged(seed: int, share: float) -> list[str]:
        generator = random.Random(seed)
        lines = [" ".join(word for word in line.split() if generator.random() > share) for line in references]
        return ["", *lines[1:-1], "Ball"]

    baseline = damaged(2, 0.3)
    for name, lines, end in (
        ("reference.txt", references, "\n"),
        ("system.txt", damaged(1, 0.2), "\r\n"),
        ("baseline.txt", baseline, "\n"),
        ("copy.txt", baseline, "\n"),
        ("source.txt", [f"{number} " * (number % 5) for number in range(37)], "\n"),
    ):
        (tmp_path / name).write_bytes("".join(f"{line}{end}" for line in lines).encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sacrebleu(test: str) -> list[list[dict[str, float]]]:
    """What sacreBLEU's command line says of BLEU, chrF2 and TER of the three systems, the first being the baseline."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SACREBLEU")}
    inputs = ["reference.txt", "--input", "baseline.txt", "system.txt", "copy.txt", "--metrics", "bleu", "chrf", "ter"]
    # Its JSON fails with NumPy 2: there are numbers in fp32 among it.
    command = [sys.executable, "-m", "sacrebleu", *inputs, test, "--format", "latex", "--width", "4", "--no-color"]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
    rows = [line.split("&")[1:] for line in result.stdout.splitlines() if ".txt &" in line]
    cell = re.compile(r"(?P<score>[\d.]+)(?: \(\S+ ± (?P<width>[\d.]+)\))?(?: \(p = (?P<p>[\d.]+)\))?")
    found = [[cell.match(text.strip()) for text in row] for row in rows]
    return [[{key: float(value) for key, value in one.groupdict().items() if value} for one in row if one] for row in found]


def test_a_file_is_tested_as_sacrebleus_command_line_does(outputs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bootstrap, randomisation = sacrebleu("--paired-bs"), sacrebleu("--paired-ar")
    given = ["--reference", "reference.txt", "--baseline", "baseline.txt"]
    assert main(["evaluate", "--hypotheses", "system.txt", *given]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["hypotheses"], found["sentences"], found["baseline"]["name"]) == ("system.txt", 37, "baseline.txt")
    for place, metric in enumerate(("bleu", "chrf", "ter")):
        ours, theirs = found[metric], found["baseline"][metric]
        assert theirs["score"] == pytest.approx(bootstrap[0][place]["score"], abs=1e-4)
        assert ours["score"] == pytest.approx(bootstrap[1][place]["score"], abs=1e-4)
        assert (ours["interval"][1] - ours["interval"][0]) / 2 == pytest.approx(bootstrap[1][place]["width"], abs=1e-3)
        assert 0.001 < theirs["p_values"]["randomisation"] < 0.9  # or this would say little
        assert theirs["p_values"]["randomisation"] == pytest.approx(randomisation[1][place]["p"], abs=0.6e-4)
        # sacreBLEU computes the scores of its resamples in fp32: one that is almost as far as the real difference may be counted.
        assert theirs["p_values"]["bootstrap"] == pytest.approx(bootstrap[1][place]["p"], abs=1.5 / 1001)
    # Of identical systems it says the least that it can say, and we say 1.
    assert main(["evaluate", "--hypotheses", "copy.txt", *given]) == 0
    found = json.loads(capfd.readouterr().out)["baseline"]
    for place, metric in enumerate(("bleu", "chrf", "ter")):
        assert (bootstrap[2][place]["p"], randomisation[2][place]["p"]) == (0.001, 0.0001)
        assert found[metric]["p_values"] == {"bootstrap": 1, "randomisation": 1}


def test_a_file_is_scored_as_a_model_is(
    tiny_model: Path, files: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tiny_model, *files, "--output", str(tmp_path / "kept"), "lowercase=true", "tokenize=intl") == 0
    model = json.loads(capfd.readouterr().out)
    hypotheses = tmp_path / "kept" / "hypotheses.txt"
    again = ["--output", str(tmp_path / "again"), "tokenize=intl", "lowercase=true"]
    assert main(["evaluate", "--hypotheses", str(hypotheses), *files, *again]) == 0
    file = json.loads(capfd.readouterr().out)
    assert model["computed_on"] == "cpu"
    of_model = {name: model[name] for name in ("model", "computed_on", "search")}
    assert {**model, "hypotheses": str(hypotheses)} == {**file, **of_model}
    for name in ("source.txt", "hypotheses.txt", "reference.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "kept" / name).read_bytes()


def test_what_is_kept_has_a_line_for_each_sentence_however_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("a", "1\r2\r\n\n\u20283\x0c4"), ("b", "\ufeffx\n\r\ny\x85\n"), ("c", "\nz\n\r\n")):
        Path(name).write_bytes(text.encode())
    assert main(["evaluate", "--source", "a", "--hypotheses", "b", "--reference", "c", "--output", "kept"]) == 0
    expected = {"source": ["1 2", "", "\u20283\x0c4"], "hypotheses": ["x", "", "y\x85"], "reference": ["", "z", ""]}
    for name, lines in expected.items():
        with open(f"kept/{name}.txt", encoding="utf-8") as file:  # as COMET does
            assert [line.removesuffix("\n") for line in file.readlines()] == lines
    # A line feed within a text, which a line can't hold but a dataset can.
    with comet_files("fed") as files:
        files.write(["one\ntwo", "\r\n"], ["x", "y"], ["", "z\n"])
    assert Path("fed/source.txt").read_bytes() == b"one two\n  \n" and Path("fed/reference.txt").read_bytes() == b"\nz \n"
    shutil.rmtree("fed")
    # The folder of an earlier evaluation is replaced.
    assert main(["evaluate", "--source", "a", "--hypotheses", "a", "--reference", "c", "--output", "kept"]) == 0
    assert Path("kept/hypotheses.txt").read_bytes() == Path("kept/source.txt").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "kept"]
    assert capfd.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("interrupted", ["nmt.translator.Translator.translate", "nmt.cli.evaluate_model.evaluate"])
def test_a_folder_that_comes_to_nothing_leaves_nothing(
    interrupted: str, tiny_model: Path, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted, interrupt)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "hypotheses.txt").write_text("the one before")
    for output in ("kept", "new"):
        assert evaluate(tiny_model, *files, "--output", str(tmp_path / output)) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert [path.read_text() for path in kept.iterdir()] == ["the one before"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "the test set must be given, by --source FILE and --reference FILE or by `data=…`, but is not"),
        (["--source", "two.en"], 2, "--source and --reference must be given together, but only one is there"),
        (
            ["--source", "two.en", "--reference", "two.fr", "data=toy"],
            2,
            "the test set must be either --source and --reference or `data`, but is both (data=toy)",
        ),
        (["--source", "two.en", "--reference", "three.fr"], 1, "but have 2 and 3 instead"),
        (["--source", "two.en", "--reference", "none.fr"], 1, "none.fr cannot be read: No such file or directory"),
        (["--source", "two.en", "--reference", "two.fr", "tokenize=14a"], 1, "`tokenize` must be one of"),
        (["data=toy", "split=tset"], 1, "tset"),
        (["data=tyo"], 2, "did you mean `toy`?"),
        (["data=toy", "data.paht=x"], 2, "did you mean `data.path`?"),
        (["data=toy", "search.beam_size=2.5"], 2, "`search.beam_size` must be a whole number, but is `2.5` instead"),
        (
            ["--source", "two.en", "--reference", "two.fr", "--baseline", "three.fr"],
            1,
            "three.fr must have a line for each of the 2 sentences of the test set, but has 3 instead",
        ),
        (["--source", "two.en", "--reference", "two.fr", "--baseline", "none.fr"], 1, "none.fr cannot be read: No such file"),
        (["--source", "two.en", "--reference", "two.fr", "--baseline", "folder"], 1, "`folder` is no model directory"),
        (
            ["--source", "two.en", "--reference", "two.fr", "--baseline", "german"],
            1,
            "the baseline must translate en to fr, as `MODEL` does, but `german` translates en to de instead",
        ),
        (
            ["--source", "two.en", "--reference", "two.fr", "--output", "folder"],
            1,
            "`--output` must be a new folder or that of an earlier evaluation, but `folder` holds `mine.txt`",
        ),
        (
            ["--source", "two.en", "--reference", "two.fr", "--output", "two.en"],
            1,
            "`--output` must be a folder, but `two.en` is a file",
        ),
        (["--source", "two.en", "--reference", "two.fr", "--output", ""], 1, "`--output` must name a folder, but is empty"),
        (
            ["--source", "two.en", "--reference", "two.fr", "--output", "new/and/newer"],
            1,
            "`--output` must be in a folder that there is, but `new/and/newer` is not",
        ),
        (["split=test"], 1, "`data.source` must name a language, but is empty instead"),
    ],
)
def test_mistakes_are_told_before_any_work(
    arguments: list[str],
    code: int,
    sentence: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    in_a_folder_with_files(tmp_path, monkeypatch)
    monkeypatch.setattr("nmt.translator.Translator.translate", None)  # nothing may get so far
    Path("MODEL").symlink_to(tiny_model)
    shutil.copytree(tiny_model, "german")
    config = Path("german/config.json")
    config.write_text(config.read_text().replace('"fr"', '"de"'))
    told(["MODEL", QUICK, *arguments], code, sentence, capfd)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "what to evaluate must be given, by MODEL or by --hypotheses FILE, but is not"),
        (["--hypotheses", "two.en"], 2, "--hypotheses must be given together with --reference FILE, which is not there"),
        (
            ["--hypotheses", "two.en", "--reference", "two.fr", "runs/a/model"],
            2,
            "either MODEL or --hypotheses must be given, but both are there (`runs/a/model`)",
        ),
        (
            ["--hypotheses", "two.en", "--reference", "two.fr", "search.beam_size=2"],
            2,
            "with --hypotheses the settings must be of tokenize, lowercase, but `search.beam_size=2` is there",
        ),
        (["--hypotheses", "two.en", "--reference", "two.fr", "lowercase=ja"], 2, "must be true or false, but is `ja`"),
        (["--hypotheses", "two.en", "--reference", "two.fr", "tokenize=14a"], 1, "`tokenize` must be one of"),
        (
            ["--hypotheses", "two.en", "--reference", "three.fr"],
            1,
            "two.en must have a line for each of the 3 sentences of the test set, but has 2 instead",
        ),
        (["--hypotheses", "two.en", "--reference", "two.fr", "--source", "three.fr"], 1, "three.fr must have a line for each"),
        (["--hypotheses", "two.en", "--reference", "two.fr", "--baseline", "three.fr"], 1, "three.fr must have a line for"),
        (["--hypotheses", "empty", "--reference", "empty"], 1, "there is nothing to score: the test set has no sentences"),
        (
            ["--hypotheses", "two.en", "--reference", "two.fr", "--baseline", "folder"],
            2,
            "with --hypotheses the baseline must be a file of translations, but `folder` is a folder",
        ),
        (
            ["--hypotheses", "two.en", "--reference", "two.fr", "--output", "new"],
            2,
            "--output must be given together with --source FILE, which COMET reads too, but which is not there",
        ),
    ],
)
def test_mistakes_without_a_model(
    arguments: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    in_a_folder_with_files(tmp_path, monkeypatch)
    told(arguments, code, sentence, capfd)


def in_a_folder_with_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name, lines in (("two.en", 2), ("two.fr", 2), ("three.fr", 3), ("empty", 0)):
        Path(name).write_text("x\n" * lines, encoding="utf-8")
    Path("folder").mkdir()
    Path("folder/mine.txt").touch()


def told(arguments: list[str], code: int, sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The mistake ends in one sentence, and nothing is written."""
    before = sorted(Path().rglob("*"))
    assert main(["evaluate", *arguments]) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nmt: ")
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
    assert sorted(Path().rglob("*")) == before
