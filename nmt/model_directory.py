"""Save and load the self-contained model directory; knows nothing of training.

    config.json            architecture, tokenizer facts, languages
    model.safetensors      weights in fp32, tied ones once
    tokenizer.model        SentencePiece (or source.tokenizer.model and target.tokenizer.model)
    search.json            default search settings
    evaluation.json        scores, when there are any
    shortlist.safetensors  which target pieces go with which source pieces, when that is known
    onnx/                  the functions of the network for ONNX Runtime, after `nmt export`
    README.md              model card

Everything in it is plain data: loading never unpickles and never imports a name that it found in a file.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.atomic import atomic_directory
from nmt.errors import UserError
from nmt.models.config import ModelConfig
from nmt.plain_data import name_of, read_bytes, read_json, read_settings, write_json
from nmt.search import STRATEGIES
from nmt.search.base import SearchStrategy
from nmt.tokenizer import JOINT_FILE, SOURCE_FILE, TARGET_FILE, Tokenizer, TokenizerPair
from nmt.version import __version__

if TYPE_CHECKING:
    from nmt.models.seq2seq import Seq2Seq
    from nmt.shortlist import Shortlist

FORMAT = 1
SHORTEST_LIMIT = 8  # pieces of a source: the second half of fewer might hold no end of a character, which has up to 4 bytes
ONNX, SHORTLIST = "onnx", "shortlist.safetensors"
CONFIG, WEIGHTS, SEARCH, EVALUATION, CARD = (
    "config.json",
    "model.safetensors",
    "search.json",
    "evaluation.json",
    "README.md",
)


@dataclass
class LoadedModel:
    """What a model directory holds; ``languages`` is (source, target), and ``max_source_length`` the most pieces that it was
    trained on.
    """

    directory: Path
    config: ModelConfig
    tokenizers: TokenizerPair
    search: SearchStrategy
    languages: tuple[str, str]
    max_source_length: int

    @cached_property
    def shortlist(self) -> "Shortlist":
        """Of the target pieces that a source can ask for. Raises ``UserError`` if there is none, or another model's."""
        from nmt.shortlist import Shortlist

        file = self.directory / SHORTLIST
        if not file.exists():
            raise UserError(f"`shortlist=true` needs `{file}`, which training leaves there, but it is missing")
        return Shortlist.load(file, len(self.tokenizers.source), len(self.tokenizers.target))

    @cached_property
    def model(self) -> "Seq2Seq":
        """The network, in evaluation mode on the CPU. Read when it is asked for: not all who translate need PyTorch.

        Raises ``UserError`` if it can't be built, or if its weights are damaged or another's.
        """
        from nmt.models.seq2seq import build
        from nmt.models.weights import load_weights

        source, target = len(self.tokenizers.source), len(self.tokenizers.target)
        try:
            model = build(self.config, source, target, self.tokenizers.joint)
        except (UserError, RuntimeError, TypeError) as error:  # not that much memory, or a size that is no 64-bit number
            raise UserError(f"`{self.directory / CONFIG}` describes a model that can't be built: {error}") from error
        load_weights(self.directory / WEIGHTS, model)
        return model.eval()


@dataclass
class _Side:
    file: str
    fingerprint: str
    vocab_size: int


@dataclass
class _TokenizerFacts:
    joint: bool
    source: _Side
    target: _Side


@dataclass
class _Facts:
    """config.json."""

    format: int
    nmt_version: str
    source_language: str
    target_language: str
    tokenizer: _TokenizerFacts
    architecture: ModelConfig
    max_source_length: int = 256

    def __post_init__(self) -> None:
        if self.max_source_length < SHORTEST_LIMIT:
            raise UserError(f"`max_source_length` must be at least {SHORTEST_LIMIT}, but is {self.max_source_length} instead")


def save_model_directory(
    path: str | os.PathLike[str],
    config: ModelConfig,
    model: "Seq2Seq",
    tokenizers: TokenizerPair,
    search: SearchStrategy,
    *,
    languages: tuple[str, str],
    max_source_length: int = 256,
    evaluation: Mapping[str, object] | None = None,
    shortlist: "Shortlist | None" = None,
    card: str,
) -> None:
    """Write the model directory ``path``, in place of one that is there already; see ``atomic_directory``.

    Raises ``UserError`` if it can't be written, or if ``path`` holds something else than a model directory.
    """
    from nmt.models.weights import dump_weights

    target = Path(path)
    check_place(target)
    facts = _Facts(FORMAT, __version__, *languages, _tokenizer_facts(tokenizers), config, max_source_length)
    strategy = name_of(search, STRATEGIES)
    with atomic_directory(target) as directory:
        write_json(directory / CONFIG, asdict(facts))
        (directory / WEIGHTS).write_bytes(dump_weights(model))
        tokenizers.save(directory)
        write_json(directory / SEARCH, {"strategy": strategy, **asdict(search)})
        if evaluation is not None:
            write_json(directory / EVALUATION, evaluation)
        if shortlist is not None:
            shortlist.save(directory / SHORTLIST)
        (directory / CARD).write_text(card, encoding="utf-8")


