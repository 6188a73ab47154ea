"""The scores are sacreBLEU's, to the last digit, and so are the intervals."""

import json
import random

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt.errors import UserError
from nmt.evaluation import bleu, is_unspaced, score, tokenizer_for

WORDS = ["Der", "Hund,", "ein", "Mann", "und", "die", "Frau:", "sie", "sehen", "den", "roten", "Ball", "auf", "Straße", "."]


def corpus(sentences: int) -> tuple[list[str], list[str]]:
    """References of random words, and translations that miss or change about one word in four."""
    generator = random.Random(1)
    references = [" ".join(generator.choices(WORDS, k=generator.randint(3, 15))) + "." for _ in range(sentences)]
    damaged = [[generator.choice([word, word, word, word.upper(), ""]) for word in line.split()] for line in references]
    return [" ".join(filter(None, line)) for line in damaged], references


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("tokenize", ["13a", "none", "char", "intl", "zh"])
def test_scores_and_signatures_are_sacrebleus(tokenize: str, lowercase: bool) -> None:
    hypotheses, references = corpus(30)
    ours = score(hypotheses, references, tokenize=tokenize, lowercase=lowercase, intervals=False)
    unspaced = tokenize == "zh"
    theirs = {
        "bleu": BLEU(tokenize=tokenize, lowercase=lowercase),
        "chrf": CHRF(lowercase=lowercase),
        "ter": TER(normalized=unspaced, asian_support=unspaced),
    }
    for name, metric in theirs.items():
        found = {"bleu": ours.bleu, "chrf": ours.chrf, "ter": ours.ter}[name]
        assert found.score == metric.corpus_score(hypotheses, [references]).score
        assert found.signature == str(metric.get_signature())
        assert found.interval is None
    assert ours.sentences == 30
    assert bleu(hypotheses, references, tokenize=tokenize, lowercase=lowercase) == ours.bleu


def test_intervals_are_as_wide_as_sacrebleus_and_their_signature_says_how_they_were_made() -> None:
    hypotheses, references = corpus(40)
    ours = score(hypotheses, references)
    for found, metric in ((ours.bleu, BLEU()), (ours.chrf, CHRF()), (ours.ter, TER())):
        theirs = metric.corpus_score(hypotheses, [references], n_bootstrap=1000)
        assert found.interval is not None
        low, high = found.interval
        assert (high - low) / 2 == pytest.approx(theirs._ci, abs=1e-3)  # sacreBLEU resamples in fp32
        assert low < found.score < high
        assert low < theirs._mean < high
        assert found.signature == str(metric.get_signature())
        assert "bs:1000|seed:12345" in found.signature


def test_the_seed_decides_the_interval_and_only_the_interval() -> None:
    hypotheses, references = corpus(20)
    first, again, other = (score(hypotheses, references, seed=seed).bleu for seed in (1, 1, 2))
    assert first == again
    assert first.interval != other.interval
    assert first.score == other.score


def test_more_sentences_make_the_interval_narrower() -> None:
    def width(sentences: int) -> float:
        interval = score(*corpus(sentences)).chrf.interval
        assert interval is not None
        return interval[1] - interval[0]

    assert width(200) < width(20) / 2


