"""How far back a recurrent layer remembers: the norm of ∂h_T/∂s_t against the distance T − t.

A layer's last output h_T is a function of the state s_t that it had some positions before (h; of an LSTM [h; c], as what it
remembers is in c). Where the Jacobian vanishes with the distance, neither can the output tell what stood at t, nor can the
gradient teach it to (Bengio et al. 1994; Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, section 2.1).

The number is the root mean square of its singular values, ‖∂h_T/∂s_t‖_F / √hidden: 1 at distance 0, and 1 at every distance
where a GRU keeps its state as it is. An LSTM that keeps its c shows it through o (1 − tanh² c), so its curve may run lower at
every distance and tell the same: it is the fall that compares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.errors import UserError
from nmt.inspection.trace import watching
from nmt.models.recurrent import RecurrentLayer
from nmt.models.seq2seq import Seq2Seq
from nmt.tokenizer import EOS

LONGEST = 40  # distances, in pieces
_PROBES = 128  # rows of a Jacobian that are computed at most
_FEWEST = 5  # sentences that a distance is told of


@dataclass
class MemoryCurve:
    """Norms by distance, [distances] each, from distance 0 on.

    ``norm`` is the geometric mean over the sentences, as it is factors that a distance adds up; ``lower`` and ``upper`` are
    the quartiles, between which half of the sentences lie. ``sentences`` are those that are longer than the distance; a
    distance that fewer than 5 of them reach is left out, unless no more were given.
    """

    norm: Tensor
    lower: Tensor
    upper: Tensor
    sentences: Tensor


def memory_curve(model: Seq2Seq, sources: Sequence[Sequence[int]], longest: int = LONGEST) -> MemoryCurve:
    """The curve of the encoder's lowest layer, in its first direction, over ``sources``, ids without the end mark.

    T is the position that the layer reads last: the end mark, or the first piece if it reads backwards. Raises ``UserError``
    if the model has no recurrent encoder, or if there is no sentence.
    """
    layer = lowest_layer(model)
    if not sources:
        raise UserError("there must be at least one sentence to measure memory on, but there is none")
    device = model.output.weight.device
    curves = []
    for source in sources:
        ids = torch.tensor([[*source, EOS]], device=device)
        with torch.no_grad(), watching([layer]) as (watch,):
            model.encode(ids, torch.ones_like(ids, dtype=torch.bool))
        assert watch.start is not None
        curves.append(jacobian_norms(layer, watch.inputs[0].squeeze(0), watch.start.squeeze(0), longest).cpu())
    return _averaged(curves)


def lowest_layer(model: Seq2Seq) -> RecurrentLayer:
    """The layer that is measured. Raises ``UserError`` if the model has no recurrent encoder."""
    layers = model.encoder.recurrent_layers()
    if not layers:
        raise UserError("the model must have a recurrent encoder for its memory to be measured, but is a Transformer instead")
    return next(iter(layers[0].values()))


def jacobian_norms(layer: RecurrentLayer, inputs: Tensor, start: Tensor, longest: int = LONGEST) -> Tensor:
    """‖∂h_T/∂s_t‖_F / √hidden at the distances T − t = 0, 1, …, at most ``longest``, for one sequence: inputs [length,
    input_size], start [state_size] → [distances].

    Exact up to 128 hidden units. Of more, 128 random orthonormal directions (of a fixed seed) stand for the output: the mean
    square over them is an unbiased estimate (Hutchinson 1990).
    """
    rows = probes(layer.hidden_size, _PROBES).to(inputs)
    states = _states(layer, inputs, start)
    # ∂ rows · h_T / ∂s_T; of [h; c], c_T takes no part in h_T beyond what h_T is
    product = torch.cat([rows, rows.new_zeros(len(rows), layer.state_size - layer.hidden_size)], dim=1)
    norms = [product.double().square().sum()]
    for position in range(len(inputs) - 1, max(0, len(inputs) - 1 - longest), -1):
        before = states[position - 1].expand(len(rows), -1).clone().requires_grad_()
        with torch.enable_grad():
            # one input for all rows: the equations spread it, and multiply it by their matrices but once
            after = layer.step(inputs[position].unsqueeze(0), before).state
        # row by row: (∂ row · h_T / ∂s_t) (∂s_t / ∂s_{t−1})
        (product,) = torch.autograd.grad(after, before, product)
        norms.append(product.double().square().sum())  # in fp32 the squares vanish long before the norms do
    return (torch.stack(norms) / layer.hidden_size).sqrt()


def probes(size: int, most: int) -> Tensor:
    """Rows [min(size, most), size] whose squared products with any matrix [size, …] sum up to its squared norm, in the mean:
    all unit vectors, or, of more than ``most``, random orthonormal ones that are longer.
    """
    if size <= most:
        return torch.eye(size)
    generator = torch.Generator().manual_seed(1)
    orthonormal: Tensor = torch.linalg.qr(torch.randn(size, most, generator=generator))[0]
    return orthonormal.T * math.sqrt(size / most)


@torch.no_grad()
def _states(layer: RecurrentLayer, inputs: Tensor, start: Tensor) -> list[Tensor]:
    """The state [state_size] after each position."""
    states = [start.to(inputs)]
    for position in inputs:
        states.append(layer.step(position.unsqueeze(0), states[-1].unsqueeze(0)).state.squeeze(0))
    return states[1:]


def _averaged(curves: list[Tensor]) -> MemoryCurve:
    fewest = min(_FEWEST, len(curves))
    columns = []
    for distance in range(max(map(len, curves))):
        norms = torch.stack([curve[distance] for curve in curves if len(curve) > distance]).double()
        if len(norms) < fewest:
            break
        quartiles = norms.quantile(norms.new_tensor([0.25, 0.75]))
        smallest = torch.finfo(torch.float32).tiny  # what has vanished altogether has no logarithm
        columns.append((norms.clamp(min=smallest).log().mean().exp(), *quartiles, torch.tensor(len(norms))))
    norm, lower, upper, sentences = (torch.stack(column) for column in zip(*columns, strict=True))
    return MemoryCurve(norm, lower, upper, sentences)
