"""One update of the weights, and what guards it: against too little memory, and against numbers that are not finite."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmt.data.batch import Batch
from nmt.errors import UserError, is_out_of_memory
from nmt.models.seq2seq import Seq2Seq
from nmt.training.config import Precision, TrainingConfig
from nmt.training.figures import Figures, Skips
from nmt.training.loss import Objective
from nmt.training.memory import halves
from nmt.training.precision import resolve_precision
from nmt.training.processes import Processes
from nmt.training.randomness import random_state, restore_random_state
from nmt.training.state import TrainingState
from nmt.training.validation import batch_loss


class Updater:
    """Updates the weights of ``training``; ``figures`` and ``skips`` tell how it went.

    ``loss`` is a ``BatchLoss`` that the ``processes`` have made parallel.
    """

    def __init__(
        self, config: TrainingConfig, loss: nn.Module, training: TrainingState, device: torch.device, processes: Processes
    ) -> None:
        self.config = config
        self.loss = loss
        self.processes = processes
        self.training = training
        self.device = device
        self.in_bf16 = resolve_precision(config.precision, device) is Precision.bf16
        self.figures = Figures(device)
        self.skips = Skips(device)

    def __call__(self, batches: Sequence[Batch], step: int, rate: float) -> None:
        """Update number ``step`` with the loss a target token of all ``batches``, at the learning rate ``rate``.

        If loss or gradient are not finite, weights, moments and average stay as they are.
        """
        optimizer, average = self.training.optimizer, self.training.average
        loss, nll = self.processes.add_up(self._backward(batches, exchange=True))
        grads = [parameter.grad for parameter in average.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads, foreach=True)
        finite = (norm + loss).isfinite()
        for group in optimizer.param_groups:
            group["lr"] = rate
        # The fused kernel divides gradients by the one, which clips them, and skips by the other, on the device.
        optimizer.grad_scale = (norm / self.config.clip_norm).clamp(min=1)  # type: ignore[attr-defined]
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(step, finite)
        self.skips.add(finite, step)
        self.figures.add(nll, finite, batches)

    def rehearse(self, batch: Batch) -> int:
        """Find out whether the batch fits into memory, and leave no trace; returns how often it had to be split."""
        random, before = random_state(self.device), self.figures.split
        self._backward([batch], exchange=False)
        self.training.optimizer.zero_grad(set_to_none=True)
        restore_random_state(random, self.device)
        split, self.figures.split = self.figures.split - before, before
        return split

    def _backward(self, batches: Sequence[Batch], exchange: bool) -> Tensor:
        """Gradients of this process's share; its part of the smoothed loss a token and of the negative log-likelihood, [2].

        What does not fit into memory is split in two. With ``exchange`` the gradients become those of all processes.
        """
        tokens = sum(batch.target_tokens for batch in batches)
        parts = [batch.share(self.processes.rank, self.processes.size) for batch in batches]
        sums: list[Tensor] = []
        while len(sums) < len(parts):
            try:
                last = len(sums) + 1 == len(parts)
                sums.append(self._backward_part(parts[len(sums)], tokens, exchange and last))
                continue
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.processes.size > 1:  # the others have the gradients in part, or wait for them
                    raise UserError(
                        f"`training.batch_tokens` must be so low that a share of a batch fits into memory in each of"
                        f" {self.processes.size} processes, but is {self.config.batch_tokens} instead"
                    ) from error
            # Here the traceback holds the tensors of the failed try no longer. Its gradients may be there in part.
            self.training.optimizer.zero_grad(set_to_none=True)
            parts[len(sums) : len(sums) + 1] = halves(parts[len(sums)])
            sums.clear()
            self.figures.split += 1
        return torch.stack(sums).sum(dim=0)

    def _backward_part(self, batch: Batch, tokens: int, exchange: bool) -> Tensor:
        with self.processes.exchanging(self.loss, exchange):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
                loss, nll = self.loss(batch.to(self.device))
            loss = loss / tokens
            (loss * self.processes.size).backward()  # the processes' gradients are averaged
        return torch.stack((loss.detach(), nll))


class BatchLoss(nn.Module):
    """``batch_loss`` as a module: what several processes wrap, to see its forward and backward.

    The ``teachers`` are no part of the module: they are neither trained nor told to be in training.
    """

    def __init__(self, model: Seq2Seq, objective: Objective, teachers: Sequence[Seq2Seq] = ()) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.teachers = tuple(teachers)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``batch_loss``."""
        return batch_loss(self.model, batch, self.objective, self.teachers)


def build_optimizer(model: Seq2Seq, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; matrices decay, biases and norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), fused=True)
