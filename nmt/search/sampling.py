"""Sampling: translations drawn from the model's own distribution."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nmt.errors import UserError
from nmt.search.base import Decode, Model, SearchStrategy, as_found, at_least
from nmt.search.constraints import UNCONSTRAINED, Constraints
from nmt.search.hypothesis import Hypothesis
from nmt.search.loop import decode
from nmt.search.record import History
from nmt.search.step import Candidates, Step


@dataclass
class Sampling(SearchStrategy):
    """Draws ``n_best`` translations a sentence, independently (the same one may come several times).

    ``temperature`` divides the log-probabilities: below 1 sharper, above 1 flatter. ``top_k`` draws from the
    k likeliest pieces only (0: from all), ``top_p`` from the smallest set of likeliest pieces that together
    have this probability (nucleus sampling, Holtzman et al. 2020; after temperature and top_k; 1: from all).
    The score is the log_prob, and that is the model's own: these settings don't enter it.

    Reproducible: what is drawn depends on ``seed``, the source sentence and ``n_best`` only, not on the other
    sentences of the batch, on earlier calls or on NumPy's global generator. (A batch of another shape may
    round a probability differently, and so, once in a great while, flip a draw that lies on the edge.) The
    same sentence twice gives the same translations.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def check(self) -> None:
        at_least("top_k", self.top_k, 0)
        at_least("seed", self.seed, 0)
        if self.temperature <= 0:
            raise UserError(f"`temperature` must be above 0 (greedy search is the limit), but is {self.temperature} instead")
        if not 0 < self.top_p <= 1:
            raise UserError(f"`top_p` must be above 0 and at most 1, but is {self.top_p} instead")

    def __call__(
        self,
        model: Model[Any, Any],
        source: np.ndarray,
        source_mask: np.ndarray,
        *,
        constraints: Constraints = UNCONSTRAINED,
        with_attention: bool = False,
        history: History | None = None,
    ) -> list[list[Hypothesis]]:
        """See ``SearchStrategy``."""
        return decode(
            self,
            partial(self.draw, self.generators(source, source_mask)),
            model,
            source,
            source_mask,
            width=self.n_best,
            slots=self.n_best,
            constraints=constraints,
            with_attention=with_attention,
            history=history,
        )

    def rank(self, hypotheses: list[Hypothesis], decode: Decode) -> list[tuple[int, float]]:
        """See ``SearchStrategy``."""
        return as_found(hypotheses)

    def generators(self, source: np.ndarray, source_mask: np.ndarray) -> list[np.random.Generator]:
        """One a sentence, so that the others of the batch change no draw."""
        seeds = (repr((self.seed, tokens[mask].tolist())) for tokens, mask in zip(source, source_mask, strict=True))
        digests = (hashlib.sha256(seed.encode()).digest() for seed in seeds)
        return [np.random.default_rng(int.from_bytes(digest, "big")) for digest in digests]

    def draw(self, generators: list[np.random.Generator], step: Step) -> Candidates:
        """Each hypothesis goes on with a token drawn by inverting the distribution's cumulative sum."""
        tokens, log_prob = self.shortlist(step)
        sharpened = log_prob.astype(np.float64) / self.temperature
        with np.errstate(invalid="ignore"):  # where nothing is permitted, all are -inf, and nothing is drawn
            sharpened -= sharpened.max(-1, keepdims=True)
            probability = np.exp(sharpened, out=sharpened)  # arrays of a whole vocabulary are large
            probability /= probability.sum(-1, keepdims=True)
        up_to = probability.cumsum(-1)
        if self.top_p < 1:  # a piece is in the nucleus if the likelier ones have not filled it yet
            up_to = np.where(up_to - probability < self.top_p, probability, 0.0).cumsum(-1)
        drawn_now = [generators[sentence].random(self.n_best) for sentence in step.live.sentences]
        uniform = np.stack(drawn_now)[:, : log_prob.shape[1], None]
        # Rounding may put the threshold beyond all: then it is the last.
        drawn = np.minimum((up_to <= uniform * up_to[..., -1:]).sum(-1, keepdims=True), log_prob.shape[-1] - 1)
        token, log_prob = (np.take_along_axis(array, drawn, axis=-1)[..., 0] for array in (tokens, log_prob))
        row = np.arange(token.size).reshape(token.shape)
        return Candidates(row, token, step.live.log_prob + log_prob)

    def shortlist(self, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """The tokens to draw from and their log-probabilities, likeliest first where the order matters."""
        if self.top_k:
            tokens, log_prob = step.likeliest(self.top_k)
            order = np.argsort(-log_prob, axis=-1, kind="stable")[..., : self.top_k]  # what may not come stands last
        else:
            log_prob = step.log_prob()
            tokens = np.broadcast_to(np.arange(log_prob.shape[-1]), log_prob.shape)
            if self.top_p == 1:
                return tokens, log_prob
            order = np.argsort(-log_prob, axis=-1)
        return np.take_along_axis(tokens, order, axis=-1), np.take_along_axis(log_prob, order, axis=-1)
