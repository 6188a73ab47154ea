"""Every form of corpus gives the same pairs; what is wrong with one is told in a sentence that says where."""

import csv
import errno
import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from nmt.data.cache import cached_folder
from nmt.data.config import DataConfig, DataForm
from nmt.data.corpus import Pairs, load_pairs, overlap
from nmt.data.parallel import read_lines
from nmt.errors import UserError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

# What must not end a line, look like a column or be taken for a missing value.
ROWS = [
    ("A man.", "Ein Mann."),
    ("NA", "None"),
    ("null", "nan"),
    ("a\u2028b\x85c\x0cd\x1ee", "ä\rö"),
    (" two  spaces ", '"quoted", with comma'),
    ("😀", "漢字"),
]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder))
    return folder


def config(path: Path | str, **settings: object) -> DataConfig:
    return DataConfig(**{"path": str(path), "source": "en", "target": "de", **settings})  # type: ignore[arg-type]


def rows(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.sources(), pairs.targets(), strict=True))


def write_parallel(folder: Path, split: str, pairs: list[tuple[str, str]] = ROWS) -> None:
    folder.mkdir(exist_ok=True)
    for side, language in enumerate(("en", "de")):
        text = "".join(pair[side] + "\n" for pair in pairs)
        (folder / f"{split}.{language}").write_bytes(text.encode())


def write_gzip(folder: Path, split: str) -> None:
    write_parallel(folder, split)
    for language in ("en", "de"):
        plain = folder / f"{split}.{language}"
        (folder / f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()


def write_tsv(folder: Path, split: str) -> None:
    (folder / f"{split}.tsv").write_bytes("".join(f"{left}\t{right}\n" for left, right in ROWS).encode())


def write_tsv_header(folder: Path, split: str) -> None:
    lines = [("de", "id", "en"), *((right, "7", left) for left, right in ROWS)]
    text = "".join("\t".join(line) + "\n" for line in lines).encode()
    (folder / f"{split}.tsv.gz").write_bytes(gzip.compress(text))


def flat() -> datasets.Dataset:
    return datasets.Dataset.from_list([{"de": right, "id": 1, "en": left} for left, right in ROWS])


def nested() -> datasets.Dataset:
    features = datasets.Features({"translation": datasets.Translation(["de", "en"])})
    return datasets.Dataset.from_list([{"translation": {"de": right, "en": left}} for left, right in ROWS], features=features)


def write_jsonl(folder: Path, split: str) -> None:
    lines = [json.dumps({"en": left, "de": right, "id": 1}) + "\n" for left, right in ROWS]
    (folder / f"{split}.jsonl").write_text("".join(lines), "utf-8")


def write_jsonl_translation(folder: Path, split: str) -> None:
    lines = [json.dumps({"translation": {"en": left, "de": right}}) + "\n" for left, right in ROWS]
    (folder / f"{split}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))


def write_shards(folder: Path, split: str) -> None:
    (folder / "data").mkdir()
    for shard in range(2):
        flat().shard(2, shard).to_parquet(folder / "data" / f"{split}-0000{shard}-of-00002.parquet")


def write_csv(folder: Path, split: str, part: list[tuple[str, str]] = ROWS) -> None:
    with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("en", "de"), *part])


def write_csv_shards(folder: Path, split: str) -> None:
    write_csv(folder, f"{split}-0", ROWS[:3])
    write_csv(folder, f"{split}-1", ROWS[3:])


