"""Loading gives back what was saved, or a sentence that names the file. Saving is all or nothing."""

import contextlib
import errno
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import nmt.atomic
from nmt.atomic import atomic_directory
from nmt.errors import UserError
from nmt.model_directory import load_model_directory, save_model_directory
from nmt.models.config import ModelConfig, Readout
from nmt.models.seq2seq import Seq2Seq, build
from nmt.search import STRATEGIES, Beam
from nmt.search.base import SearchStrategy
from nmt.tokenizer import TokenizerConfig, TokenizerPair, train_tokenizers

ENGLISH = [
    "the dog sees a red ball",
    "a man and the woman sleep",
    "she has no time",
    "they saw the others leave",
]
FRENCH = [
    "le chien voit un ballon rouge",
    "un homme et la femme dorment",
    "elle n'a pas le temps",
    "les autres sont partis",
]
CONFIG = ModelConfig(embedding_size=8, hidden_size=8, encoder_hidden_size=4, encoder_layers=1, attention_heads=2)


def tokenizers(joint: bool) -> TokenizerPair:
    return train_tokenizers(ENGLISH, FRENCH, TokenizerConfig(vocab_size=285, joint=joint))


JOINT = tokenizers(joint=True)


def network(config: ModelConfig = CONFIG, pair: TokenizerPair = JOINT, seed: int = 1) -> Seq2Seq:
    torch.manual_seed(seed)
    return build(config, len(pair.source), len(pair.target), pair.joint).eval()