def check_place(target: Path) -> None:
    """Raises ``UserError`` if a model can't be saved as ``target`` without deleting something else than a model."""
    if target.is_file() or (target.is_dir() and any(target.iterdir()) and not (target / CONFIG).is_file()):
        raise UserError(f"`{target}` holds something else than a model, which saving a model there would delete")


def load_model_directory(path: str | os.PathLike[str]) -> LoadedModel:
    """Read a model directory, but for its weights. Whatever is wrong with it is a ``UserError`` that names the file."""
    directory = Path(path)
    _check_is_model_directory(directory)
    values = read_json(directory / CONFIG)
    _check_format(directory / CONFIG, values)
    if type(values.get("architecture")) is dict:
        values["architecture"].pop("variational_dropout", None)  # a setting that was taken away; it was of training alone
    facts = read_settings(directory / CONFIG, _Facts, values)
    return LoadedModel(
        directory=directory,
        config=facts.architecture,
        tokenizers=_load_tokenizers(directory, facts.tokenizer),
        search=read_search(directory / SEARCH),
        languages=(facts.source_language, facts.target_language),
        max_source_length=facts.max_source_length,
    )


def load_ensemble(paths: Sequence[str | os.PathLike[str]]) -> list[LoadedModel]:
    """Read model directories whose models are to translate together. ``UserError`` unless they share languages and
    tokenizers.
    """
    if not paths:
        raise UserError("at least one model directory must be given, but there is none")
    first, *others = models = [load_model_directory(path) for path in paths]
    for other in others:
        check_alike(other, f"`{first.directory}`", first.languages, first.tokenizers)
    return models


def check_alike(other: LoadedModel, one: str, languages: tuple[str, str], tokenizers: TokenizerPair) -> None:
    """Raises ``UserError`` unless the ``other`` model has these languages and tokenizers, which are those of ``one``."""
    if other.languages != languages:
        raise UserError(
            f"models must all translate {' to '.join(languages)}, as {one} does,"
            f" but `{other.directory}` translates {' to '.join(other.languages)} instead"
        )
    fingerprints = zip(tokenizers.fingerprints, other.tokenizers.fingerprints, strict=True)
    for side, (expected, found) in zip(("source", "target"), fingerprints, strict=True):
        if found != expected:
            raise UserError(
                f"models must all have the {side} tokenizer {expected}, as {one} has, but `{other.directory}` has {found} instead"
            )


def _tokenizer_facts(tokenizers: TokenizerPair) -> _TokenizerFacts:
    joint = tokenizers.joint
    source, target = (
        _Side(JOINT_FILE if joint else name, tokenizer.fingerprint, len(tokenizer))
        for name, tokenizer in ((SOURCE_FILE, tokenizers.source), (TARGET_FILE, tokenizers.target))
    )
    return _TokenizerFacts(joint, source, target)


def _load_tokenizers(directory: Path, facts: _TokenizerFacts) -> TokenizerPair:
    if facts.joint:
        joint = _load_tokenizer(directory / JOINT_FILE, facts.source.fingerprint)
        return TokenizerPair(joint, joint)
    return TokenizerPair(
        _load_tokenizer(directory / SOURCE_FILE, facts.source.fingerprint),
        _load_tokenizer(directory / TARGET_FILE, facts.target.fingerprint),
    )


def _load_tokenizer(file: Path, expected: str) -> Tokenizer:
    serialized = read_bytes(file)
    found = "sha256:" + hashlib.sha256(serialized).hexdigest()
    if found != expected:
        raise UserError(f"`{file}` is not this model's: {CONFIG} says {expected}, but it is {found} instead")
    return Tokenizer.from_bytes(serialized, f"`{file}`")


def _check_is_model_directory(directory: Path) -> None:
    if not directory.exists():
        raise UserError(f"there is no model directory `{directory}`")
    if not directory.is_dir():
        raise UserError(f"`{directory}` must be a model directory, but is a file instead")
    if not (directory / CONFIG).exists():
        hint = f"; did you mean `{directory / 'model'}`?" if (directory / "model" / CONFIG).exists() else ""
        raise UserError(f"`{directory}` is no model directory: it has no {CONFIG}{hint}")


def _check_format(file: Path, values: dict[str, Any]) -> None:
    """Before anything else: what a newer format holds can't be judged."""
    number = values.get("format")
    if type(number) is not int:
        raise UserError(f"`{file}` is no model's: `format` must be a number, but is {json.dumps(number)} instead")
    if number > FORMAT:
        raise UserError(
            f"`{file}` has format {number}, written by nmt {values.get('nmt_version')}:"
            f" this is nmt {__version__}, which reads up to format {FORMAT}; upgrade it"
        )


def read_search(file: Path) -> SearchStrategy:
    """The search settings that the file holds. Raises ``UserError``."""
    settings = read_json(file)
    name = settings.pop("strategy", None)
    if name not in list(STRATEGIES):  # a list, as the name may be anything that JSON has
        raise UserError(f"`{file}`: `strategy` must be one of {', '.join(STRATEGIES)}, but is {json.dumps(name)} instead")
    return read_settings(file, STRATEGIES[name], settings)