def test_known_cases() -> None:
    right = ["the cat sat on the mat", "a dog"]
    perfect = score(right, right)
    assert (round(perfect.bleu.score, 9), perfect.chrf.score, perfect.ter.score) == (100, 100, 0)
    assert perfect.ter.interval == (0, 0)
    wrong = score(["x y z v w"], ["the cat sat on mats"])
    assert (wrong.bleu.score, wrong.chrf.score, wrong.ter.score) == (0, 0, 100)
    # One of four words differs: one edit in four; precisions 3/4, 2/3, 1/2 and, by smoothing, half of 1/1.
    one_edit = score(["the cat sat here"], ["the cat sat there"], tokenize="none")
    assert one_edit.ter.score == 25
    assert one_edit.bleu.score == pytest.approx(100 * (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)


@pytest.mark.parametrize(("hypothesis", "reference", "ter"), [("", "a b", 100), ("a b", "", 100), ("", "", 0)])
def test_blank_lines_are_scored(hypothesis: str, reference: str, ter: float) -> None:
    assert score([hypothesis], [reference]).ter.score == ter


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [
        ("de", "13a"),
        ("", "13a"),
        ("fr_FR", "13a"),
        ("jav", "13a"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zho_Hans", "zh"),
        ("ZH", "zh"),
        ("ja", "ja-mecab"),
        ("jpn_Jpan", "ja-mecab"),
        ("ko", "ko-mecab"),
        ("kor", "ko-mecab"),
        ("th", "char"),
        ("khm_Khmr", "char"),
    ],
)
def test_the_tokenizer_follows_the_target_language(language: str, tokenizer: str) -> None:
    assert tokenizer_for(language) == tokenizer


def test_chinese_is_counted_in_ideographs_for_ter() -> None:
    scores = score(["我有一只猫。"], ["我有一只狗。"], target_language="zh-CN")
    assert "tok:zh" in scores.bleu.signature
    assert "norm:yes" in scores.ter.signature and "asian:yes" in scores.ter.signature
    assert scores.ter.score == pytest.approx(100 / 6)


@pytest.mark.parametrize("language", ["zh", "yue", "jpn", "th", "tha", "lo", "lao_Laoo", "km", "my-MM", "mya"])
def test_no_language_without_spaces_is_scored_by_them(language: str) -> None:
    assert tokenizer_for(language) != "13a" and is_unspaced(language)
    assert not is_unspaced(language, "none")


def test_thai_is_scored_by_characters() -> None:
    scores = score(["ผมชอบแมวมาก"], ["ผมชอบหมามาก"], target_language="th")
    assert "tok:char" in scores.bleu.signature
    assert scores.bleu.score > 40


def test_text_that_is_tokenised_already_is_left_as_it_is() -> None:
    scores = score(["私 は 猫 です"], ["私 は 犬 です"], target_language="ja", tokenize="none")
    assert "tok:none" in scores.bleu.signature and "norm:no" in scores.ter.signature
    assert scores.ter.score == 25


@pytest.mark.parametrize(("language", "module"), [("ja", "ja_mecab"), ("ko", "ko_mecab")])
def test_a_tokenizer_that_is_not_installed_is_named_with_its_extra(
    language: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{module}.MeCab", None)
    with pytest.raises(UserError) as raised:
        score(["a"], ["a"], target_language=language)
    assert str(raised.value) == (
        f"`tokenize={language}-mecab` needs a package: install `nmt[{language}]`, or set `tokenize=char`"
    )


def test_japanese_is_split_by_mecab() -> None:
    pytest.importorskip("MeCab")
    pytest.importorskip("ipadic")
    scores = score(["私は猫が好きです。"], ["私は犬が好きです。"], target_language="ja")
    assert "tok:ja-mecab-" in scores.bleu.signature
    assert 0 < scores.bleu.score < 100


def test_mistakes_are_told_in_one_sentence() -> None:
    with pytest.raises(UserError, match="one reference, but there are 2 translations and 3 references"):
        score(["a", "b"], ["a", "b", "c"])
    with pytest.raises(UserError, match="nothing to score: the test set has no sentences"):
        score([], [])
    with pytest.raises(UserError, match=r"`tokenize` must be one of none, zh, 13a, .*, but is `14a` instead"):
        score(["a"], ["a"], tokenize="14a")


def test_a_tokenizer_that_cannot_be_downloaded_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(source: str, destination: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.download_file", unreachable)
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.SACREBLEU_DIR", "/nonexistent")
    with pytest.raises(UserError, match="`tokenize=flores200` could not fetch its model: no route to host"):
        score(["a"], ["a"], tokenize="flores200")


def test_the_json_is_plain_and_complete() -> None:
    scores = score(*corpus(20))
    found = json.loads(json.dumps(scores.to_json()))
    assert list(found) == ["bleu", "chrf", "ter", "sentences"]
    assert found["sentences"] == 20
    assert found["bleu"]["score"] == pytest.approx(scores.bleu.score, abs=1e-4)
    assert found["bleu"]["signature"] == scores.bleu.signature
    assert found["bleu"]["interval"] == pytest.approx(scores.bleu.interval, abs=1e-4)
    assert score(*corpus(20), intervals=False).to_json()["ter"]["interval"] is None  # type: ignore[index]


def test_the_table_is_aligned_and_shows_every_number() -> None:
    scores = score(*corpus(20))
    header, *rows = scores.table().split("\n")
    assert header.index("signature") == rows[0].index("nrefs") == rows[1].index("nrefs") == rows[2].index("nrefs")
    assert [row.split()[0] for row in rows] == ["BLEU", "chrF2", "TER"]
    for row, metric in zip(rows, (scores.bleu, scores.chrf, scores.ter), strict=True):
        assert metric.interval is not None
        assert f" {metric.score:.2f} " in row
        assert "{:.2f} to {:.2f}".format(*metric.interval) in row
        assert row.endswith(metric.signature)
    assert " -  " in score(*corpus(5), intervals=False).table()