def save(
    path: Path,
    model: Seq2Seq | None = None,
    config: ModelConfig = CONFIG,
    pair: TokenizerPair = JOINT,
    search: SearchStrategy | None = None,
    evaluation: dict[str, object] | None = None,
) -> None:
    save_model_directory(
        path,
        config,
        model or network(config, pair),
        pair,
        search or Beam(),
        languages=("en", "fr"),
        evaluation=evaluation,
        card="# A model\n",
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "model"
    save(path, evaluation={"bleu": {"score": 12.5}})
    return path


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("tie_embeddings", [True, False])
@pytest.mark.parametrize("attention", ["none", "additive"])
def test_what_is_loaded_is_what_was_saved(tmp_path: Path, joint: bool, tie_embeddings: bool, attention: str) -> None:
    kind = next(member for member in type(CONFIG.attention) if member.value == attention)
    config = ModelConfig(attention=kind, embedding_size=8, hidden_size=8, encoder_hidden_size=4, tie_embeddings=tie_embeddings)
    pair = tokenizers(joint)
    model = network(config, pair)
    save(tmp_path / "model", model, config, pair)
    loaded = load_model_directory(tmp_path / "model")

    assert loaded.config == config
    assert loaded.languages == ("en", "fr")
    assert loaded.tokenizers.fingerprints == pair.fingerprints
    assert (loaded.tokenizers.source is loaded.tokenizers.target) == joint
    assert not loaded.model.training
    state, expected = loaded.model.state_dict(), model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert len({t.data_ptr() for t in state.values()}) == len({t.data_ptr() for t in expected.values()})


def test_every_search_strategy_comes_back_with_its_settings(tmp_path: Path) -> None:
    for name, kind in STRATEGIES.items():
        search = kind(max_length_ratio=1.25, max_length_offset=3, forbidden_pieces=["▁chien", ","])
        save(tmp_path / name, search=search)
        assert load_model_directory(tmp_path / name).search == search


def test_the_files_are_those_that_the_design_promises(saved: Path) -> None:
    files = contents(saved)
    assert files.keys() == {
        "config.json",
        "model.safetensors",
        "tokenizer.model",
        "search.json",
        "evaluation.json",
        "README.md",
    }
    assert files["README.md"] == b"# A model\n"
    assert json.loads(files["evaluation.json"]) == {"bleu": {"score": 12.5}}
    facts = json.loads(files["config.json"])
    assert facts["format"] == 1
    assert facts["architecture"]["cell"] == "gru"
    side = {"file": "tokenizer.model", "fingerprint": JOINT.source.fingerprint, "vocab_size": 285}
    assert facts["tokenizer"] == {"joint": True, "source": side, "target": side}
    assert (facts["source_language"], facts["target_language"]) == ("en", "fr")


def test_separate_tokenizers_have_a_file_each(tmp_path: Path) -> None:
    pair = tokenizers(joint=False)
    save(tmp_path, pair=pair)
    facts = json.loads(contents(tmp_path)["config.json"])["tokenizer"]
    assert not facts["joint"]
    for side, tokenizer in (("source", pair.source), ("target", pair.target)):
        assert facts[side]["file"] == f"{side}.tokenizer.model"
        assert facts[side]["fingerprint"] == tokenizer.fingerprint
        assert contents(tmp_path)[facts[side]["file"]] == tokenizer.serialized


def test_there_is_no_evaluation_file_without_an_evaluation(tmp_path: Path) -> None:
    save(tmp_path / "model")
    assert not (tmp_path / "model" / "evaluation.json").exists()


def test_weights_are_fp32_and_tied_ones_are_stored_once(tmp_path: Path) -> None:
    save(tmp_path / "model", network().bfloat16())
    stored = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
    assert sum(tensor.numel() for tensor in stored.values()) == sum(p.numel() for p in network().parameters())


def test_the_model_card_and_the_evaluation_are_not_needed_to_load(saved: Path) -> None:
    (saved / "README.md").unlink()
    (saved / "evaluation.json").unlink()
    load_model_directory(saved)


def test_a_setting_that_is_absent_takes_its_default(saved: Path) -> None:
    change_json(saved / "config.json", lambda facts: facts["architecture"].pop("word_dropout"))
    assert load_model_directory(saved).config == CONFIG


def test_models_older_than_a_setting_stay_as_they_were(saved: Path) -> None:
    newer = ("embedding_scale", "lexical_values", "readout_size", "readout", "context_gate")
    change_json(saved / "config.json", lambda facts: [facts["architecture"].pop(name) for name in newer])
    config = load_model_directory(saved).config
    assert [getattr(config, name) for name in newer] == [1.0, False, None, Readout.tanh, False]


def test_a_setting_of_training_that_was_taken_away_is_passed_over(saved: Path) -> None:
    change_json(saved / "config.json", lambda facts: facts["architecture"].update(variational_dropout=True))
    assert load_model_directory(saved).config == CONFIG


def test_a_whole_number_will_do_for_a_fraction(saved: Path) -> None:
    change_json(saved / "search.json", lambda settings: settings.update(length_penalty=2))
    change_json(saved / "config.json", lambda facts: facts["architecture"].update(dropout=0))
    loaded = load_model_directory(saved)
    assert loaded.search == Beam(length_penalty=2.0)
    assert type(loaded.config.dropout) is float


# What can be wrong with a directory


def error(path: Path) -> str:
    with pytest.raises(UserError) as raised:
        load_model_directory(path).model  # noqa: B018
    message = str(raised.value)
    assert "\n" not in message
    return message


def change_json(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(file.read_text(encoding="utf-8"))
    change(values)
    file.write_text(json.dumps(values), encoding="utf-8")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert error(tmp_path / "gone") == f"there is no model directory `{tmp_path / 'gone'}`"


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    assert error(tmp_path / "model") == f"`{tmp_path / 'model'}` must be a model directory, but is a file instead"


def test_a_run_directory_gets_a_hint(saved: Path) -> None:
    run = saved.parent
    assert error(run) == f"`{run}` is no model directory: it has no config.json; did you mean `{saved}`?"


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert error(tmp_path) == f"`{tmp_path}` is no model directory: it has no config.json"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model", "search.json"])
def test_a_missing_file(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert error(saved) == f"`{saved / name}` is missing"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.model", "search.json"])
def test_a_file_cut_anywhere(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes().rstrip()
    for kept in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
        (saved / name).write_bytes(whole[:kept])
        assert f"`{saved / name}`" in error(saved)


@pytest.mark.parametrize("name", ["config.json", "search.json"])
@pytest.mark.parametrize("content", [b"[1]", b"null", b"{]", b'{"a": "\xff"}', b"[" * 100_000])
def test_a_file_that_is_no_json_object(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    assert error(saved).startswith(f"`{saved / name}` ")


def test_a_file_that_cannot_be_read(saved: Path) -> None:
    (saved / "search.json").unlink()
    (saved / "search.json").mkdir()
    assert error(saved) == f"`{saved / 'search.json'}` can't be read: Is a directory"


def change(*keys: str, to: object) -> Callable[[dict[str, Any]], object]:
    def apply(values: dict[str, Any]) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("architecture", "cell", to="os.system"), "`cell` must be one of gru, "),
        (
            change("architecture", "attention", to=["dot"]),
            '`attention` must be one of none, dot, .*, but is \\["dot"\\] i',
        ),
        (
            change("architecture", "hidden_size", to="8"),
            '`hidden_size` must be of type int, but is "8" instead',
        ),
        (
            change("architecture", "tie_embeddings", to=1),
            "`tie_embeddings` must be of type bool, but is 1 instead",
        ),
        (
            change("architecture", "dropout", to=1.5),
            "dropout` must be at least 0 and below 1, but is 1.5 instead",
        ),
        (
            change("architecture", "attention_heads", to=3),
            "attention_heads` must divide .*, but is 3 instead",
        ),
        *(
            (change("architecture", "embedding_size", to=size), "describes a model that can't be built")
            for size in (10**12, 10**20)
        ),
        (change("architecture", "dropout", to=10**400), r"`dropout` must be a number below 10\^308, but has 401 digits"),
        (
            change("architecture", "_target_", to="os.system"),
            "the key `_target_` is unknown, and must be one of architecture, attention, ",
        ),
        (change("architecture", to=[]), "`architecture` must be of type object, but is \\[\\] instead"),
        (change("extra", to=1), "the key `extra` is unknown"),
        (lambda facts: facts.pop("source_language"), "the key `source_language` is missing"),
        (lambda facts: facts.pop("format"), "is no model's: `format` must be a number, but is null"),
        (change("format", to=True), "`format` must be a number, but is true"),
        (change("tokenizer", to={"joint": True}), "the key `source` is missing"),
        (change("tokenizer", "source", to="x"), '`source` must be of type object, but is "x" instead'),
        (
            change("tokenizer", "target", "fingerprint", to=1),
            "`fingerprint` must be of type str, but is 1 instead",
        ),
    ],
)
def test_a_configuration_that_is_not_ours(saved: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    change_json(saved / "config.json", edit)
    with pytest.raises(UserError, match=message) as raised:
        load_model_directory(saved).model  # noqa: B018
    assert f"`{saved / 'config.json'}`" in str(raised.value)


def test_a_newer_format_is_named_whatever_else_it_holds(saved: Path) -> None:
    (saved / "config.json").write_text('{"format": 2, "nmt_version": "9.1", "new": []}')
    assert error(saved) == (
        f"`{saved / 'config.json'}` has format 2, written by nmt 9.1:"
        f" this is nmt {nmt.__version__}, which reads up to format 1; upgrade it"
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            change("strategy", to="subprocess.run"),
            '`strategy` must be one of .*beam.*, but is "subprocess.run"',
        ),
        (change("strategy", to=["beam"]), 'but is \\["beam"\\] instead'),
        (lambda settings: settings.pop("strategy"), "but is null instead"),
        (change("beam_width", to=5), "the key `beam_width` is unknown, and must be one of beam_size, "),
        (change("beam_size", to=0), "beam_size` must be at least 1, but is 0 instead"),
        (change("beam_size", to=2.5), "`beam_size` must be of type int, but is 2.5 instead"),
        (change("length_penalty_form", to="wu"), '`length_penalty_form` must be one of gnmt, plain, but is "wu" instead'),
        (change("forbidden_pieces", to="a"), '`forbidden_pieces` must be of type list, but is "a" instead'),
        (change("forbidden_pieces", to=[1]), "`forbidden_pieces` must be of type str, but is 1 instead"),
        (change("length_penalty", to=10**400), r"`length_penalty` must be a number below 10\^308, but has 401 digits"),
        (
            change("length_penalty", to=float("nan")),
            "length_penalty` must be a finite number, but is nan instead",
        ),
    ],
)
def test_search_settings_that_are_not_ours(saved: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    change_json(saved / "search.json", edit)
    with pytest.raises(UserError, match=message) as raised:
        load_model_directory(saved)
    assert f"`{saved / 'search.json'}`" in str(raised.value)


def test_a_tokenizer_with_another_hash(saved: Path) -> None:
    other = train_tokenizers(FRENCH, FRENCH, TokenizerConfig(vocab_size=282)).source
    (saved / "tokenizer.model").write_bytes(other.serialized)
    assert error(saved) == (
        f"`{saved / 'tokenizer.model'}` is not this model's:"
        f" config.json says {JOINT.source.fingerprint}, but it is {other.fingerprint} instead"
    )


def test_the_hash_of_each_of_two_tokenizers_is_checked(tmp_path: Path) -> None:
    save(tmp_path, pair=tokenizers(joint=False))
    source, target = tmp_path / "source.tokenizer.model", tmp_path / "target.tokenizer.model"
    for right, wrong in ((source, target), (target, source)):
        before = right.read_bytes()
        right.write_bytes(wrong.read_bytes())
        assert error(tmp_path).startswith(f"`{right}` is not this model's")
        right.write_bytes(before)


def test_a_foreign_tokenizer_file_with_a_matching_hash(saved: Path) -> None:
    change_json(saved / "config.json", change("tokenizer", "source", "fingerprint", to=SHA_OF_NOTHING))
    change_json(saved / "config.json", change("tokenizer", "target", "fingerprint", to=SHA_OF_NOTHING))
    (saved / "tokenizer.model").write_bytes(b"")
    assert f"`{saved / 'tokenizer.model'}`" in error(saved)


SHA_OF_NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda weights: weights.pop("output.bias"),
            "`output.bias` must be float32 \\[285\\], but is absent instead",
        ),
        (
            lambda weights: weights.update(zzz=torch.ones(1)),
            "`zzz` must be absent, but is float32 \\[1\\] instead",
        ),
        (
            lambda weights: weights.update({"output.bias": torch.zeros(3)}),
            "`output.bias` must be float32 \\[285\\], but is float32 \\[3\\] instead",
        ),
        (
            lambda weights: weights.update({"output.bias": torch.zeros(285, dtype=torch.float16)}),
            "`output.bias` must be float32 \\[285\\], but is float16 \\[285\\] instead",
        ),
    ],
)
def test_weights_of_another_model(saved: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    weights = safetensors.torch.load_file(saved / "model.safetensors")
    edit(weights)
    safetensors.torch.save_file(weights, saved / "model.safetensors")
    with pytest.raises(UserError, match=message) as raised:
        load_model_directory(saved).model  # noqa: B018
    assert str(raised.value).startswith(f"`{saved / 'model.safetensors'}` is of another model: ")


def test_a_pickle_is_never_opened(saved: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(saved / "trapped"),)

    trap = pickle.dumps(Trap())
    for name in ("model.safetensors", "config.json", "tokenizer.model", "search.json"):
        before = (saved / name).read_bytes()
        (saved / name).write_bytes(trap)
        error(saved)
        (saved / name).write_bytes(before)
    torch.save(Trap(), saved / "model.safetensors")
    error(saved)
    assert not (saved / "trapped").exists()


# Writing


def test_saving_again_replaces_the_whole_directory_and_leaves_nothing_beside_it(saved: Path) -> None:
    (saved / "stale").write_text("of the old one")
    other = network(seed=2)
    save(saved, other)
    assert "stale" not in contents(saved) and "evaluation.json" not in contents(saved)
    assert torch.equal(load_model_directory(saved).model.output.bias, other.output.bias)
    assert os.listdir(saved.parent) == ["model"]


def test_parents_are_made(tmp_path: Path) -> None:
    save(tmp_path / "a" / "b" / "model")
    load_model_directory(tmp_path / "a" / "b" / "model")


def test_saving_never_replaces_a_directory_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something else than a model"):
        save(tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def no_space(*arguments: object, **settings: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("attribute", ["pathlib.Path.write_bytes", "pathlib.Path.write_text", "os.fsync", "pathlib.Path.mkdir"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_old_directory_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, existing: bool
) -> None:
    target = tmp_path / "model"
    if existing:
        save(target)
    before = contents(target) if existing else {}
    with monkeypatch.context() as broken:
        broken.setattr(attribute, no_space)
        with pytest.raises(UserError) as raised:
            save(target, network(seed=2))
    assert str(raised.value) == f"`{target}` could not be written and is as it was before: [Errno 28] No space left on device"
    assert os.listdir(tmp_path) == (["model"] if existing else [])
    assert not existing or contents(target) == before


def test_an_interruption_leaves_the_old_directory_and_no_litter(saved: Path) -> None:
    before = contents(saved)
    with pytest.raises(KeyboardInterrupt), atomic_directory(saved) as new:
        (new / "half").write_text("written")
        raise KeyboardInterrupt
    assert contents(saved) == before
    assert os.listdir(saved.parent) == ["model"]


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(saved: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getpid(), os.getppid()):
        leftover = saved.parent / f".model.saving.{process}"
        leftover.mkdir()
        (leftover / "half").write_text("written")
    save(saved)
    assert "half" not in contents(saved)
    assert set(os.listdir(saved.parent)) == {"model", f".model.saving.{os.getppid()}"}


@pytest.mark.parametrize("can_exchange", [True, False])
def test_of_the_new_directory_and_the_one_before_one_is_whole_at_every_instant(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(nmt.atomic, "_exchange", lambda one, other: False)
    last, previous, seen = tmp_path / "last", tmp_path / "previous", []

    def write(number: int) -> None:
        with atomic_directory(last, previous) as new:
            (new / "number").write_text(str(number))

    def look() -> None:
        seen.append([int((path / "number").read_text()) if path.is_dir() else None for path in (last, previous)])

    rename, exchange = Path.rename, nmt.atomic._exchange

    def renamed(self: Path, target: Path) -> Path:
        moved = rename(self, target)
        look()
        return moved

    def exchanged(one: Path, other: Path) -> bool:
        done = exchange(one, other)
        look()
        return done

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(nmt.atomic, "_exchange", exchanged)
    for number in range(1, 5):
        write(number)
        assert seen[-1] == [number, number - 1 or None]
        assert all(max(filter(None, pair)) >= number - 1 for pair in seen if number > 1)
        seen.clear()
    assert set(os.listdir(tmp_path)) == {"last", "previous"}


def test_everything_is_synchronised_before_it_takes_its_name(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    synchronise, put_in_place = nmt.atomic.synchronise, nmt.atomic._put_in_place

    def noted(file: Path) -> None:
        done.append(file.name)
        synchronise(file)

    def renamed(new: Path, target: Path, previous: Path | None) -> None:
        done.append("RENAME")
        put_in_place(new, target, previous)

    monkeypatch.setattr(nmt.atomic, "synchronise", noted)
    monkeypatch.setattr(nmt.atomic, "_put_in_place", renamed)
    save(saved)
    at = done.index("RENAME")
    assert set(done[:at]) == {*contents(saved), f".model.saving.{os.getpid()}"}
    assert done[at + 1 :] == [saved.parent.name]


@pytest.mark.parametrize(("number", "saves"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_directories_are_synchronised_where_that_can_be_done(
    number: int, saves: bool, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def of_files_alone(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_alone)
    before = contents(saved)
    with contextlib.nullcontext() if saves else pytest.raises(UserError, match="could not be written"):
        save(saved, network(seed=2))
    assert (contents(saved) != before) is saves


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can exchange two directories")
def test_at_every_instant_the_name_is_a_whole_directory(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Path, target: Path) -> Path:
        raise AssertionError("a rename would leave a moment without a model directory")

    monkeypatch.setattr(Path, "rename", never)
    save(saved, network(seed=2))
    load_model_directory(saved)


def test_file_systems_that_cannot_exchange(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmt.atomic, "_exchange", lambda one, other: False)
    other = network(seed=2)
    save(saved, other)
    assert torch.equal(load_model_directory(saved).model.output.bias, other.output.bias)
    assert os.listdir(saved.parent) == ["model"]

    before, rename = contents(saved), Path.rename

    def refuse(self: Path, target: Path) -> Path:
        return no_space() if self.name.startswith(".model.saving") else rename(self, target)  # type: ignore[return-value]

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match="could not be written"):
        save(saved, network(seed=3))
    assert contents(saved) == before
    assert os.listdir(saved.parent) == ["model"]


def test_a_link_to_a_model_directory_stays_a_link(saved: Path) -> None:
    link = saved.parent / "link"
    link.symlink_to(saved.name)
    other = network(seed=2)
    save(link, other)
    assert link.is_symlink()
    assert torch.equal(load_model_directory(saved).model.output.bias, other.output.bias)


def test_a_copy_elsewhere_works(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "elsewhere, été=1")
    load_model_directory(tmp_path / "elsewhere, été=1")
