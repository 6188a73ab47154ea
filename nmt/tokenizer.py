"""SentencePiece: train, encode, sample, decode. Text becomes ids here only; the model is the vocabulary."""

import hashlib
import io
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

import sentencepiece

from nmt.errors import StrEnum, UserError, check_range
from nmt.languages import keeps_forms

PAD, BOS, EOS, UNK = 0, 1, 2, 3

JOINT_FILE = "tokenizer.model"
SOURCE_FILE = "source.tokenizer.model"
TARGET_FILE = "target.tokenizer.model"

_USUAL_SIZE = 8000
_TRAINING_THREADS = 2  # fixed, lest the sums of the unigram EM, and so the model, depend on the machine
_TRAINING_LINES = 2_000_000  # of more a sample is taken: SentencePiece holds its training text in memory
# SentencePiece leaves out lines of more than 4,192 bytes and those with its unknown mark: train on all.
_LINE_LENGTH = 1000  # characters; longer lines are cut
_RESERVED = str.maketrans({"\u2585": " "})
_LINE_BREAKS = str.maketrans({"\n": " ", "\r": " "})


class TokenizerKind(StrEnum):
    unigram = "unigram"
    bpe = "bpe"


class Normalization(StrEnum):
    nfkc = "nfkc"
    identity = "identity"


@dataclass
class TokenizerConfig:
    """How the vocabulary is made, or which SentencePiece file(s) to take instead.

    `vocab_size` counts the special and byte pieces; separate tokenizers (`joint=False`) have that size each. None is 8,000,
    or as many as a smaller text gives.
    `normalization` None is `identity` into Chinese, Japanese, Thai and Lao, whose usual marks and vowels NFKC would replace, and
    `nfkc` into other languages. Both drop spaces at the ends and fold runs of them into one.
    """

    kind: TokenizerKind = TokenizerKind.unigram
    vocab_size: int | None = None
    joint: bool = True
    character_coverage: float = 1.0
    byte_fallback: bool = True
    normalization: Normalization | None = None
    path: str | None = None
    source_path: str | None = None
    target_path: str | None = None

    def __post_init__(self) -> None:
        smallest = UNK + 2 + (256 if self.byte_fallback else 0)  # the special pieces, the bytes and one more
        check_range("tokenizer.vocab_size", self.vocab_size, smallest, bits=31)
        if not 0.98 <= self.character_coverage <= 1.0:
            raise UserError(
                f"`tokenizer.character_coverage` must be between 0.98 and 1.0, but is {self.character_coverage} instead"
            )
        if (self.source_path is None) != (self.target_path is None):
            raise UserError("`tokenizer.source_path` and `tokenizer.target_path` must be given together")
        if self.path is not None and self.source_path is not None:
            raise UserError("`tokenizer.path` must not be given with `tokenizer.source_path` and `tokenizer.target_path`")

    def into(self, target_language: str) -> "TokenizerConfig":
        """The same with the normalisation that this language asks for, if none is given."""
        usual = Normalization.identity if keeps_forms(target_language) else Normalization.nfkc
        return replace(self, normalization=self.normalization or usual)


