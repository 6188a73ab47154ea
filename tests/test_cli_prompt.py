"""The prompt of `nmt translate`: translations on stdout, all else on stderr, and a sentence for each mistake."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmt.cli.commands import COMMANDS, Conversation, run_command
from nmt.cli.prompt import converse
from nmt.errors import UserError
from nmt.search import Beam, Greedy, Sampling, SearchStrategy
from nmt.translator import Translator

readline = pytest.importorskip("readline")
SHORT = {"max_length_offset": 5}
SENTENCES = ["The dog sleeps.", "Where is the old cat?"]
Talk = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the history is kept, instead of the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    readline.clear_history()
    return tmp_path / "state" / "nmt" / "history"


@pytest.fixture
def translator(tiny_model: Path) -> Translator:
    found = Translator.from_pretrained(tiny_model, "cpu")
    found.search = Beam(beam_size=3, **SHORT)  # type: ignore[arg-type]
    return found


@pytest.fixture
def conversation(translator: Translator) -> Conversation:
    return Conversation(translator, "the <model>", translator.search)


@pytest.fixture
def talk(conversation: Conversation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Talk:
    """Types lines at the prompt, and then Ctrl-D; gives what was on stdout and stderr, without the greeting."""

    def type_in(*lines: str | BaseException) -> tuple[str, str]:
        typed = iter(lines)

        def ask(prompt: str) -> str:
            assert prompt == "> "
            line = next(typed, EOFError())
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", ask)
        converse(conversation, str, None)
        assert list(typed) == []
        out, err = capfd.readouterr()
        greeting, err = err.split("\n", 1)
        assert ":help" in greeting and "Ctrl-D" in greeting
        return out, err

    return type_in


def test_translations_on_stdout_time_and_score_on_stderr(talk: Talk, translator: Translator) -> None:
    out, err = talk(SENTENCES[0], SENTENCES[1])
    expected = translator.translate(SENTENCES)
    assert out == "".join(f"{one.text}\n" for one in expected)
    for line, translation in zip(err.split("\n"), expected, strict=False):
        best = translation.hypotheses[0]
        told = f" s, score {best.score:.3f}, log-probability {best.log_prob:.3f}"
        assert re.fullmatch(r"  \d+\.\d\d", line.partition(" s,")[0]) and told in line
        assert ("cut at the length limit" in line) == (not best.finished and not best.repeating)
        assert ("cut after the first round of a loop" in line) == best.repeating


def test_sentences_of_a_line_are_translated_one_by_one(talk: Talk, translator: Translator) -> None:
    out, err = talk(" ".join(SENTENCES), "猫です。犬です。")
    parts = translator.translate([*SENTENCES, "猫です。", "犬です。"])
    assert out == f"{parts[0]} {parts[1]}\n{parts[2]} {parts[3]}\n"
    score = sum(part.hypotheses[0].score for part in parts[:2])
    assert f"score {score:.3f}" in err.split("\n")[0]
    assert err.count("2 sentences") == 2


def test_a_blank_line_gives_a_blank_line_and_is_nothing_to_ask_about(talk: Talk) -> None:
    out, err = talk("", "  ", ":attention")
    assert out == "\n\n"
    assert err == "nmt: a sentence must be translated first, but none was yet\n\n"


def test_a_paste_of_several_lines_is_answered_line_by_line(talk: Talk, translator: Translator) -> None:
    out, err = talk(f"{SENTENCES[0]}\n:hlep\n\n{SENTENCES[1]}")
    first, second = translator.translate(SENTENCES)
    assert out == f"{first}\n\n{second}\n"
    assert "did you mean `:help`?" in err


def test_a_space_before_a_colon_makes_it_text(talk: Talk, translator: Translator) -> None:
    out, _ = talk(" :help me", "no :help")
    assert out == "".join(f"{one}\n" for one in translator.translate([" :help me", "no :help"]))


def test_ctrl_c_gives_up_a_line_or_its_translation(
    talk: Talk, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    translate = Translator.translate

    def interrupted(self: Translator, texts: list[str], **settings: object) -> object:
        if texts == ["give up"]:
            raise KeyboardInterrupt
        return translate(self, texts, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Translator, "translate", interrupted)
    out, err = talk(SENTENCES[0], KeyboardInterrupt(), "give up", SENTENCES[0])
    first, again, _ = out.split("\n")
    assert first == again
    assert conversation.sentences == [SENTENCES[0]]
    assert "Traceback" not in err


def test_what_is_no_utf8_is_told(talk: Talk) -> None:
    out, err = talk(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), SENTENCES[0])
    assert err.startswith("nmt: the line must be UTF-8, but is not\n")
    assert out.count("\n") == 1
    out, err = talk("caf\udce9")  # as Python reads it where it lets such bytes through: with LANG=C.UTF-8
    assert (out, err.splitlines()[0]) == ("", "nmt: the line must be UTF-8, but is not")


def test_help_lists_all_commands_within_80_columns(talk: Talk) -> None:
    out, err = talk(":help")
    assert out == ""
    assert all(f"\n  {name} " in f"\n{err}" for name in COMMANDS)
    assert max(map(len, err.split("\n"))) < 80


def test_quit_leaves_at_once(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: ":quit")
    converse(conversation, str, None)
    assert capfd.readouterr().out == ""


def test_the_search_changes_and_comes_back(conversation: Conversation) -> None:
    conversation.search = Beam(beam_size=3, length_penalty=0.3, **SHORT)  # type: ignore[arg-type]
    expected: list[tuple[str, SearchStrategy]] = [
        (":beam 8", Beam(beam_size=8, length_penalty=0.3, **SHORT)),  # type: ignore[arg-type]
        (":nbest 3", Beam(beam_size=8, length_penalty=0.3, n_best=3, **SHORT)),  # type: ignore[arg-type]
        (":sample", Sampling(n_best=3, **SHORT)),  # type: ignore[arg-type]
        (":nbest 2", Sampling(n_best=2, **SHORT)),  # type: ignore[arg-type]
        (":beam", Beam(beam_size=8, length_penalty=0.3, n_best=2, **SHORT)),  # type: ignore[arg-type]
        (":beam 2", Beam(beam_size=2, length_penalty=0.3, n_best=2, **SHORT)),  # type: ignore[arg-type]
    ]
    for command, search in expected:
        said = run_command(conversation, command)
        assert conversation.search == search
        assert f"n_best {search.n_best}" in said
    conversation.search = Greedy()
    run_command(conversation, ":sample")
    assert conversation.search == Sampling()


def test_all_translations_are_shown(talk: Talk, translator: Translator) -> None:
    out, err = talk(":nbest 3", SENTENCES[0])
    (expected,) = translator.translate(SENTENCES[:1], search=Beam(beam_size=3, n_best=3, **SHORT))  # type: ignore[arg-type]
    best, *others = expected.hypotheses
    assert out == f"{best.text}\n"
    for rank, other in enumerate(others, start=2):
        assert f"\n  {rank}. {other.text}\n     score {other.score:.3f}" in err


def test_samples_are_others_each_time_and_what_is_asked_is_of_the_last(talk: Talk, conversation: Conversation) -> None:
    out, _ = talk(":sample", *[SENTENCES[0]] * 4, f":score {SENTENCES[1]}")
    assert len(set(out.split("\n"))) == 5  # and nothing behind the last line feed
    assert conversation.searched == Sampling(seed=3, **SHORT)  # type: ignore[arg-type]
    inspection = conversation.translator.inspect(SENTENCES[0], search=conversation.searched)
    assert inspection.hypotheses[0].text == out.split("\n")[-2]


def test_attention_gates_and_score_are_of_the_last_line(talk: Talk, conversation: Conversation) -> None:
    target = "Le chien dort."
    out, err = talk(SENTENCES[0], ":attention", ":gates", f":score {target}", ":help")
    assert out.count("\n") == 1
    assert "the fullest █ is" in err and "update z" in err and "Decoder:" in err
    found = conversation.translator.score(SENTENCES[0], target)
    assert f"  log-probability {found.log_prob:.3f}\n" in err
    assert f"</s> {found.log_probs[-1]:.2f}\n" in err


def test_several_sentences_have_an_attention_each_but_no_page(talk: Talk, tmp_path: Path) -> None:
    _, err = talk(" ".join(SENTENCES), ":attention", f":save {tmp_path / 'page.html'}", ":score x")
    assert err.count("the fullest █ is") == 2
    assert err.count("nmt: the line translated last must be one sentence for this, but has 2\n") == 2
    assert not (tmp_path / "page.html").exists()


def test_a_page_is_saved(talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _, err = talk(SENTENCES[0], ":save ~/a page.html", f":save {tmp_path}/no/folder.html", ":save picture.jpg")
    page = (tmp_path / "a page.html").read_text(encoding="utf-8")
    assert SENTENCES[0] in page and "the &lt;model&gt;" in page and "strategy beam" in page
    assert "  saved as `~/a page.html`\n" in err
    assert "nmt: `:save` must be a file that can be written, but `" in err
    assert "nmt: `:save` must be followed by a name that ends in .html, but is by `picture.jpg` instead\n" in err
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (":hlep", "there is no command `:hlep`; did you mean `:help`?"),
        (":Beam 3", "there is no command `:Beam`; did you mean `:beam`?"),
        (":xyz", "there is no command `:xyz`; `:help` lists them"),
        (":s", "there is no command `:s`; `:help` lists them"),
        (":", "there is no command `:`; `:help` lists them"),
        (":)", "there is no command `:)`; `:help` lists them"),
        (":beam x", "`:beam` must be followed by a whole number, but is by `x` instead"),
        (":beam 0", "`beam_size` must be at least 1, but is 0 instead"),
        (":nbest", "`:nbest` must be followed by NUMBER, but stands alone"),
        (":nbest 1.5", "`:nbest` must be followed by a whole number, but is by `1.5` instead"),
        (":nbest 4", "`n_best` must be at most `beam_size` (3), as a beam finds no more translations than it has slots,"),
        (":score", "`:score` must be followed by TARGET, but stands alone"),
        (":score x", "the line translated last must be one sentence for this, but has 0"),
        (":save page.html", "the line translated last must be one sentence for this, but has 0"),
        (":gates", "a sentence must be translated first, but none was yet"),
        (":quit now", "`:quit` must stand alone, but is followed by `now`"),
    ],
)
def test_mistakes_are_told_in_a_sentence_and_change_nothing(line: str, message: str, conversation: Conversation) -> None:
    before = conversation.search
    with pytest.raises(UserError) as caught:
        run_command(conversation, line)
    assert str(caught.value).startswith(message)
    assert conversation.search == before


def test_the_beginning_of_a_name_is_enough(conversation: Conversation) -> None:
    assert run_command(conversation, ":h") == run_command(conversation, ":help")
    run_command(conversation, ":sam")
    assert conversation.search == Sampling(**SHORT)  # type: ignore[arg-type]
    with pytest.raises(EOFError):
        run_command(conversation, ":q")


def test_a_model_error_is_told_and_the_conversation_goes_on(talk: Talk, conversation: Conversation) -> None:
    conversation.search = Beam(coverage_penalty=1.0, **SHORT)  # type: ignore[arg-type]
    conversation.translator.max_source_length = 8
    out, err = talk(" ".join(["word"] * 30), ":attention", SENTENCES[0])
    assert out.count("\n") == 2
    assert "nmt: the text to inspect must have at most 8 pieces, but has" in err


def test_too_little_memory_ends_no_conversation(talk: Talk, translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    translate, fails = translator.translate, iter([True, False])

    def without_memory(*arguments: Any, **settings: Any) -> Any:
        if next(fails):
            raise MemoryError("Unable to allocate 11.6 TiB")
        return translate(*arguments, **settings)

    monkeypatch.setattr(translator, "translate", without_memory)
    out, err = talk(SENTENCES[0], SENTENCES[1])
    assert out.count("\n") == 1
    assert "nmt: a batch must fit into memory, but does not" in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_page_that_cannot_be_written_ends_nothing(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "full.html").symlink_to("/dev/full")
    out, err = talk(SENTENCES[0], f":save {tmp_path / 'full.html'}", SENTENCES[1])
    assert out.count("\n") == 2
    assert f"nmt: `:save` must write to `{tmp_path / 'full.html'}`, but cannot: No space left on device\n" in err


def test_the_history_outlives_the_prompt(talk: Talk, history: Path) -> None:
    history.parent.mkdir(parents=True)
    history.write_text("猫です。\nold\n", encoding="utf-8")
    readline.clear_history()
    readline.write_history_file(str(history.parent / "empty"))  # whether this library has a format of its own
    if (history.parent / "empty").read_bytes():
        history.write_bytes((history.parent / "empty").read_bytes() + history.read_bytes())
    talk(":help")
    assert [readline.get_history_item(number) for number in (1, 2)] == ["猫です。", "old"]
    assert history.read_text(encoding="utf-8").endswith("猫です。\nold\n")
    assert stat.S_IMODE(history.stat().st_mode) & 0o077 == 0  # what people translate is their own business


def test_prompts_share_their_history_line_by_line(
    conversation: Conversation, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(prompt: str) -> str:
        line = next(typed)
        if line == "closed":
            raise SystemExit
        if line == "meanwhile":  # in another prompt
            with history.open("a", encoding="utf-8") as file:
                file.write("theirs\n")
            line = next(typed)
        readline.add_history(line)
        return line

    typed = iter([":help", "meanwhile", ":nbest 2", "closed"])
    monkeypatch.setattr("builtins.input", ask)
    with pytest.raises(SystemExit):
        converse(conversation, str, None)
    assert history.read_text(encoding="utf-8").splitlines()[-3:] == [":help", "theirs", ":nbest 2"]


@pytest.mark.parametrize("place", ["file", "relative", "homeless"])
def test_a_history_that_cannot_be_kept_is_no_error(
    place: str, talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_STATE_HOME", {"file": str(tmp_path / "file"), "relative": "state"}.get(place, ""))
    if place == "homeless":

        def nowhere(path: str) -> str:
            return path

        monkeypatch.setattr(os.path, "expanduser", nowhere)
    out, err = talk(SENTENCES[0])
    assert out.count("\n") == 1 and "Error" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
