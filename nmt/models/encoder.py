"""The recurrent encoder: embeddings, then stacked layers that read in one direction or in both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmt.models.base import Encoded, Encoder
from nmt.models.cells import build_layer
from nmt.models.config import Cell, Direction
from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.layer_norm import LayerNorm
from nmt.models.recurrent import RecurrentLayer, last_outputs, reverse


class DirectedLayer(nn.ModuleDict):
    """A recurrent layer for each direction, over padded sequences; the backward one starts at each sentence's last token.

    Positions beyond a sentence's end hold values without meaning: both directions reach them only after the real tokens.
    """

    def __init__(self, direction: Direction, cell: Cell, input_size: int, hidden_size: int) -> None:
        super().__init__({name: build_layer(cell, input_size, hidden_size) for name in direction.names})

    def forward(self, inputs: Tensor, lengths: Tensor, with_final: bool) -> tuple[Tensor, list[Tensor]]:
        """inputs [batch, length, input_size], lengths [batch]
        → outputs [batch, length, directions × hidden_size]; if asked for, each direction's state after its last real token.
        """
        outputs, final = [], []
        for name, layer in self.by_direction().items():
            backwards = name == "backwards"
            start = inputs.new_zeros(inputs.shape[0], layer.state_size)
            states, last = layer(reverse(inputs, lengths) if backwards else inputs, start, lengths if with_final else None)
            outputs.append(reverse(states, lengths) if backwards else states)
            final.append(last)
        return torch.cat(outputs, dim=-1), final if with_final else []

    def by_direction(self) -> dict[str, RecurrentLayer]:
        """The layers by the name of their direction."""
        return dict(self.items())  # type: ignore[arg-type]


class RecurrentEncoder(Encoder):
    """Layers with dropout before each; with ``residual`` connections from the second on, and ``layer_norm`` after each.

    ``with_final``: the final states are asked for; ``with_states``: those of the top layer are.
    """

    def __init__(
        self,
        embedding: Embedding,
        cell: Cell,
        direction: Direction,
        input_size: int,
        hidden_size: int,
        layers: int,
        dropout: Dropout,
        *,
        residual: bool,
        layer_norm: bool,
        with_final: bool,
        with_states: bool,
    ) -> None:
        super().__init__()
        size = len(direction.names) * hidden_size
        self.embedding = embedding
        self.layers = nn.ModuleList(
            DirectedLayer(direction, cell, input_size if i == 0 else size, hidden_size) for i in range(layers)
        )
        normed = range(layers if with_states else layers - 1) if layer_norm else ()
        self.norms = nn.ModuleList(LayerNorm(size) if i in normed else nn.Identity() for i in range(layers))
        self.dropout = dropout
        self.direction = direction
        self.residual = residual
        self.state_parts = cell.state_parts
        self.with_final = with_final

    def forward(self, source: Tensor, mask: Tensor) -> Encoded:
        """See ``Encoder``. The summary is each direction's output, after residual and norm, where it has read the whole
        sentence: at its last token, or at its first.
        """
        lengths = mask.sum(dim=1)
        final = []
        states = words = self.embedding(source)
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            below = states if i == 0 else self.dropout(states)
            above, last = layer(below, lengths, self.with_final)
            states = norm(states + self.dropout(above) if self.residual and i > 0 else above)
            final.append(last)
        return Encoded(self.dropout(states), words, mask, self._summary(states, lengths), self._joined(final, states))

    def recurrent_layers(self) -> list[dict[str, RecurrentLayer]]:
        return [layer.by_direction() for layer in self.layers]  # type: ignore[operator]

    def _summary(self, states: Tensor, lengths: Tensor) -> Tensor:
        names = self.direction.names
        parts = zip(names, states.chunk(len(names), dim=-1), strict=True)
        return torch.cat([last_outputs(part, lengths) if name == "forwards" else part[:, 0] for name, part in parts], dim=-1)

    def _joined(self, final: list[list[Tensor]], states: Tensor) -> Tensor:
        """The states of all layers [batch, layers, state_size]: h of all directions, then c of all."""
        if not self.with_final:
            return states.new_zeros(states.shape[0], 0, 0)
        # a direction's [h; c] → [batch, parts, hidden]; directions side by side → [batch, parts × directions × hidden]
        layers = [torch.cat([state.unflatten(-1, (self.state_parts, -1)) for state in last], dim=-1) for last in final]
        return torch.stack([layer.flatten(1) for layer in layers], dim=1)