class Tokenizer:
    """One SentencePiece model whose pieces 0 to 3 are padding, begin, end and unknown."""

    def __init__(self, serialized: bytes) -> None:
        self.serialized = serialized
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=serialized)

    @classmethod
    def from_bytes(cls, serialized: bytes, name: str = "the tokenizer") -> "Tokenizer":
        """Raises UserError, beginning with `name`, if this is no model or one without our special ids."""
        try:
            tokenizer = cls(serialized)
        except RuntimeError as error:
            raise UserError(f"{name} must be a SentencePiece model, but cannot be read as one") from error
        if len(tokenizer) == 0:
            raise UserError(f"{name} must be a SentencePiece model, but has no pieces")
        processor = tokenizer._processor
        found = (processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id())
        if found != (PAD, BOS, EOS, UNK):
            raise UserError(
                f"{name} must have the ids 0, 1, 2, 3 for padding, begin, end and unknown "
                "(train it by `spm_train --pad_id=0 --bos_id=1 --eos_id=2 --unk_id=3`), "
                f"but has {', '.join(map(str, found))} instead"
            )
        return tokenizer

    @classmethod
    def from_file(cls, path: str | Path) -> "Tokenizer":
        """Raises UserError that names the file if it is missing, foreign, or has other special ids."""
        try:
            serialized = Path(path).expanduser().read_bytes()
        except OSError as error:
            raise UserError(f"tokenizer file {path} cannot be read: {error.strerror}") from error
        return cls.from_bytes(serialized, f"tokenizer file {path}")

    @property
    def fingerprint(self) -> str:
        return "sha256:" + hashlib.sha256(self.serialized).hexdigest()

    def __reduce__(self) -> tuple[Callable[[bytes], "Tokenizer"], tuple[bytes]]:
        return _received, (self.serialized,)

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Piece ids of each text, without BOS and EOS. Large lists are spread over the cores."""
        threads = 1 if len(texts) < 1000 else -1
        ids: list[list[int]] = self._processor.encode([_valid(text) for text in texts], num_threads=threads)
        return ids

    def sample(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Like `encode`, but draws one of the segmentations of each text; the same seed draws the same ones.

        For unigram models `alpha` is the exponent on the probability of a segmentation, drawn from the whole
        lattice (Kudo 2018): 0 is uniform, larger is closer to `encode`; 0.1 doubles the length of a sentence,
        0.5 hardly changes it. For BPE models it is the probability of leaving out a merge (BPE-dropout,
        Provilkov et al. 2020): 0 is `encode`, 0.1 is usual.
        """
        # SentencePiece draws from a generator per thread: only with one thread does the seed fix the draws. From 0.2.2 on it
        # fixes them within one process only, where a run that goes on, or one in several processes, needs them again elsewhere.
        sentencepiece.set_random_generator_seed(seed % 2**32)
        ids: list[list[int]] = self._processor.encode(
            [_valid(text) for text in texts], enable_sampling=True, alpha=alpha, nbest_size=-1, num_threads=1
        )
        return ids

    def check_sampling(self, alpha: float) -> None:
        """Raises UserError if the model cannot sample: one of characters or words has one segmentation a text, and so has BPE
        that leaves out all merges.
        """
        try:
            able = self.sample(["a"], alpha, 1) != [[]]  # what SentencePiece below 0.2.2 answers instead of an error
        except RuntimeError:
            able = False
        if not able:
            raise UserError(
                "`training.subword_alpha` must be 0 for a SentencePiece model that cannot sample (one of characters or words), "
                f"but is {alpha} instead"
            )
        if alpha >= 1 and self._is_bpe:
            raise UserError(f"`training.subword_alpha` must be below 1 for BPE, but is {alpha} instead")

    @property
    def _is_bpe(self) -> bool:
        """Whether 1 leaves out all merges, even of the longest piece; of a unigram model it is a usual exponent."""
        written = [number for number in range(UNK + 1, len(self)) if not self._processor.is_byte(number)]
        longest = max(self.pieces(written), key=len)
        if len(longest) < 3:  # too short to tell
            return False
        return all(len(ids) >= len(longest) - 1 for ids in self.sample([longest.replace("▁", " ")] * 20, 1.0, 1))

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence in one line: '\\n' and '\\r' become spaces. PAD, BOS, EOS are left out.

        Byte pieces that are no UTF-8 together become U+FFFD.
        """
        return [self._processor.decode(list(sequence)).translate(_LINE_BREAKS) for sequence in ids]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [self._processor.id_to_piece(piece) for piece in ids]

    def id_of(self, piece: str) -> int | None:
        """The id of a piece; None if there is no such piece."""
        number: int = self._processor.piece_to_id(_valid(piece))
        return number if self._processor.id_to_piece(number) == piece else None


@lru_cache(2)
def _received(serialized: bytes) -> Tokenizer:
    """From another process: parsed once, however often it comes."""
    return Tokenizer(serialized)


@dataclass(frozen=True)
class TokenizerPair:
    """The tokenizers of both languages; one and the same model when they are joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        return self.source.serialized == self.target.serialized

    @property
    def fingerprints(self) -> tuple[str, str]:
        return self.source.fingerprint, self.target.fingerprint

    def save(self, directory: str | Path) -> None:
        """Writes `tokenizer.model` if joint, else `source.tokenizer.model` and `target.tokenizer.model`."""
        directory = Path(directory)
        if self.joint:
            (directory / JOINT_FILE).write_bytes(self.source.serialized)
        else:
            (directory / SOURCE_FILE).write_bytes(self.source.serialized)
            (directory / TARGET_FILE).write_bytes(self.target.serialized)

    @classmethod
    def load(cls, directory: str | Path) -> "TokenizerPair":
        directory = Path(directory)
        separate = [directory / SOURCE_FILE, directory / TARGET_FILE]
        if any(path.exists() for path in separate):
            source, target = map(Tokenizer.from_file, separate)
            return cls(source, target)
        joint = Tokenizer.from_file(directory / JOINT_FILE)
        return cls(joint, joint)