def write_csv_shards_gzip(folder: Path, split: str) -> None:
    write_csv_shards(folder, split)
    for file in folder.glob("*.csv"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()


def write_jsonl_shards_beside_a_table(folder: Path, split: str) -> None:
    for number, part in enumerate((ROWS[:3], ROWS[3:])):
        lines = [json.dumps({"en": left, "de": right}) + "\n" for left, right in part]
        (folder / f"{split}-{number}.jsonl").write_text("".join(lines), "utf-8")
    (folder / "counts.csv").write_text("en,de\n1,2\n", "utf-8")


FORMS: dict[str, Callable[[Path, str], object]] = {
    "parallel": write_parallel,
    "gzip": write_gzip,
    "tsv": write_tsv,
    "tsv with header": write_tsv_header,
    "jsonl": write_jsonl,
    "jsonl translation": write_jsonl_translation,
    "parquet": lambda folder, split: flat().to_parquet(folder / f"{split}.parquet"),
    "parquet translation": lambda folder, split: nested().to_parquet(folder / f"{split}.parquet"),
    "parquet shards": write_shards,
    "csv": write_csv,
    "csv shards": write_csv_shards,
    "csv shards, gzip": write_csv_shards_gzip,
    "jsonl shards beside a table": write_jsonl_shards_beside_a_table,
    "saved splits": lambda folder, split: datasets.DatasetDict({split: nested()}).save_to_disk(folder),
    "saved split": lambda folder, split: flat().save_to_disk(folder),
}


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_pairs(write: Callable[[Path, str], object], tmp_path: Path) -> None:
    write(tmp_path, "train")
    pairs = load_pairs(config(tmp_path), "train")
    assert rows(pairs) == ROWS
    assert pairs.dataset.column_names == ["source", "target"]
    assert len(pairs) == len(ROWS)
    write_parallel(tmp_path / "same", "train")
    assert pairs.fingerprint == load_pairs(config(tmp_path / "same"), "train").fingerprint


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]*"
    folder.mkdir()
    write_jsonl(folder, "train")
    assert rows(load_pairs(config(folder), "train")) == ROWS


def test_forms_can_be_forced(tmp_path: Path) -> None:
    write_parallel(tmp_path, "train", [("a", "b")])
    (tmp_path / "train.tsv").write_text("c\td\n")
    (tmp_path / "train.jsonl").write_text('{"en": "e", "de": "f"}\n')
    found = {form: rows(load_pairs(config(tmp_path, form=form), "train")) for form in DataForm if form != "toy"}
    assert found == {
        "auto": [("a", "b")],
        "parallel": [("a", "b")],
        "tsv": [("c", "d")],
        "dataset": [("e", "f")],
    }


def test_the_home_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    for write, form in ((write_parallel, DataForm.parallel), (write_jsonl, DataForm.dataset)):
        write(tmp_path / "data", "train")
        assert rows(load_pairs(config("~/data", form=form), "train")) == ROWS


