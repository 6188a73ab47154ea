"""Save and load the self-contained model directory; knows nothing of training.

    config.json            architecture, tokenizer facts, languages
    model.safetensors      weights in fp32, tied ones once
    tokenizer.model        SentencePiece (or source.tokenizer.model and target.tokenizer.model)
    search.json            default search settings
    evaluation.json        scores, when there are any
    README.md              model card

Everything in it is plain data: loading never unpickles and never imports a name that it found in a file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

import nmt
from nmt.atomic import atomic_directory
from nmt.errors import UserError
from nmt.models.config import ModelConfig
from nmt.models.seq2seq import Seq2Seq, build
from nmt.plain_data import name_of, read_bytes, read_json, read_settings, write_json
from nmt.search import STRATEGIES
from nmt.search.base import SearchStrategy
from nmt.tokenizer import JOINT_FILE, SOURCE_FILE, TARGET_FILE, Tokenizer, TokenizerPair

FORMAT = 1
SHORTEST_LIMIT = 8  # pieces of a source: the second half of fewer might hold no end of a character, which has up to 4 bytes
CONFIG, WEIGHTS, SEARCH, EVALUATION, CARD = (
    "config.json",
    "model.safetensors",
    "search.json",
    "evaluation.json",
    "README.md",
)


@dataclass
class LoadedModel:
    """What a model directory holds; ``model`` is in evaluation mode, ``languages`` is (source, target), and
    ``max_source_length`` the most pieces that it was trained on.
    """

    config: ModelConfig
    model: Seq2Seq
    tokenizers: TokenizerPair
    search: SearchStrategy
    languages: tuple[str, str]
    max_source_length: int


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
    model: Seq2Seq,
    tokenizers: TokenizerPair,
    search: SearchStrategy,
    *,
    languages: tuple[str, str],
    max_source_length: int = 256,
    evaluation: Mapping[str, object] | None = None,
    card: str,
) -> None:
    """Write the model directory ``path``, in place of one that is there already; see ``atomic_directory``.

    Raises ``UserError`` if it can't be written, or if ``path`` holds something else than a model directory.
    """
    target = Path(path)
    if target.is_dir() and any(target.iterdir()) and not (target / CONFIG).is_file():
        raise UserError(f"`{target}` holds something else than a model, which saving a model there would delete")
    facts = _Facts(FORMAT, nmt.__version__, *languages, _tokenizer_facts(tokenizers), config, max_source_length)
    strategy = name_of(search, STRATEGIES)
    with atomic_directory(target) as directory:
        write_json(directory / CONFIG, asdict(facts))
        (directory / WEIGHTS).write_bytes(dump_weights(model))
        tokenizers.save(directory)
        write_json(directory / SEARCH, {"strategy": strategy, **asdict(search)})
        if evaluation is not None:
            write_json(directory / EVALUATION, evaluation)
        (directory / CARD).write_text(card, encoding="utf-8")


def load_model_directory(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> LoadedModel:
    """Read a model directory. Whatever is wrong with it is a ``UserError`` that names the file."""
    directory = Path(path)
    _check_is_model_directory(directory)
    values = read_json(directory / CONFIG)
    _check_format(directory / CONFIG, values)
    facts = read_settings(directory / CONFIG, _Facts, values)
    tokenizers = _load_tokenizers(directory, facts.tokenizer)
    model = _build(directory, facts.architecture, tokenizers)
    return LoadedModel(
        config=facts.architecture,
        model=model.eval().to(device),
        tokenizers=tokenizers,
        search=read_search(directory / SEARCH),
        languages=(facts.source_language, facts.target_language),
        max_source_length=facts.max_source_length,
    )


def dump_weights(model: nn.Module) -> bytes:
    """The weights in the safetensors format, in fp32, tied ones once."""
    weights = {name: _stored(tensor) for name, tensor in _weights(model).items()}
    return safetensors.torch.save(weights, metadata={"format": "pt"})


def load_weights(file: Path, model: nn.Module) -> None:
    """Put what ``dump_weights`` made into a model of the same architecture. Raises ``UserError`` that names the file."""
    try:
        stored = safetensors.torch.load(read_bytes(file))
    except safetensors.SafetensorError as error:
        raise UserError(f"`{file}` is damaged or no safetensors file: {error}") from error
    expected = _weights(model)
    for name in sorted(expected.keys() | stored.keys()):
        wanted = _description(expected[name]) if name in expected else "absent"
        found = _description(stored[name]) if name in stored else "absent"
        if wanted != found:
            raise UserError(f"`{file}` is of another model: `{name}` must be {wanted}, but is {found} instead")
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(stored[name])


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of several names (tied embeddings) only the first is listed."""
    first_names: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in state.items() if first_names.setdefault(id(tensor), name) == name}


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous()


def _build(directory: Path, config: ModelConfig, tokenizers: TokenizerPair) -> Seq2Seq:
    """The model that ``config`` describes, with the stored weights."""
    try:
        model = build(config, len(tokenizers.source), len(tokenizers.target), tokenizers.joint)
    except (UserError, RuntimeError) as error:  # RuntimeError: there is not that much memory
        raise UserError(f"`{directory / CONFIG}` describes a model that can't be built: {error}") from error
    load_weights(directory / WEIGHTS, model)
    return model


def _description(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}".removeprefix("torch.")


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
            f" this is nmt {nmt.__version__}, which reads up to format {FORMAT}; upgrade it"
        )


def read_search(file: Path) -> SearchStrategy:
    """The search settings that the file holds. Raises ``UserError``."""
    settings = read_json(file)
    name = settings.pop("strategy", None)
    if name not in list(STRATEGIES):  # a list, as the name may be anything that JSON has
        raise UserError(f"`{file}`: `strategy` must be one of {', '.join(STRATEGIES)}, but is {json.dumps(name)} instead")
    return read_settings(file, STRATEGIES[name], settings)
