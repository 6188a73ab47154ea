"""Strings in, strings out: the user's door to a model, and validation's: both see the same translations."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nmt.data.batching import pad
from nmt.errors import UserError
from nmt.model_directory import load_model_directory
from nmt.models.seq2seq import Seq2Seq
from nmt.search.base import Hypothesis, SearchStrategy
from nmt.tokenizer import EOS, TokenizerPair

_END_MARK = "</s>"
_SENTENCE_ENDS = tuple(".!?…。！？।؟")
_IDEOGRAPHIC_ENDS = tuple("。！？")  # no space follows these


@dataclass
class TranslatedHypothesis:
    """One translation of a source, with its pieces.

    ``log_prob`` is the sum over the pieces, ``score`` what the search ranks by; higher is better.
    ``attention`` [tgt_len, src_len], if asked for and the model has one, has a row for each of ``pieces`` and
    a column for each of the translation's ``source_pieces``; the end mark ``</s>`` is the last of both. A
    hypothesis that the length limit cut (``finished`` is False) has no end mark.
    """

    text: str
    pieces: list[str]
    log_prob: float
    score: float
    finished: bool
    attention: Tensor | None = None


@dataclass
class Translation:
    """A source and its translations, best first. A blank source has the text "" and no hypotheses."""

    source: str
    source_pieces: list[str] = field(default_factory=list)
    hypotheses: list[TranslatedHypothesis] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The best translation: one line, without a line break."""
        return self.hypotheses[0].text if self.hypotheses else ""

    def __str__(self) -> str:
        return self.text


@dataclass
class _Chunk:
    """What the model translates at once: a source, or a part of a long one."""

    line: int
    ids: list[int]
    hypotheses: list[Hypothesis] = field(default_factory=list)


