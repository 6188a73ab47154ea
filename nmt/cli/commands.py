"""What can be asked at the prompt of ``nmt translate`` beside translations: commands, which begin with a colon."""

import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from shutil import get_terminal_size
from time import monotonic
from typing import TYPE_CHECKING

from nmt.cli.compose import describe_search, search_values
from nmt.cli.lines import output
from nmt.errors import UserError
from nmt.inspection.terminal import attention_text, forced_text, gates_text
from nmt.search import Beam, Sampling, SearchStrategy
from nmt.sentences import split_sentences
from nmt.translation import TranslatedHypothesis, Translation, joined
from nmt.translator import Translator

if TYPE_CHECKING:  # translating in itself needs no PyTorch
    from nmt.inspection.result import Inspection


@dataclass
class Conversation:
    """What is in force at the prompt, and what was translated last: the ``sentences`` of a line, by the search ``searched``.

    ``model`` names the translator on saved pages. ``before`` has, of each kind of search, the one that was in force last.
    """

    translator: Translator
    model: str
    search: SearchStrategy
    searched: SearchStrategy | None = None
    sentences: list[str] = field(default_factory=list)
    before: dict[type[SearchStrategy], SearchStrategy] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """What follows it (in brackets if it may be left out), what it does, and how: it gives what there is to say."""

    argument: str
    purpose: str
    run: Callable[[Conversation, str], str]


def translate_line(conversation: Conversation, line: str) -> tuple[Translation, str]:
    """A line's translation, sentence by sentence, and what there is to say of it; nothing of a blank line."""
    sentences, search = split_sentences(line), conversation.search
    start = monotonic()
    translation = joined(line, conversation.translator.translate(sentences, search=search), search.score_of_whole)
    seconds = monotonic() - start
    if not translation.hypotheses:
        return translation, ""
    conversation.sentences, conversation.searched = sentences, search
    if isinstance(search, Sampling):  # the same line again shall draw another translation
        conversation.search = replace(search, seed=search.seed + 1)
    best, *others = translation.hypotheses
    said = [f"  {rank}. {one.text}\n     {_figures(one)}" for rank, one in enumerate(others, start=2)]
    told = [f"{seconds:.2f} s", _figures(best), *([f"{len(sentences)} sentences"] if len(sentences) > 1 else [])]
    return translation, "\n".join(["  " + ", ".join(told), *said])


def run_command(conversation: Conversation, line: str) -> str:
    """Do what a line that begins with a colon asks for; returns what there is to say. Raises ``UserError``.

    The beginning of a name is enough if there is no other that begins so. ``EOFError`` is the wish to leave.
    """
    name, _, argument = line.strip().partition(" ")
    matches = [known for known in COMMANDS if known.startswith(name)]
    if name not in COMMANDS and len(matches) != 1:
        close = get_close_matches(name, COMMANDS, n=1)
        raise UserError(f"there is no command `{name}`; {f'did you mean `{close[0]}`?' if close else '`:help` lists them'}")
    name = name if name in COMMANDS else matches[0]
    command, argument = COMMANDS[name], argument.strip()
    if argument and not command.argument:
        raise UserError(f"`{name}` must stand alone, but is followed by `{argument}`")
    if not argument and command.argument and not command.argument.startswith("["):
        raise UserError(f"`{name}` must be followed by {command.argument}, but stands alone")
    return command.run(conversation, argument)


def _help(conversation: Conversation, _: str) -> str:
    lines = [f"  {f'{name} {command.argument}':<18}{command.purpose}" for name, command in COMMANDS.items()]
    notes = [
        "  Several sentences in a line are translated one by one. Ctrl-C gives up a line",
        "  or its translation. With a space before it, a colon begins no command.",
    ]
    return "\n".join(lines + notes)


def _beam(conversation: Conversation, argument: str) -> str:
    return _change(conversation, Beam, **({"beam_size": _number(":beam", argument)} if argument else {}))


def _nbest(conversation: Conversation, argument: str) -> str:
    return _change(conversation, type(conversation.search), n_best=_number(":nbest", argument))


