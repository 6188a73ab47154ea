"""Token embeddings with the two kinds of dropout that small corpora need."""

from torch import Tensor, nn

from nmt.models.dropout import Dropout


class Embedding(nn.Module):
    """Rows of a matrix, ``scale`` times, then dropout of values and of whole tokens.

    ``word_dropout`` zeroes the whole vector of a token (Gal & Ghahramani 2016; Sennrich & Zhang 2019, section 3.1) and
    scales the others, so that the model can't lean on any one word.
    """

    def __init__(self, matrix: nn.Embedding, dropout: Dropout, word_dropout: float, scale: float) -> None:
        super().__init__()
        self.matrix = matrix
        self.scale = scale
        self.dropout = dropout
        self.word_dropout = Dropout(word_dropout, shared=2)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [batch, length] → [batch, length, embedding_size]."""
        embedded: Tensor = self.word_dropout(self.dropout(self.matrix(tokens) * self.scale))
        return embedded

    def vectors(self) -> Tensor:
        """What is read of each piece, without dropout: [vocab_size, embedding_size]."""
        return self.matrix.weight * self.scale


def embedding_matrix(vocab_size: int, embedding_size: int) -> nn.Embedding:
    """Start small enough that the matrix can serve as the output projection too."""
    matrix = nn.Embedding(vocab_size, embedding_size)
    nn.init.normal_(matrix.weight, std=embedding_size**-0.5)
    return matrix