class Translator:
    """Translates sentences with a model, its tokenizers and a search strategy.

    A source of more than ``max_source_length`` pieces (longer than models are trained on: ``data.max_length``
    has the same default) is cut into chunks, whose translations are joined by spaces. A chunk is filled to
    more than half: up to its last end of a sentence, or else between words, or else between characters.
    Nothing is left out.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: TokenizerPair,
        search: SearchStrategy,
        device: str | torch.device = "cpu",
        max_source_length: int = 256,
    ) -> None:
        """``device`` is the one that ``model`` is on."""
        if max_source_length < 8:  # the second half of less might hold no end of a character, which has up to 4 bytes
            raise UserError(f"`max_source_length` must be at least 8, but is {max_source_length} instead")
        self.model = model
        self.tokenizers = tokenizers
        self.search = search
        self.device = torch.device(device)
        self.max_source_length = max_source_length

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str], device: str = "auto") -> "Translator":
        """The translator in a model directory, with its search settings, on ``resolve_device(device)``."""
        where = resolve_device(device)
        loaded = load_model_directory(path, where)
        return cls(loaded.model, loaded.tokenizers, loaded.search, where)

    def translate(
        self,
        texts: Sequence[str],
        *,
        search: SearchStrategy | None = None,
        batch_size: int = 64,
        with_attention: bool = False,
    ) -> list[Translation]:
        """Translate each text, one result a text, in the order given.

        Sentences of like length are searched together, ``batch_size`` at a time, in fp32 and evaluation mode.
        ``search`` takes the place of the model's own settings, ``n_best`` included.
        """
        if isinstance(texts, str):
            raise UserError("`texts` must be a list of strings, but is one string instead: write translate([text])")
        if batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, but is {batch_size} instead")
        sources = self.tokenizers.source.encode(texts)
        chunks = [
            _Chunk(line, ids)
            for line, (text, source) in enumerate(zip(texts, sources, strict=True))
            if text.strip()
            for ids in self._split(source)
        ]
        # The longest first: if memory does not suffice, it shows at once.
        by_length = sorted(chunks, key=lambda chunk: len(chunk.ids), reverse=True)
        for start in range(0, len(by_length), batch_size):
            self._search(by_length[start : start + batch_size], search or self.search, with_attention)
        chunks_of: list[list[_Chunk]] = [[] for _ in texts]
        for chunk in chunks:
            chunks_of[chunk.line].append(chunk)
        return [self._translation(text, parts) for text, parts in zip(texts, chunks_of, strict=True)]

    def _split(self, ids: list[int]) -> list[list[int]]:
        """Chunks of at most ``max_source_length`` ids; none for a source without any."""
        pieces = self.tokenizers.source.pieces(ids)
        chunks = []
        start = 0
        while len(ids) - start > self.max_source_length:
            end = start + _cut(pieces[start : start + self.max_source_length + 1])
            chunks.append(ids[start:end])
            start = end
        return [*chunks, ids[start:]] if ids else []

    def _search(self, chunks: list[_Chunk], search: SearchStrategy, with_attention: bool) -> None:
        """Fill in the chunks' hypotheses; the model is left in the mode it was in."""
        source, mask = pad([[*chunk.ids, EOS] for chunk in chunks])
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.autocast(self.device.type, enabled=False):
                found = search(self.model, source.to(self.device), mask.to(self.device), with_attention=with_attention)
        finally:
            self.model.train(was_training)
        for chunk, hypotheses in zip(chunks, found, strict=True):
            chunk.hypotheses = hypotheses

    def _translation(self, text: str, chunks: list[_Chunk]) -> Translation:
        if not chunks:
            return Translation(text)
        best = max(len(chunk.hypotheses) for chunk in chunks)
        return Translation(
            text,
            [piece for chunk in chunks for piece in (*self.tokenizers.source.pieces(chunk.ids), _END_MARK)],
            # Of a source in chunks, the second best is the second best of every chunk, and so on.
            [self._joined([chunk.hypotheses[min(rank, len(chunk.hypotheses) - 1)] for chunk in chunks]) for rank in range(best)],
        )

    def _joined(self, parts: list[Hypothesis]) -> TranslatedHypothesis:
        """The hypotheses of a source's chunks as one. Most sources have one chunk only."""
        texts = self.tokenizers.target.decode([part.tokens for part in parts])
        pieces = []
        weights = []
        for part in parts:
            pieces += self.tokenizers.target.pieces(part.tokens) + [_END_MARK] * part.finished
            if part.attention is not None:
                weights.append(part.attention.float())
        return TranslatedHypothesis(
            text=" ".join(text for text in texts if text),
            pieces=pieces,
            log_prob=sum(part.log_prob for part in parts),
            score=sum(part.score for part in parts),
            finished=all(part.finished for part in parts),
            attention=torch.block_diag(*weights) if weights else None,  # no chunk sees another
        )


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is a device, else the CPU. ``cuda`` without one is a ``UserError``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"`device` must be auto, cpu or cuda, but is {name} instead") from error
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"`device` must be auto, cpu or cuda, but is {name} instead")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"`device` is {name}, but this PyTorch ({torch.__version__}) finds {torch.cuda.device_count()} CUDA devices"
        )
    return device


def _cut(pieces: list[str]) -> int:
    """How many of the pieces make a chunk: the most that end at the best kind of place, but never all."""
    longest = len(pieces) - 1
    for is_good in (_ends_sentence, _starts_word, _starts_character):
        for end in range(longest, longest // 2, -1):
            if is_good(pieces[end - 1], pieces[end]):
                return end
    return longest


def _ends_sentence(before: str, after: str) -> bool:
    return before.endswith(_IDEOGRAPHIC_ENDS) or (before.endswith(_SENTENCE_ENDS) and _starts_word(before, after))


def _starts_word(before: str, after: str) -> bool:
    return after.startswith("▁")


def _starts_character(before: str, after: str) -> bool:
    """Not within the bytes of one character: UTF-8's continuation bytes are 0x80 to 0xBF."""
    return not (len(after) == 6 and after.startswith(("<0x8", "<0x9", "<0xA", "<0xB")))
