"""The encoder: embeddings, then stacked bidirectional layers."""

import torch
from torch import Tensor, nn

from nmt.models.dropout import Dropout
from nmt.models.embedding import Embedding
from nmt.models.recurrent import BidirectionalLayer


class Encoder(nn.Module):
    """Bidirectional layers with dropout before each, residual connections from the second on, and layer norm after each."""

    def __init__(self, embedding: Embedding, input_size: int, hidden_size: int, layers: int, dropout: Dropout) -> None:
        super().__init__()
        size = 2 * hidden_size
        self.embedding = embedding
        self.layers = nn.ModuleList(BidirectionalLayer(input_size if i == 0 else size, hidden_size) for i in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers))
        self.dropout = dropout
        self.hidden_size = hidden_size

    def forward(self, source: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """source [batch, src_len], mask [batch, src_len] (True at real tokens)
        → states [batch, src_len, 2 × hidden], summary [batch, 2 × hidden].

        The summary is each direction's output, after residual and norm, where it has read the whole sentence.
        """
        lengths = mask.sum(dim=1)
        states = self.layers[0](self.embedding(source), lengths)
        states = self.norms[0](states)
        for layer, norm in zip(self.layers[1:], self.norms[1:], strict=True):
            states = norm(states + self.dropout(layer(self.dropout(states), lengths)))
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, self.hidden_size)
        left = states[..., : self.hidden_size].gather(1, last).squeeze(1)
        right = states[:, 0, self.hidden_size :]
        return self.dropout(states), torch.cat([left, right], dim=-1)
