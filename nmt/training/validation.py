"""Validation: loss, and BLEU through the translator that a user gets (with greedy search unless told otherwise)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.data.batch import Batch
from nmt.evaluation import bleu
from nmt.models.seq2seq import Seq2Seq
from nmt.models.torch_model import TorchModel
from nmt.search import SearchStrategy
from nmt.tokenizer import TokenizerPair
from nmt.training.loss import LIKELIHOOD, Objective, Projection, perplexity, projected_cross_entropy
from nmt.training.processes import ONE_PROCESS, Processes
from nmt.translator import Translator


@dataclass
class Validator:
    """Validates a model: loss on ``batches``, BLEU of ``sources`` against ``references`` with ``search``.

    Each of the ``processes`` does its share of both, and all have the result.
    """

    batches: list[Batch]
    sources: list[str]
    references: list[str]
    tokenizers: TokenizerPair
    search: SearchStrategy
    target_language: str
    tokenize: str | None
    device: torch.device
    max_source_length: int
    processes: Processes = ONE_PROCESS

    def __call__(self, model: Seq2Seq) -> tuple[dict[str, float], list[str]]:
        """loss (nats a token, without smoothing), perplexity, BLEU and the seconds it took; and the translations."""
        began = time.monotonic()
        loss = self.loss(model)
        translator = Translator(TorchModel(model, self.device), self.tokenizers, self.search, self.max_source_length)
        translations = translate(translator, self.sources, self.processes)
        score = bleu(translations, self.references, tokenize=self.tokenize, target_language=self.target_language).score
        values = {"loss": loss, "perplexity": perplexity(loss), "bleu": score, "seconds": time.monotonic() - began}
        return values, translations

    @torch.no_grad()
    def loss(self, model: Seq2Seq) -> float:
        """Negative log-likelihood in nats a target token, end marks included."""
        was_training = model.training
        model.eval()

        def losses(batches: Sequence[Batch]) -> list[float]:
            found = [batch_loss(model, batch.to(self.device))[1] for batch in batches]
            return [float(loss) for loss in found]  # after all: a GPU is asked once it is done

        total = sum(self.processes.map(losses, self.batches))
        model.train(was_training)
        return total / sum(batch.target_tokens for batch in self.batches)


def evenly(texts: Sequence[str], limit: int) -> list[str]:
    """At most ``limit`` of the ``texts``, at equal distances from the first on: a file may be sorted by length."""
    number = min(limit, len(texts))
    return [texts[place * len(texts) // number] for place in range(number)]


def translate(translator: Translator, sources: Sequence[str], processes: Processes) -> list[str]:
    """The best translation of each source, all of them in every process, each having made its share."""
    return processes.map(lambda share: [translation.text for translation in translator.translate(share)], sources)


def batch_loss(
    model: Seq2Seq,
    batch: Batch,
    objective: Objective = LIKELIHOOD,
    teachers: Sequence[Seq2Seq] = (),
) -> tuple[Tensor, Tensor]:
    """The loss of a batch in the form of the ``objective``, with gradients, and its negative log-likelihood, without.

    Both are sums over its target tokens. The ``teachers`` are in evaluation mode.
    """
    with torch.no_grad():
        soft = [_projection(teacher, batch) for teacher in teachers]
    return projected_cross_entropy(_projection(model, batch), batch.labels, objective, soft)


def _projection(model: Seq2Seq, batch: Batch) -> Projection:
    """What the model expects for each of the batch's target tokens, up to the output projection."""
    features = model.features(batch.source, batch.source_mask, batch.target_in)
    # [batch, tgt_len, size] → [target_tokens, size]: padding is never projected
    predicting = features.flatten(0, 1).index_select(0, batch.positions)
    return Projection(predicting, model.output.weight, model.output.bias)