def test_lines_end_at_newline_only(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes("\ufeffa\rb\u2028c\r\n\n\ufeffd\x0c\x85e\r".encode())
    assert list(read_lines(file)) == ["a\rb\u2028c", "", "\ufeffd\x0c\x85e\r"]
    file.write_bytes(b"")
    assert list(read_lines(file)) == []


def test_the_fingerprint_is_of_content_in_order(tmp_path: Path) -> None:
    def fingerprint(*pairs: tuple[str, str]) -> str:
        write_parallel(tmp_path, "train", list(pairs))
        return load_pairs(config(tmp_path), "train").fingerprint

    kinds = [
        (("a", "b"), ("c", "d")),
        (("c", "d"), ("a", "b")),
        (("b", "a"), ("d", "c")),
        (("ab", "c"),),
        (("a", "bc"),),
    ]
    assert len({fingerprint(*kind) for kind in kinds}) == len(kinds)
    assert fingerprint(*kinds[0]) == fingerprint(*kinds[0], ("", "dropped"))


def test_a_blank_side_drops_the_pair_and_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.data.corpus._BATCH", 2)
    blank = [("", "eins"), ("two", " \u3000\t"), ("\x0b", ""), ("four", "vier")]
    write_parallel(tmp_path, "train", blank)
    pairs = load_pairs(config(tmp_path), "train")
    assert (rows(pairs), pairs.dropped_blank) == ([("four", "vier")], 3)
    kept = load_pairs(config(tmp_path), "train", keep_blank=True)
    assert (rows(kept), kept.dropped_blank) == (blank, 0)


def test_a_missing_value_is_a_blank_side(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"en": "a", "de": null}\n{"en": "b", "de": "c"}\n')
    pairs = load_pairs(config(tmp_path), "train")
    assert (rows(pairs), pairs.dropped_blank) == ([("b", "c")], 1)


@pytest.mark.parametrize("write", [write_parallel, write_tsv, write_jsonl], ids=["parallel", "tsv", "jsonl"])
@pytest.mark.parametrize("name", ["val", "validation", "valid", "dev"])
def test_the_validation_split_has_many_names(name: str, write: Callable[[Path, str], object], tmp_path: Path) -> None:
    write(tmp_path, "train")
    write(tmp_path, name)
    assert rows(load_pairs(config(tmp_path), "val")) == ROWS


def test_two_validation_splits_are_not_chosen_between(tmp_path: Path) -> None:
    for split in ("train", "dev", "valid"):
        write_parallel(tmp_path, split)
    with pytest.raises(UserError) as error:
        load_pairs(config(tmp_path), "val")
    assert str(error.value) == (f"`data.validation` must be a split of {tmp_path} (dev, train, valid), but is `val` instead")


@pytest.mark.parametrize("write", [write_parallel, write_tsv, write_jsonl], ids=["parallel", "tsv", "jsonl"])
def test_a_missing_split_is_told_which_there_are(write: Callable[[Path, str], object], tmp_path: Path) -> None:
    write(tmp_path, "train")
    for split, key in (("test", "data.test"), ("val", "data.validation"), ("other", "split")):
        with pytest.raises(UserError) as error:
            load_pairs(config(tmp_path), split)
        assert str(error.value) == f"`{key}` must be a split of {tmp_path} (train), but is `{split}` instead"


def test_splits_of_like_names_are_not_mixed(tmp_path: Path) -> None:
    for split in ("train", "test_2016", "test_2017"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps({"en": split, "de": split}) + "\n")
    for split in ("train", "test_2016", "test_2017"):
        assert rows(load_pairs(config(tmp_path), split)) == [(split, split)]


def test_a_changed_corpus_is_read_anew_and_an_unchanged_one_is_not(tmp_path: Path, cache: Path) -> None:
    def written() -> set[Path]:
        return set(cache.glob("nmt/*"))

    (tmp_path / "json").mkdir()
    for write, folder in ((write_parallel, tmp_path / "text"), (write_jsonl, tmp_path / "json")):
        write(folder, "train")
        load_pairs(config(folder), "train")
        before = written()
        assert rows(load_pairs(config(folder), "train")) == ROWS
        assert written() == before
    write_parallel(tmp_path / "text", "train", [("new", "neu")])
    (tmp_path / "json" / "train.jsonl").write_text('{"en": "new", "de": "neu"}\n')
    for folder in (tmp_path / "text", tmp_path / "json"):
        assert rows(load_pairs(config(folder), "train")) == [("new", "neu")]


def test_a_failed_reading_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path) -> None:
    write_parallel(tmp_path, "train")
    (tmp_path / "train.de").write_bytes(b"one\n")
    for _ in range(2):
        with pytest.raises(UserError):
            load_pairs(config(tmp_path), "train")
    assert list(cache.glob("nmt/*")) == []


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parallel(tmp_path, "train")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError) as error:
        load_pairs(config(tmp_path), "train")
    assert str(error.value) == (
        f"the data cache {tmp_path}/file/nmt cannot be written: Not a directory "
        "(the environment variable HF_DATASETS_CACHE sets another place for it)"
    )


def test_a_full_disk_leaves_nothing(cache: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError) as error:
        cached_folder("key", write)
    assert str(error.value).startswith(f"the data cache {cache}/nmt cannot be written: No space left on device (")
    assert list(cache.glob("nmt/*")) == []