def train_tokenizers(source: Iterable[str], target: Iterable[str], config: TokenizerConfig) -> TokenizerPair:
    """Trains as `config` says, or loads the files that it names. The same text gives the same bytes.

    No line is left out for its length or its characters; of more than 2,000,000 a fixed sample is taken.
    Raises UserError if the size does not fit this text (it names one that does) or if a file does not do.
    """
    if config.path is not None:
        joint = Tokenizer.from_file(config.path)
        return TokenizerPair(joint, joint)
    if config.source_path is not None and config.target_path is not None:
        return TokenizerPair(Tokenizer.from_file(config.source_path), Tokenizer.from_file(config.target_path))
    if config.joint:
        joint = _train(chain(source, target), config, "corpus")
        return TokenizerPair(joint, joint)
    return TokenizerPair(_train(source, config, "source side"), _train(target, config, "target side"))


def _train(texts: Iterable[str], config: TokenizerConfig, what: str) -> Tokenizer:
    lines = _sample_lines(texts)
    size = config.vocab_size or _USUAL_SIZE
    if not any(map(str.strip, lines)):  # SentencePiece would end the process
        raise UserError(f"the {what} must have text to train a tokenizer on, but is empty instead")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type=str(config.kind),
            vocab_size=size,
            hard_vocab_limit=config.vocab_size is not None,
            character_coverage=config.character_coverage,
            byte_fallback=config.byte_fallback,
            normalization_rule_name=str(config.normalization or Normalization.nfkc),
            num_threads=_TRAINING_THREADS,
            minloglevel=2,
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNK,
        )
    except RuntimeError as error:
        raise _training_error(str(error), size, what) from error
    return Tokenizer.from_bytes(model.getvalue())


def _sample_lines(texts: Iterable[str]) -> list[str]:
    """All lines or, of very many, a reservoir sample (SentencePiece's own differs between processes)."""
    generator = random.Random(1)
    lines: list[str] = []
    for number, line in enumerate(_training_lines(texts)):
        if number < _TRAINING_LINES:
            lines.append(line)
        elif (place := generator.randrange(number + 1)) < _TRAINING_LINES:
            lines[place] = line
    return lines


def _training_lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        line = _valid(text).translate(_RESERVED)
        yield from (line[start : start + _LINE_LENGTH] for start in range(0, len(line), _LINE_LENGTH))


def _training_error(message: str, size: int, what: str) -> UserError:
    """SentencePiece's own error as a sentence that says which size would fit."""
    if largest := re.search(r"value <= (\d+)", message):
        return UserError(
            f"`tokenizer.vocab_size` must be at most {largest[1]} for this {what}, but is {size} instead"
        )
    if smallest := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return UserError(
            f"`tokenizer.vocab_size` must be at least {smallest[1]} for the characters of this {what} "
            f"(or `tokenizer.character_coverage` lower), but is {size} instead"
        )
    return UserError(f"SentencePiece could not train a tokenizer on this {what}: {message}")


def _valid(text: str) -> str:
    """`text` with lone surrogates, which no UTF-8 can hold, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")
