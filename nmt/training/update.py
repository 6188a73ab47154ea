"""One update of the weights, and what guards it: against too little memory, and against numbers that are not finite."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nmt.data.batching import Batch
from nmt.models.seq2seq import Seq2Seq
from nmt.training.checkpoint import Training
from nmt.training.config import Precision, TrainingConfig
from nmt.training.figures import Figures, Skips
from nmt.training.memory import halves, is_out_of_memory
from nmt.training.randomness import random_state, restore_random_state
from nmt.training.validation import batch_loss


class Updater:
    """Updates the weights of ``training``; ``figures`` and ``skips`` tell how it went."""

    def __init__(self, config: TrainingConfig, model: Seq2Seq, training: Training, device: torch.device) -> None:
        self.config = config
        self.model = model
        self.training = training
        self.device = device
        self.figures = Figures(device)
        self.skips = Skips(device)

    def __call__(self, batches: Sequence[Batch], step: int, rate: float) -> None:
        """Update number ``step`` with the loss a target token of all ``batches``, at the learning rate ``rate``.

        If loss or gradient are not finite, weights, moments and average stay as they are.
        """
        optimizer, average = self.training.optimizer, self.training.average
        loss, nll = self._backward(batches)
        norm = torch.nn.utils.clip_grad_norm_(average.parameters, self.config.clip_norm, foreach=True)
        finite = (norm + loss).isfinite()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]  # by which the fused kernel skips, on the device
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(step, finite)
        self.skips.add(finite, step)
        self.figures.add(nll, finite, batches)

    def rehearse(self, batch: Batch) -> int:
        """Find out whether the batch fits into memory, and leave no trace; returns how often it had to be split."""
        random, before = random_state(self.device), self.figures.split
        self._backward([batch])
        self.training.optimizer.zero_grad(set_to_none=True)
        restore_random_state(random, self.device)
        split, self.figures.split = self.figures.split - before, before
        return split

    def _backward(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Gradients; the smoothed loss a token and the negative log-likelihood. What does not fit into memory is split in two."""
        tokens = sum(batch.target_tokens for batch in batches)
        pieces = list(batches)
        sums: list[Tensor] = []
        while len(sums) < len(pieces):
            try:
                sums.append(self._backward_piece(pieces[len(sums)], tokens))
                continue
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Here the traceback holds the tensors of the failed try no longer. Its gradients may be there in part.
            self.training.optimizer.zero_grad(set_to_none=True)
            pieces[len(sums) : len(sums) + 1] = halves(pieces[len(sums)])
            sums.clear()
            self.figures.split += 1
        loss, nll = torch.stack(sums).sum(dim=0)
        return loss, nll

    def _backward_piece(self, batch: Batch, tokens: int) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision is Precision.bf16):
            loss, nll = batch_loss(self.model, batch.to(self.device), self.config.label_smoothing)
        loss = loss / tokens
        loss.backward()
        return torch.stack((loss.detach(), nll))


def build_optimizer(model: Seq2Seq, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; matrices decay, biases and norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=True)
