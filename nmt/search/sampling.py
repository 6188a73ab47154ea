"""Sampling: translations drawn from the model's own distribution."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.search.base import Model, SearchStrategy, at_least
from nmt.search.hypothesis import Hypothesis
from nmt.search.loop import Candidates, Step, decode
from nmt.search.record import History


@dataclass
class Sampling(SearchStrategy):
    """Draws ``n_best`` translations a sentence, independently (the same one may come several times).

    ``temperature`` divides the log-probabilities: below 1 sharper, above 1 flatter. ``top_k`` draws from the
    k likeliest pieces only (0: from all), ``top_p`` from the smallest set of likeliest pieces that together
    have this probability (nucleus sampling, Holtzman et al. 2020; after temperature and top_k; 1: from all).
    The score is the log_prob, and that is the model's own: these settings don't enter it.

    Reproducible: what is drawn depends on ``seed``, the source sentence and ``n_best`` only, not on the other
    sentences of the batch, on earlier calls or on torch's global generator. (A batch of another shape may
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
        source: Tensor,
        source_mask: Tensor,
        *,
        with_attention: bool = False,
        history: History | None = None,
    ) -> list[list[Hypothesis]]:
        """See ``SearchStrategy``."""
        steps = int(self.length_bounds(source_mask)[1].max()) if len(source) else 0
        draws = self.uniforms(source, source_mask, steps)
        return decode(
            self,
            partial(self.draw, draws),
            model,
            source,
            source_mask,
            width=self.n_best,
            slots=self.n_best,
            with_attention=with_attention,
            history=history,
        )

    def uniforms(self, source: Tensor, source_mask: Tensor, steps: int) -> Tensor:
        """Random numbers in [0, 1), [steps, sentences, n_best] float64: each sentence has its own generator."""
        draws = torch.empty(steps, len(source), self.n_best, dtype=torch.float64)
        for sentence, (tokens, mask) in enumerate(zip(source.cpu(), source_mask.cpu(), strict=True)):
            digest = hashlib.sha256(repr((self.seed, tokens[mask].tolist())).encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
            # Drawn one after the other, so that more steps for the batch's longest sentence change no draw.
            draws[:, sentence] = torch.rand(steps, self.n_best, dtype=torch.float64, generator=generator)
        return draws.to(source.device)

    def draw(self, draws: Tensor, step: Step) -> Candidates:
        """Each hypothesis goes on with a token drawn by inverting the distribution's cumulative sum."""
        log_prob, tokens = self.shortlist(step.next_log_prob)
        probability = (log_prob.double() / self.temperature).softmax(-1)
        # A piece is in the nucleus if the likelier ones have not filled it yet.
        likelier = probability.cumsum(-1) - probability
        up_to = probability.masked_fill(likelier >= self.top_p, 0.0).cumsum(-1)
        uniform = draws[step.number - 1, step.sentences, : log_prob.size(1), None]
        drawn = torch.searchsorted(up_to, uniform * up_to[..., -1:], right=True)
        # Rounding may put the threshold beyond all: then it is the last.
        drawn = drawn.clamp(max=log_prob.size(-1) - 1)
        token = tokens.gather(-1, drawn)
        place = torch.arange(log_prob.size(1), device=token.device).expand(log_prob.shape[:2])
        return Candidates(place, token.squeeze(-1), step.log_prob + log_prob.gather(-1, drawn).squeeze(-1))

    def shortlist(self, log_prob: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probabilities to draw from and their tokens, likeliest first where the order matters."""
        if self.top_k:
            return log_prob.topk(min(self.top_k, log_prob.size(-1)), dim=-1)
        if self.top_p < 1:
            return log_prob.sort(dim=-1, descending=True, stable=True)
        return log_prob, torch.arange(log_prob.size(-1), device=log_prob.device).expand(log_prob.shape)
