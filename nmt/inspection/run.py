"""The whole network over one sentence and its translation: who looked where, and every gate on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.inspection.trace import Trace, watching, watching_gate
from nmt.models.seq2seq import Seq2Seq
from nmt.models.torch_model import evaluating
from nmt.tokenizer import BOS


@dataclass(kw_only=True)
class Activations:
    """What the network computed, all on the CPU. Position t of the source is piece t; position t of the target is the step
    that writes piece t, and so reads the piece before it (at first the begin mark).

    ``token_log_probs`` [tgt_len]: of each piece of the translation, given those before it (natural logarithm).
    ``attention`` [tgt_len, src_len]: rows sum to 1; None if the model has none. Of a Transformer its last layer's, the mean
    over heads.
    ``directions``: of the encoder's layers, ``forwards`` or ``backwards`` or both in this order.
    ``encoder_states`` [layers, directions, src_len, state_size], ``decoder_states`` [layers, tgt_len, state_size]: h, or of an
    LSTM [h; c]; lowest layer first.
    ``encoder_gates`` and ``decoder_gates``: the same for each gate by its name, [layers, directions, src_len, hidden] and
    [layers, tgt_len, hidden]. A GRU has ``reset``, ``update`` and ``candidate``, an LSTM ``input``, ``forget``, ``candidate``
    and ``output``, a simple layer none. ``update`` = 1 takes the candidate. Gates lie in [0, 1], candidates in [−1, 1].
    ``context_gate`` [tgt_len, feature_size], in [0, 1]: at 1 a feature of the readout is the source's, at 0 the target's; None if
    the model has none.

    A network without recurrent layers has 0 ``layers``, no ``directions`` and no gates.
    """

    token_log_probs: Tensor
    attention: Tensor | None
    directions: list[str]
    encoder_states: Tensor
    encoder_gates: dict[str, Tensor]
    decoder_states: Tensor
    decoder_gates: dict[str, Tensor]
    context_gate: Tensor | None = None


def run(model: Seq2Seq, source_ids: Sequence[int], target_ids: Sequence[int]) -> Activations:
    """Force the model through a translation: the source with its end mark, the target as written, with the end mark if it has
    one.
    """
    source, target = (torch.tensor(ids, device=model.output.weight.device) for ids in (source_ids, target_ids))
    with evaluating(model):
        return _run(model, source, target)


def _run(model: Seq2Seq, source: Tensor, target: Tensor) -> Activations:
    """source [src_len], target [tgt_len]"""
    encoder_layers = model.encoder.recurrent_layers()
    directions = list(encoder_layers[0]) if encoder_layers else []
    below = [layer for by_direction in encoder_layers for layer in by_direction.values()]
    layers, gate = model.decoder.recurrent_layers(), model.decoder.context_gate()
    with watching(below) as encoding, watching(layers) as decoding, watching_gate(gate) as shares:
        memory = model.encode(source.unsqueeze(0), torch.ones_like(source, dtype=torch.bool).unsqueeze(0))
        target_in = torch.cat([target.new_tensor([BOS]), target[:-1]])
        features, _, attention = model.decoder(target_in.unsqueeze(0), model.start(memory, width=1), memory)
    log_probs = model.output(features).squeeze(0).float().log_softmax(dim=-1)
    read = [watch.trace() for watch in encoding]
    written = [watch.trace() for watch in decoding]
    return Activations(
        token_log_probs=log_probs.gather(1, target.unsqueeze(1)).squeeze(1).cpu(),
        attention=None if attention is None else attention.squeeze(0).float().cpu(),
        directions=directions,
        encoder_states=_by_direction([trace.states for trace in read], directions, len(source)),
        encoder_gates={
            name: _by_direction([trace.gates[name] for trace in read], directions, len(source)) for name in _gates(read)
        },
        decoder_states=_stacked([trace.states for trace in written], len(target)),
        decoder_gates={name: _stacked([trace.gates[name] for trace in written], len(target)) for name in _gates(written)},
        context_gate=torch.cat(shares, dim=1).squeeze(0).float().cpu() if shares else None,
    )


def _gates(traces: list[Trace]) -> list[str]:
    return list(traces[0].gates) if traces else []


def _stacked(values: list[Tensor], length: int) -> Tensor:
    """[length, size] each → [layers, length, size]."""
    return torch.stack(values).cpu() if values else torch.zeros(0, length, 0)


def _by_direction(values: list[Tensor], directions: list[str], length: int) -> Tensor:
    """[length, size] each, direction by direction in the order in which it reads, layer by layer
    → [layers, directions, length, size] in the order of the sentence.
    """
    if not values:
        return torch.zeros(0, 0, length, 0)
    names = directions * (len(values) // len(directions))
    turned = [value.flip(0) if name == "backwards" else value for name, value in zip(names, values, strict=True)]
    together: Tensor = torch.stack(turned).unflatten(0, (-1, len(directions)))
    return together.cpu()