def _sample(conversation: Conversation, _: str) -> str:
    return _change(conversation, Sampling)


def _attention(conversation: Conversation, _: str) -> str:
    return "\n\n".join(attention_text(one, _width()) for one in _inspections(conversation))


def _gates(conversation: Conversation, _: str) -> str:
    return "\n\n".join(gates_text(one, _width()) for one in _inspections(conversation))


def _score(conversation: Conversation, target: str) -> str:
    found = conversation.translator.score(_only_sentence(conversation), target)
    return f"  log-probability {found.log_prob:.3f}\n{forced_text(found, _width())}"


def _save(conversation: Conversation, path: str) -> str:
    if not path.lower().endswith(".html"):
        raise UserError(f"`:save` must be followed by a name that ends in .html, but is by `{path}` instead")
    _only_sentence(conversation)
    (inspection,) = _inspections(conversation)
    from nmt.inspection.page import inspection_page

    about = [("model", conversation.model), ("search", describe_search(conversation.searched or conversation.search))]
    page = inspection_page(inspection, about).encode()
    try:
        with output(os.path.expanduser(path), ":save") as file:
            file.write(page)
    except OSError as error:
        raise UserError(f"`:save` must write to `{path}`, but cannot: {error.strerror}") from error
    return f"  saved as `{path}`"


def _quit(conversation: Conversation, _: str) -> str:
    raise EOFError


COMMANDS = {
    ":help": Command("", "this list", _help),
    ":beam": Command("[SIZE]", "search with so many hypotheses, or as before `:sample`", _beam),
    ":nbest": Command("NUMBER", "show so many translations of a line", _nbest),
    ":sample": Command("", "draw translations by chance, each time others", _sample),
    ":attention": Command("", "where the model looked as it wrote the last translation", _attention),
    ":gates": Command("", "how far its gates were open", _gates),
    ":score": Command("TARGET", "how likely TARGET is as a translation of the last source", _score),
    ":save": Command("FILE.html", "a page with all of it, as `nmt inspect` makes", _save),
    ":quit": Command("", "leave, as Ctrl-D does", _quit),
}


def _change(conversation: Conversation, kind: type[SearchStrategy], **changes: int) -> str:
    """Search by this kind from now on: as it last did, but for the ``changes`` and for what all kinds have in common."""
    conversation.before[type(conversation.search)] = conversation.search
    common = {one.name: getattr(conversation.search, one.name) for one in fields(SearchStrategy)}
    conversation.search = replace(conversation.before.get(kind, kind()), **{**common, **changes})
    common.pop("n_best")
    told = {name: value for name, value in search_values(conversation.search).items() if name not in common}
    said = ", ".join(f"{name} {value}" for name, value in told.items())
    return textwrap.fill(said, _width(), initial_indent="  ", subsequent_indent="  ")


def _inspections(conversation: Conversation) -> list["Inspection"]:
    """Of each sentence of the last line."""
    if not conversation.sentences:
        raise UserError("a sentence must be translated first, but none was yet")
    inspect = conversation.translator.inspect
    return [inspect(sentence, search=conversation.searched) for sentence in conversation.sentences]


def _only_sentence(conversation: Conversation) -> str:
    if len(conversation.sentences) != 1:
        raise UserError(f"the line translated last must be one sentence for this, but has {len(conversation.sentences)}")
    return conversation.sentences[0]


def _figures(hypothesis: TranslatedHypothesis) -> str:
    looped = ", cut after the first round of a loop"
    cut = looped if hypothesis.repeating else "" if hypothesis.finished else ", cut at the length limit"
    return f"score {hypothesis.score:.3f}, log-probability {hypothesis.log_prob:.3f}{cut}"


def _number(name: str, argument: str) -> int:
    try:
        return int(argument)
    except ValueError:
        raise UserError(f"`{name}` must be followed by a whole number, but is by `{argument}` instead") from None


def _width() -> int:
    return get_terminal_size().columns
