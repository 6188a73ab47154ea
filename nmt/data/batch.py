"""Padded batches of token ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nmt.data.sequences import Lists, Sequences, pad
from nmt.tokenizer import BOS, EOS


@dataclass(frozen=True)
class Batch:
    """Padded sentences: source, source_mask [batch, src_len], target_in [batch, tgt_len]; and what to predict, unpadded.

    A source ends in EOS, target_in starts with BOS. ``positions`` [target_tokens] are the places of the real tokens in the
    flattened target_in, ``labels`` [target_tokens] the tokens that follow them, EOS last.
    """

    source: Tensor
    source_mask: Tensor
    target_in: Tensor
    positions: Tensor
    labels: Tensor

    @property
    def target_tokens(self) -> int:
        """Target tokens to predict, end marks included."""
        return len(self.labels)

    @property
    def padding(self) -> tuple[int, int]:
        """Positions that hold padding, and all positions, of both sides. Waits for the device: ask the batch on the CPU."""
        total = self.source.numel() + self.target_in.numel()
        return total - int(self.source_mask.sum()) - len(self.labels), total

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self._tensors))

    def pinned(self) -> Batch:
        """The batch in memory that a GPU copies from without the processor's help."""
        return Batch(*(tensor.pin_memory() for tensor in self._tensors))

    @property
    def _tensors(self) -> tuple[Tensor, ...]:
        return self.source, self.source_mask, self.target_in, self.positions, self.labels

    def share(self, rank: int, size: int) -> Batch:
        """Every ``size``-th sentence from number ``rank`` on. Where there is none: the first, with nothing to predict."""
        if size == 1:
            return self
        sentences, width = self.target_in.shape
        rows = torch.arange(rank if rank < sentences else 0, sentences, size)
        mine = self.positions // width % size == rank
        row, column = self.positions[mine] // width // size, self.positions[mine] % width
        src_len = int(self.source_mask[rows].sum(dim=1).max())
        tgt_len = 1 + max(column.tolist(), default=0)
        share = Batch(
            self.source[rows, :src_len],
            self.source_mask[rows, :src_len],
            self.target_in[rows, :tgt_len],
            row * tgt_len + column,
            self.labels[mine],
        )
        return share.pinned() if self.source.is_pinned() else share


def collate(sources: Lists, targets: Lists) -> Batch:
    """Token ids without marks → a Batch."""
    targets = Sequences.of(targets)
    source, source_mask = map(torch.from_numpy, pad(Sequences.of(sources).ended_by(EOS)))
    target_in, target_mask = map(torch.from_numpy, pad(targets.begun_by(BOS)))
    positions = target_mask.flatten().nonzero().squeeze(1)
    labels = torch.from_numpy(targets.ended_by(EOS).values.astype(np.int64))
    return Batch(source, source_mask, target_in, positions, labels)
