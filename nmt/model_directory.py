"""Save and load the self-contained model directory; knows nothing of training.

    config.json            architecture, tokenizer facts, languages
    model.safetensors      weights in fp32, tied ones once
    tokenizer.model        SentencePiece (or source.tokenizer.model and target.tokenizer.model)
    search.json            default search settings
    evaluation.json        scores, when there are any
    README.md              model card

Everything in it is plain data: loading never unpickles and never imports a name that it found in a file.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import safetensors
import safetensors.torch
import torch
from torch import Tensor

import nmt
from nmt.errors import UserError
from nmt.models.seq2seq import ModelConfig, Seq2Seq, build
from nmt.search import STRATEGIES
from nmt.search.base import SearchStrategy
from nmt.tokenizer import JOINT_FILE, SOURCE_FILE, TARGET_FILE, Tokenizer, TokenizerPair

FORMAT = 1
CONFIG, WEIGHTS, SEARCH, EVALUATION, CARD = (
    "config.json",
    "model.safetensors",
    "search.json",
    "evaluation.json",
    "README.md",
)

Settings = TypeVar("Settings")


@dataclass
class LoadedModel:
    """What a model directory holds; ``model`` is in evaluation mode, ``languages`` is (source, target)."""

    config: ModelConfig
    model: Seq2Seq
    tokenizers: TokenizerPair
    search: SearchStrategy
    languages: tuple[str, str]


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


def save_model_directory(
    path: str | os.PathLike[str],
    config: ModelConfig,
    model: Seq2Seq,
    tokenizers: TokenizerPair,
    search: SearchStrategy,
    *,
    languages: tuple[str, str],
    evaluation: Mapping[str, object] | None = None,
    card: str,
) -> None:
    """Write the model directory ``path``, in place of one that is there already; see ``atomic_directory``.

    Raises ``UserError`` if it can't be written, or if ``path`` holds something else than a model directory.
    """
    target = Path(path)
    if target.is_dir() and any(target.iterdir()) and not (target / CONFIG).is_file():
        raise UserError(f"`{target}` holds something else than a model, which saving a model there would delete")
    facts = _Facts(FORMAT, nmt.__version__, *languages, _tokenizer_facts(tokenizers), config)
    strategy = next(name for name, kind in STRATEGIES.items() if kind is type(search))
    with atomic_directory(target) as directory:
        _write_json(directory / CONFIG, asdict(facts))
        weights = {name: _stored(tensor) for name, tensor in _weights(model).items()}
        (directory / WEIGHTS).write_bytes(safetensors.torch.save(weights, metadata={"format": "pt"}))
        tokenizers.save(directory)
        _write_json(directory / SEARCH, {"strategy": strategy, **asdict(search)})
        if evaluation is not None:
            _write_json(directory / EVALUATION, evaluation)
        (directory / CARD).write_text(card, encoding="utf-8")


def load_model_directory(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> LoadedModel:
    """Read a model directory. Whatever is wrong with it is a ``UserError`` that names the file."""
    directory = Path(path)
    _check_is_model_directory(directory)
    values = _read_json(directory / CONFIG)
    _check_format(directory / CONFIG, values)
    facts = _read_settings(directory / CONFIG, _Facts, values)
    tokenizers = _load_tokenizers(directory, facts.tokenizer)
    model = _build(directory, facts.architecture, tokenizers)
    return LoadedModel(
        config=facts.architecture,
        model=model.eval().to(device),
        tokenizers=tokenizers,
        search=_read_search(directory / SEARCH),
        languages=(facts.source_language, facts.target_language),
    )


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty directory that becomes ``path`` when the block ends well, and vanishes when it does not.

    It is a hidden neighbour of ``path`` (``.NAME.saving``; one that a killed process left is removed first).
    At the end all its files are fsynced, then it takes its name in one rename. Where there is a directory of
    that name already, Linux exchanges the two in one step (renameat2), so that at every instant ``path`` is
    wholly the old directory or wholly the new one. Elsewhere, and on file systems that can't exchange, the
    old one is renamed to ``.NAME.replaced`` just before: a crash between these two renames leaves it
    complete, but under that name.

    Raises ``UserError`` if something could not be written; the old directory is then as it was.
    """
    target = Path(os.path.realpath(path))  # through a symbolic link: replace what it points to
    new = target.with_name(f".{target.name}.saving")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        for file in [*new.rglob("*"), new]:
            _synchronise(file)
        _put_in_place(new, target)
    except OSError as error:
        raise UserError(f"`{target}` could not be written and is as it was before: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)  # after an exchange this is the old directory


def _put_in_place(new: Path, target: Path) -> None:
    if not target.is_dir():
        new.rename(target)
    elif not _exchange(new, target):
        old = target.with_name(f".{target.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(OSError):  # not every system can synchronise a directory
        _synchronise(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step with Linux's renameat2; False where that can't be done."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def _synchronise(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    """Parameters and buffers by name; of several names (tied embeddings) only the first is listed."""
    first_names: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in state.items() if first_names.setdefault(id(tensor), name) == name}


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous()


def _build(directory: Path, config: ModelConfig, tokenizers: TokenizerPair) -> Seq2Seq:
    """The model that ``config`` describes, with the stored weights."""
    file = directory / WEIGHTS
    try:
        stored = safetensors.torch.load(_read_bytes(file))
    except safetensors.SafetensorError as error:
        raise UserError(f"`{file}` is damaged or no safetensors file: {error}") from error
    try:
        model = build(config, len(tokenizers.source), len(tokenizers.target), tokenizers.joint)
    except (UserError, RuntimeError) as error:  # RuntimeError: there is not that much memory
        raise UserError(f"`{directory / CONFIG}` describes a model that can't be built: {error}") from error
    expected = _weights(model)
    for name in sorted(expected.keys() | stored.keys()):
        wanted = _description(expected[name]) if name in expected else "absent"
        found = _description(stored[name]) if name in stored else "absent"
        if wanted != found:
            raise UserError(f"`{file}` is not of the model in {CONFIG}: `{name}` must be {wanted}, but is {found} instead")
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(stored[name])
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
    serialized = _read_bytes(file)
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


def _read_search(file: Path) -> SearchStrategy:
    settings = _read_json(file)
    name = settings.pop("strategy", None)
    if name not in list(STRATEGIES):  # a list, as the name may be anything that JSON has
        raise UserError(f"`{file}`: `strategy` must be one of {', '.join(STRATEGIES)}, but is {json.dumps(name)} instead")
    return _read_settings(file, STRATEGIES[name], settings)


def _read_settings(file: Path, kind: type[Settings], values: dict[str, Any]) -> Settings:
    try:
        return _dataclass(kind, values)
    except UserError as error:
        raise UserError(f"`{file}`: {error}") from error


def _dataclass(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """An object of the dataclass ``kind`` from plain JSON values. Absent keys take their defaults."""
    types = get_type_hints(kind)
    known = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise UserError(f"the key `{name}` is unknown, and must be one of {', '.join(sorted(known))}")
    for name, default in known.items():
        if default is MISSING and name not in values:
            raise UserError(f"the key `{name}` is missing")
    return kind(**{name: _value(name, types[name], value) for name, value in values.items()})


def _value(name: str, kind: Any, value: Any) -> Any:
    nested = is_dataclass(kind)
    if nested and type(value) is dict:
        return _dataclass(kind, value)
    if issubclass(kind, Enum):
        choices = [member.value for member in kind]
        if value not in choices:
            raise UserError(f"`{name}` must be one of {', '.join(choices)}, but is {json.dumps(value)} instead")
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        wanted = "object" if nested else kind.__name__
        raise UserError(f"`{name}` must be of type {wanted}, but is {json.dumps(value)} instead")
    return value


def _write_json(file: Path, values: Mapping[str, object]) -> None:
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(_read_bytes(file))
    except (ValueError, RecursionError) as error:  # not JSON, or not UTF-8
        raise UserError(f"`{file}` is damaged or no JSON: {error}") from error
    if type(values) is not dict:
        raise UserError(f"`{file}` must hold a JSON object, but holds a {type(values).__name__} instead")
    return values


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"`{file}` is missing from the model directory") from error
    except OSError as error:
        raise UserError(f"`{file}` can't be read: {error.strerror}") from error
