"""Strings in, strings out: the user's door to a model, and validation's: both see the same translations."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nmt.backends import Backend, TranslationModel, model_of, together
from nmt.chunks import continues_character, split_pieces
from nmt.data.sequences import pad
from nmt.errors import UserError
from nmt.model_directory import SHORTEST_LIMIT, LoadedModel, load_ensemble
from nmt.search.base import SearchStrategy
from nmt.search.constraints import Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.record import History
from nmt.search.repetition import loop_end
from nmt.tokenizer import BOS, EOS, UNK, Tokenizer, TokenizerPair
from nmt.translation import ForcedTarget as ForcedTarget
from nmt.translation import TranslatedHypothesis as TranslatedHypothesis
from nmt.translation import Translation as Translation
from nmt.translation import joined

if TYPE_CHECKING:  # translating in itself needs no PyTorch
    from nmt.inspection.result import Inspection

_END_MARK = "</s>"


@dataclass
class _Chunk:
    """What the model translates at once: a source, or a part of a long one; and what the translation must begin with."""

    line: int
    ids: list[int]
    prefix: list[int] = field(default_factory=list)
    hypotheses: list[Hypothesis] = field(default_factory=list)


class Translator:
    """Translates sentences with a model, its tokenizers and a search strategy.

    A source of more than ``max_source_length`` pieces (than the model was trained on: a model directory knows)
    is cut into chunks (see ``nmt.chunks``), whose translations are joined (see ``nmt.sentences``). Nothing is left out.

    A translation that runs to the length limit in a loop is cut after the first round, and ``repeating``.
    """

    def __init__(
        self,
        model: TranslationModel,
        tokenizers: TokenizerPair,
        search: SearchStrategy,
        max_source_length: int = 256,
    ) -> None:
        if max_source_length < SHORTEST_LIMIT:
            raise UserError(f"`max_source_length` must be at least {SHORTEST_LIMIT}, but is {max_source_length} instead")
        forbidden_ids(search, tokenizers.target)  # a piece that does not exist shows now
        self.model = model
        self.tokenizers = tokenizers
        self.search = search
        self.max_source_length = max_source_length

    @property
    def device(self) -> object:
        """Where the model computes."""
        return self.model.device

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        device: str = "auto",
        backend: Backend | str = Backend.auto,
        *,
        quantised: bool = False,
        shortlist: bool = False,
        num_threads: int | None = None,
    ) -> "Translator":
        """The translator in a model directory, with its search settings; see ``model_of``. Of several directories, an
        ensemble with the search settings of the first.
        """
        loaded = load_ensemble([path] if isinstance(path, str | os.PathLike) else path)
        return cls.of(loaded, None, device, backend, quantised=quantised, shortlist=shortlist, num_threads=num_threads)

    @classmethod
    def of(
        cls,
        loaded: Sequence[LoadedModel],
        search: SearchStrategy | None = None,
        device: str = "auto",
        backend: Backend | str = Backend.auto,
        *,
        quantised: bool = False,
        shortlist: bool = False,
        num_threads: int | None = None,
    ) -> "Translator":
        """``from_pretrained`` of model directories that are read already; ``search`` takes the place of the first one's."""
        models = [
            model_of(one, device, backend, quantised=quantised, shortlist=shortlist, num_threads=num_threads) for one in loaded
        ]
        limit = min(one.max_source_length for one in loaded)
        return cls(together(models), loaded[0].tokenizers, search or loaded[0].search, limit)

    def translate(
        self,
        texts: Sequence[str],
        *,
        prefixes: Sequence[str] | None = None,
        search: SearchStrategy | None = None,
        batch_size: int = 64,
        with_attention: bool = False,
    ) -> list[Translation]:
        """Translate each text, one result a text, in the order given.

        Sentences of like length are searched together, ``batch_size`` at a time, in fp32 and evaluation mode.
        ``search`` takes the place of the model's own settings, ``n_best`` included.

        ``prefixes`` are what the translations must begin with, one a text, "" for none: the pieces that each is
        tokenized to, the last of which may go on as a longer word. They count in ``log_prob``. Of a source that is cut
        into chunks the translation of the first begins with it. A blank text has no translation to begin.
        """
        if isinstance(texts, str):
            raise UserError("`texts` must be a list of strings, but is one string instead: write translate([text])")
        if batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, but is {batch_size} instead")
        sources = self.tokenizers.source.encode(texts)
        chunks = []
        for line, (text, source, begin) in enumerate(zip(texts, sources, self._prefixes(texts, prefixes), strict=True)):
            parts = split_pieces(self.tokenizers.source.pieces(source), self.max_source_length) if not _is_blank(text) else []
            chunks += [_Chunk(line, source[part], [] if part.start else begin) for part in parts]
        # The longest first: if memory does not suffice, it shows at once.
        by_length = sorted(chunks, key=lambda chunk: len(chunk.ids), reverse=True)
        search = search or self.search
        for start in range(0, len(by_length), batch_size):
            self._search(by_length[start : start + batch_size], search, with_attention)
        parts_of: list[list[Translation]] = [[] for _ in texts]
        for chunk in chunks:
            chunk.hypotheses = [self._without_loop(found, len(chunk.prefix)) for found in chunk.hypotheses]
            parts_of[chunk.line].append(self._translation(texts[chunk.line], chunk))
        return [joined(text, parts, search.score_of_whole) for text, parts in zip(texts, parts_of, strict=True)]

    def inspect(self, text: str, *, search: SearchStrategy | None = None) -> "Inspection":
        """Translate a sentence, and tell how: gates and states, attention, probabilities, the tree of the search.

        ``search`` takes the place of the model's own settings; ``n_best`` is how many hypotheses are kept. Raises
        ``UserError`` if the text is blank or has more than ``max_source_length`` pieces: it is not cut into chunks. Nor is a
        translation that loops.
        """
        from nmt.inspection.result import Inspection
        from nmt.inspection.run import run
        from nmt.inspection.tree import search_tree

        chunk, history = _Chunk(0, self._uncut(text, "the text to inspect")), History()
        self._search([chunk], search or self.search, with_attention=True, history=history)
        best = chunk.hypotheses[0]
        activations = run(self.model.network, [*chunk.ids, EOS], best.tokens + [EOS] * best.finished)
        translation = self._translation(text, chunk)
        return Inspection(
            **vars(activations),
            source=text,
            source_pieces=translation.source_pieces,
            hypotheses=translation.hypotheses,
            tree=search_tree(history, [one.score for one in chunk.hypotheses], self.tokenizers.target.pieces),
        )

    def score(self, source: str, target: str) -> ForcedTarget:
        """How likely the model holds the translation ``target`` of ``source``, by teacher forcing.

        Of a text that a search found, and that tokenizes to the pieces that it was found as, this is the search's ``log_prob``
        (but for rounding, which with quantised products is coarse), unless it is ``repeating``. A blank target is the end mark
        alone, and so has a probability too. With a shortlist probabilities are among the batch's pieces, here those of this
        source alone; others have none, and -inf for its logarithm. Raises
        ``UserError`` if the source is blank or has more than ``max_source_length`` pieces: it is not cut into chunks.
        """
        memory = self.model.encode(*pad([[*self._uncut(source, "`source`"), EOS]]))
        state = self.model.start(memory, 1)
        (tokens,) = self.tokenizers.target.encode(["" if _is_blank(target) else target])
        log_probs = []
        for last, token in pairwise([BOS, *tokens, EOS]):
            step = self.model.step(np.array([last]), state, memory)
            log_probs.append(float(step.log_prob()[0, token]))
            state = step.state
        return ForcedTarget(target, [*self.tokenizers.target.pieces(tokens), _END_MARK], log_probs)

    def _prefixes(self, texts: Sequence[str], prefixes: Sequence[str] | None) -> list[list[int]]:
        """The ids of the prefixes, one a text."""
        if prefixes is None:
            return [[] for _ in texts]
        if isinstance(prefixes, str) or len(prefixes) != len(texts):
            found = "one string" if isinstance(prefixes, str) else len(prefixes)
            raise UserError(f"`prefixes` must be a list of one string for each of the {len(texts)} texts, but is {found} instead")
        encoded = self.tokenizers.target.encode(prefixes)
        for prefix, ids in zip(prefixes, encoded, strict=True):
            if UNK in ids:
                raise UserError(f"a prefix must consist of signs that the target's vocabulary has, but `{prefix}` does not")
        return encoded

    def _uncut(self, text: str, name: str) -> list[int]:
        """The ids of a source that must not be cut; mistakes begin with ``name``."""
        (ids,) = self.tokenizers.source.encode([text])
        if not ids or _is_blank(text):
            raise UserError(f"{name} must not be blank, but is")
        if len(ids) > self.max_source_length:
            raise UserError(f"{name} must have at most {self.max_source_length} pieces, but has {len(ids)} instead")
        return ids

    def _search(self, chunks: list[_Chunk], search: SearchStrategy, with_attention: bool, history: History | None = None) -> None:
        """Fill in the chunks' hypotheses."""
        source, mask = pad([[*chunk.ids, EOS] for chunk in chunks])
        constraints = Constraints(forbidden_ids(search, self.tokenizers.target), [chunk.prefix for chunk in chunks])
        found = search(self.model, source, mask, constraints=constraints, with_attention=with_attention, history=history)
        for sentence, (chunk, hypotheses) in enumerate(zip(chunks, found, strict=True)):
            ranked = search.rank(hypotheses, self.tokenizers.target.decode)
            chunk.hypotheses = [replace(hypotheses[place], score=score) for place, score in ranked]
            if history is not None:
                history.ends[sentence] = [history.ends[sentence][place] for place, _ in ranked]

    def _without_loop(self, found: Hypothesis, prefix: int) -> Hypothesis:
        """A hypothesis that ran to its limit in a loop, cut after the first round, but within no prefix and no character."""
        end = None if found.finished else loop_end(found.tokens)
        if end is None:
            return found
        end = max(end, prefix)
        following = self.tokenizers.target.pieces(found.tokens[end:])
        end += next((place for place, piece in enumerate(following) if not continues_character(piece)), len(following))
        attention = None if found.attention is None else found.attention[:end]
        return replace(found, tokens=found.tokens[:end], attention=attention, repeating=True)

    def _translation(self, text: str, chunk: _Chunk) -> Translation:
        """Of a chunk of the text, which most often is all of it."""
        texts = self.tokenizers.target.decode([found.tokens for found in chunk.hypotheses])
        return Translation(
            text,
            [*self.tokenizers.source.pieces(chunk.ids), _END_MARK],
            [
                TranslatedHypothesis(
                    text=written,
                    pieces=self.tokenizers.target.pieces(found.tokens) + [_END_MARK] * found.finished,
                    log_prob=found.log_prob,
                    score=found.score,
                    finished=found.finished,
                    attention=found.attention,
                    repeating=found.repeating,
                )
                for written, found in zip(texts, chunk.hypotheses, strict=True)
            ],
        )


def _is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: white space, and signs of control and format, such as U+200B."""
    text = text.strip()
    if text and text[0].isprintable():
        return False
    return all(sign.isspace() or unicodedata.category(sign) in ("Cc", "Cf") for sign in text)


def forbidden_ids(search: SearchStrategy, tokenizer: Tokenizer) -> list[int]:
    """The ids of the search's ``forbidden_pieces``. Raises ``UserError`` for one that the vocabulary does not have."""
    ids = []
    for piece in search.forbidden_pieces:
        number = tokenizer.id_of(piece)
        if number is None:
            hint = f"; did you mean `▁{piece}`?" if tokenizer.id_of(f"▁{piece}") is not None else ""
            raise UserError(f"`forbidden_pieces` must be pieces of the target's vocabulary, but `{piece}` is none{hint}")
        ids.append(number)
    return ids