def test_the_first_of_two_processes_wins(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(folder: Path) -> None:
        monkeypatch.setattr(os, "getpid", os.getppid)
        cached_folder("key", lambda faster: (faster / "file").write_text("first"))
        (folder / "file").write_text("second")

    assert (cached_folder("key", slower) / "file").read_text() == "first"
    assert list(cache.glob("nmt/*")) == [cache / "nmt" / "key"]


def test_what_a_killed_process_left_is_removed(cache: Path) -> None:
    names: list[str] = []
    cached_folder("other key", lambda folder: names.append(folder.name))
    left = cache / "nmt" / names[0].replace("other key", "key").replace(f".{os.getpid()}", ".999999999")  # no process has it
    left.mkdir()
    cached_folder("key", lambda folder: None)
    assert {path.name for path in cache.glob("nmt/*")} == {"other key", "key"}


def test_a_damaged_cache_is_told(tmp_path: Path, cache: Path) -> None:
    write_parallel(tmp_path, "train")
    load_pairs(config(tmp_path), "train")
    [table] = cache.glob("nmt/*/*.arrow")
    table.write_bytes(b"")
    with pytest.raises(UserError, match=f"^the data cache {table.parent} is damaged .*: delete it and try again$"):
        load_pairs(config(tmp_path), "train")


def test_hub_datasets_are_loaded_by_their_id(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(path: str, name: str | None) -> datasets.DatasetDict:
        asked.append((path, name))
        return datasets.DatasetDict({"train": flat(), "validation": flat(), "test": flat()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert rows(load_pairs(config("bentrevett/multi30k"), "val")) == ROWS
    assert rows(load_pairs(config("wmt16", name="de-en"), "train")) == ROWS
    assert asked == [("bentrevett/multi30k", None), ("wmt16", "de-en")]


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as error:
        load_pairs(config("nobody/nothing"), "train")
    rule = "`data.path` must be a folder or the id of a hub dataset within reach"
    assert str(error.value).startswith(f"{rule}, but is nobody/nothing instead (")
    assert "\n" not in str(error.value)


def test_the_toy_corpus_goes_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.data.split.toy_pairs", lambda split, seed: [("one", f"un {seed}"), ("two", "deux")])
    there = load_pairs(DataConfig(source="en", target="fr", form=DataForm.toy), "val")
    back = load_pairs(DataConfig(source="fr", target="en", form=DataForm.toy), "validation")
    assert rows(there) == [(left, right) for right, left in rows(back)]
    other = load_pairs(DataConfig(source="en", target="fr", form=DataForm.toy, seed=2), "val")
    assert other.fingerprint != there.fingerprint
    with pytest.raises(UserError) as error:
        load_pairs(DataConfig(source="en", target="de", form=DataForm.toy), "val")
    assert str(error.value) == (
        "`data.source` and `data.target` of the toy corpus must be `en` and `fr`, but are `en` and `de` instead"
    )
    with pytest.raises(UserError) as error:
        load_pairs(DataConfig(source="en", target="fr", form=DataForm.toy), "best")
    assert str(error.value) == "`split` must be a split of the toy corpus (test, train, val), but is `best` instead"


def unequal(folder: Path) -> str:
    write_parallel(folder, "train")
    (folder / "train.de").write_bytes(b"one\n" * 9)
    return f"{folder}/train.en and {folder}/train.de must have equally many lines, but have 6 and 9 instead"


def unequal_source(folder: Path) -> str:
    write_parallel(folder, "train")
    (folder / "train.en").write_bytes(b"one\n" * 11 + b"no end")
    return f"{folder}/train.en and {folder}/train.de must have equally many lines, but have 12 and 6 instead"


def missing_side(folder: Path) -> str:
    write_parallel(folder, "train")
    (folder / "train.de").unlink()
    return f"{folder}/train.de must be beside train.en, but does not exist"


def half_a_split(folder: Path) -> str:
    write_parallel(folder, "val")
    (folder / "notes.en").write_text("note")
    return f"`data.train` must be a split of {folder} (val), but is `train` instead"


def missing_folder(folder: Path) -> str:
    folder.rmdir()
    return f"`data.path` must be a folder or a hub id, but {folder} does not exist"


def nothing_known(folder: Path) -> str:
    (folder / "train.xx").write_text("")
    (folder / "notes.txt").write_text("")
    return (
        f"`data.path` must be a folder with train.en and train.de, train.tsv or a dataset "
        f"(jsonl, json, parquet, csv, arrow), but {folder} has notes.txt, train.xx instead"
    )


def file_for_folder(folder: Path) -> str:
    folder.rmdir()
    folder.write_text("")
    return f"`data.path` must be a folder or a hub id, but is the file {folder} instead"


def invalid_utf8(folder: Path) -> str:
    write_parallel(folder, "train")
    (folder / "train.de").write_bytes("ä\nbcd\r\ne\n".encode() + b"f\xffg\nh\ni\n")
    return f"{folder}/train.de must be UTF-8, but line 4 has the byte 0xff at byte offset 11 instead (invalid start byte)"


def invalid_utf8_gzip(folder: Path) -> str:
    write_gzip(folder, "train")
    (folder / "train.en.gz").write_bytes(gzip.compress(b"\xe4"))
    return f"{folder}/train.en.gz must be UTF-8, but line 1 has the byte 0xe4 at byte offset 0 instead (unexpected end of data)"


def foreign_gzip(folder: Path) -> str:
    write_gzip(folder, "train")
    (folder / "train.en.gz").write_bytes(b"hello")
    return f"{folder}/train.en.gz cannot be read: Not a gzipped file (b'he')"


def truncated_gzip(folder: Path) -> str:
    write_gzip(folder, "train")
    whole = (folder / "train.en.gz").read_bytes()
    (folder / "train.en.gz").write_bytes(whole[:-9])
    return f"{folder}/train.en.gz cannot be decompressed: Compressed file ended before the end-of-stream marker was reached"


def empty(folder: Path) -> str:
    write_parallel(folder, "train", [])
    return f"split `train` of {folder} must have at least one pair with text on both sides, but has none instead"


def all_blank(folder: Path) -> str:
    write_parallel(folder, "train", [("a", ""), ("", "b")])
    return f"split `train` of {folder} must have at least one pair with text on both sides, but has 2 with a blank side instead"


def three_cells(folder: Path) -> str:
    (folder / "train.tsv").write_text("a\tb\nc\td\te\n")
    return f"{folder}/train.tsv must have 2 columns (two, or all of a header with `en`, `de`), but line 2 has 3 instead"


def short_line_under_header(folder: Path) -> str:
    (folder / "train.tsv").write_text("en\tid\tde\na\tb\tc\nc\td\n")
    return f"{folder}/train.tsv must have 3 columns (two, or all of a header with `en`, `de`), but line 3 has 2 instead"


def half_a_header(folder: Path) -> str:
    (folder / "train.tsv").write_text("German\ten\na\tb\n")
    return f"the first line of {folder}/train.tsv must name both `en` and `de` or neither, but is `German\ten` instead"


def column_called_translation(folder: Path) -> str:
    (folder / "train.csv").write_text("sentence,translation\na,b\n")
    return (
        f"{folder} must have columns `en` and `de`, or a `translation` of both in each row, "
        "but has sentence, translation instead"
    )


def rows_without_a_language(folder: Path) -> str:
    (folder / "train.jsonl").write_text('{"translation": {"en": "a", "de": "b"}}\n{"translation": {"en": "a"}}\n')
    return f"{folder} must have columns `en` and `de`, or a `translation` of both in each row, but has translation instead"


def unquoted_comma(folder: Path) -> str:
    (folder / "train.csv").write_text("en,de\nHello, you,Hallo\nbye,tschau\n")
    reason = "Length of header or names does not match length of data. This leads to a loss of data with index_col=False."
    return f"`data.path` must hold a readable dataset, but is {folder} instead ({reason})"


def missing_column(folder: Path) -> str:
    (folder / "train.jsonl").write_text('{"en": "a", "fr": "b"}\n')
    return f"`data.target` must be a column of {folder} (en, fr), but is `de` instead"


def missing_language(folder: Path) -> str:
    (folder / "train.jsonl").write_text('{"id": 1, "translation": {"de": "a", "fr": "b"}}\n')
    return f"`data.source` must be a column of {folder} (de, fr), but is `en` instead"


def column_of_numbers(folder: Path) -> str:
    (folder / "train.jsonl").write_text('{"en": "a", "de": 1}\n')
    return f"column `de` of {folder} must be text, but is int64 instead"


def broken_json(folder: Path) -> str:
    (folder / "train.jsonl").write_text('{"en": "a", "de": "b"}\n{"en":\n')
    reason = "JSON parse error: Invalid value. in row 1"
    return f"`data.path` must hold a readable dataset, but is {folder} instead ({reason})"


def empty_json(folder: Path) -> str:
    (folder / "train.jsonl").write_text("")
    return f"`data.path` must hold a readable dataset, but is {folder} instead (it has no data)"


BAD = [
    unequal,
    unequal_source,
    missing_side,
    half_a_split,
    missing_folder,
    nothing_known,
    file_for_folder,
    invalid_utf8,
    invalid_utf8_gzip,
    foreign_gzip,
    truncated_gzip,
    empty,
    all_blank,
    three_cells,
    short_line_under_header,
    half_a_header,
    column_called_translation,
    rows_without_a_language,
    unquoted_comma,
    missing_column,
    missing_language,
    column_of_numbers,
    broken_json,
    empty_json,
]


@pytest.mark.parametrize("prepare", BAD)
def test_bad_input_is_told_in_a_sentence(prepare: Callable[[Path], str], tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    expected = prepare(folder)
    with pytest.raises(UserError) as error:
        load_pairs(config(folder), "train")
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 0}, "`data.max_length` must be at least 1, but is 0 instead"),
        ({"target": "en"}, "`data.target` must differ from `data.source`, but is `en` too"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        config("x", **settings)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": ""}, "`data.path` must be a folder or a hub id, but is empty instead"),
        ({"source": ""}, "`data.source` must name a language, but is empty instead"),
        ({"target": ""}, "`data.target` must name a language, but is empty instead"),
        ({"path": "a/b/c"}, "`data.path` must be a folder or a hub id, but a/b/c does not exist"),
        ({"path": "~/no such"}, "`data.path` must be a folder or a hub id, but ~/no such does not exist"),
    ],
)
def test_what_must_be_given_is_asked_for(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        load_pairs(replace(config("y"), **settings), "train")  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora are not here")
@pytest.mark.parametrize(
    ("name", "target", "validation", "counts"),
    [("multi30k", "de", "val", (29_000, 1_014)), ("tatoeba-en-fr", "fr", "dev", (161_267, 2_602))],
)
def test_real_corpora(name: str, target: str, validation: str, counts: tuple[int, int]) -> None:
    corpus = config(SHARED / name, target=target)
    assert tuple(len(load_pairs(corpus, split)) for split in ("train", "val")) == counts
    lines = (SHARED / name / f"{validation}.{target}").read_bytes().decode().split("\n")
    assert load_pairs(corpus, "val").targets() == lines[:-1]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora are not here")
def test_halves_of_tatoebas_dev_are_alike_and_share_no_source() -> None:
    tatoeba = config(SHARED / "tatoeba-en-fr", target="fr", shuffle=True)
    chosen, reported = (load_pairs(tatoeba, part).sources() for part in ("dev[:1300]", "dev[1300:]"))
    assert not set(chosen) & set(reported)
    words = [sum(len(source.split()) for source in half) / len(half) for half in (chosen, reported)]
    assert words == pytest.approx([6.1, 6.1], abs=0.05)


def test_first_name_that_is_there_is_taken(tmp_path: Path) -> None:
    for name in ("train", "test", "test_2017"):
        write_parallel(tmp_path, name, [(f"{name} a", f"{name} b")])
    config = DataConfig(path=str(tmp_path), source="en", target="de", test="test_2016|test")
    assert load_pairs(config, config.test).sources() == ["test a"]
    assert load_pairs(config, "test_2017|test").sources() == ["test_2017 a"]
    with pytest.raises(UserError, match="`split` must be a split of .*, but is `test_2019` instead"):
        load_pairs(config, "test_2018|test_2019")


@pytest.mark.parametrize("write", [write_parallel, write_tsv, write_jsonl])
def test_a_range_of_the_pairs_of_a_split(write: Callable[[Path, str], object], tmp_path: Path) -> None:
    write(tmp_path, "train")
    sliced = config(tmp_path, train="train[:2]")
    assert rows(load_pairs(sliced, sliced.train)) == rows(load_pairs(sliced, "train"))[:2] == ROWS[:2]
    assert rows(load_pairs(sliced, "train[:99]")) == ROWS
    write(tmp_path, "val")
    with pytest.raises(UserError, match="`data.train` must be a split"):
        load_pairs(config(tmp_path, train="other[:2]"), "other[:2]")
    assert rows(load_pairs(sliced, "train[1:]")) == ROWS[1:]
    assert rows(load_pairs(sliced, "train[1:2]")) == rows(load_pairs(sliced, "train[1:][:1]")) == ROWS[1:2]
    assert rows(load_pairs(sliced, "train[:2][1:99]")) == ROWS[1:2]
    with pytest.raises(UserError, match=r"split `train\[99:\]` of .* must have at least one pair"):
        load_pairs(sliced, "train[99:]")
    for wrong in ("train[:0]", "train[2:2]", "train[-2:]", "train[2]", "train[:2]|val", "train[:2][2:]", "train[1:][0]"):
        with pytest.raises(UserError, match="a part of a split must be a range of its pairs"):
            load_pairs(config(tmp_path), wrong)


def test_ranges_of_a_sorted_corpus_are_counted_in_an_order_of_chance(tmp_path: Path) -> None:
    german = [f"{number:03} Wort" for number in range(300) for _ in range(1 + number % 3)]  # some have several translations
    corpus = [(f"word {place:03}", text) for place, text in enumerate(german)]
    write_parallel(tmp_path, "train", corpus)
    shuffled = config(tmp_path, shuffle=True)
    first, middle, rest = (load_pairs(shuffled, f"train[{part}]") for part in (":200", "200:400", "400:"))
    assert [len(part) for part in (first, middle, rest)] == [200, 200, 200]
    assert sorted(rows(first) + rows(middle) + rows(rest)) == corpus
    assert rows(first) == sorted(rows(first))  # as they are in the corpus
    for part in (first, middle, rest):
        assert 120 < sum(int(text[:3]) for text in part.targets()) / 200 < 180
    assert len(set(first.targets()) & set(middle.targets())) <= 1  # that at the cut
    assert rows(load_pairs(shuffled, "train[:200][:9]")) == rows(load_pairs(shuffled, "train[:9]"))
    assert load_pairs(shuffled, "train").fingerprint == load_pairs(config(tmp_path), "train").fingerprint
    turned = load_pairs(config(tmp_path, source="de", target="en", shuffle=True), "train[:200]")
    assert rows(turned) == [(german, english) for english, german in rows(first)]  # a model of the other direction sees no more


def test_the_order_of_chance_does_not_depend_on_what_was_read_before(tmp_path: Path) -> None:
    corpus = [(f"line {number}", f"Zeile {number}") for number in range(20)]
    write_parallel(tmp_path / "first", "train", corpus)
    for old, new in (("en", "src"), ("de", "tgt")):  # the same bytes under names that turn the alphabet around
        (tmp_path / "second").mkdir(exist_ok=True)
        (tmp_path / "second" / f"train.{new}").write_bytes((tmp_path / "first" / f"train.{old}").read_bytes())
    by_target = load_pairs(config(tmp_path / "first", shuffle=True), "train[:6]")
    by_source = load_pairs(config(tmp_path / "second", source="src", target="tgt", shuffle=True), "train[:6]")
    assert rows(by_target) != rows(by_source)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("train", "val", False),
        ("train", "train[:10]", True),
        ("train[10:]", "train[:10]", False),
        ("train[10:]", "train[:11]", True),
        ("train[10:]", "other[:11]", False),
    ],
)
def test_ranges_overlap(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected


def test_text_may_lie_deeper(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_tsv(tmp_path / "deep", "train")
    assert rows(load_pairs(config(tmp_path, train="deep/train"), "deep/train")) == ROWS


def test_the_order_of_chance_is_the_same_everywhere(tmp_path: Path) -> None:
    write_parallel(tmp_path, "train", [(f"line {number}", f"source {number}") for number in range(20)])
    part = load_pairs(config(tmp_path, shuffle=True), "train[:4]")
    assert [line.split()[1] for line in part.sources()] == ["5", "6", "7", "13"]
