"""What the plots say in words: the page and the picture say the same."""

GATES = {
    "reset": "reset gate r: at 1 the candidate sees the old state, at 0 it does not",
    "update": "update gate z: at 1 the unit takes the candidate, at 0 it keeps its old state",
    "input": "input gate i: at 1 the memory cell takes in what is new, at 0 nothing of it",
    "forget": "forget gate f: at 1 the memory cell keeps what it held, at 0 it forgets it",
    "output": "output gate o: at 1 the memory cell is shown to the rest of the network, at 0 it is hidden",
    "context": "context gate g: at 1 the piece is chosen by what attention found in the source, at 0 by what was written before",
}
SHORT = {
    "reset": "reset r",
    "update": "update z",
    "input": "input i",
    "forget": "forget f",
    "output": "output o",
    "context": "context g",
}

TRANSLATIONS = (
    "What the search found, best first. It ranks by the score; log-probabilities are natural logarithms, summed over the pieces, "
    "and nearer to 0 is likelier."
)
PROBABILITIES = (
    "How likely the model held each piece of the best translation, given the source and the pieces before it. "
    "The sign ␣ is a space before a piece, </s> the end mark."
)
ATTENTION = (
    "Each row is the step that writes the piece at its left; bright columns are the source pieces that it looked at. "
    "A row sums up to 1; dark is 0, and the brightest colour is {high:.2f}."
)
TERMINAL_ATTENTION = (
    "Each row is the step that writes the piece at its left, each column a piece of the source, whose name is read downwards. "
    "The fuller a cell, the more the step looked there: empty is 0, and the fullest █ is {high:.2f}."
)
NO_ATTENTION = "This model has no attention: its decoder never looks back at single pieces of the source."
GATES_SEEN = (
    "Lines are means over the units of a layer. Below them a row of pixels is a unit and a column is a piece; dark is 0, bright "
    "is 1. Units stand in the order of their means, the most open ones on top."
)
TERMINAL_GATES = (
    "Bars are means over the units of a layer, ▁ is 0 and █ is 1; the number before them is their mean. Layer 1 is the lowest, "
    "→ reads from the left and ← from the right; “out” is the readout."
)
ENCODER = (
    "The encoder reads the source: forwards from the left, backwards from the right. A column is what a layer does as it reads "
    "that piece."
)
DECODER = (
    "The decoder writes the translation from left to right. A column is the step that writes that piece; it has read the one "
    "before."
)
NO_GATES = "This model's layers have no gates: there is nothing to open or to shut."
TREE = (
    "From left to right what the search wrote, each piece with the log-probability of all up to it. The best translation has a "
    "coloured border, the others that were kept a dark one; what the search gave up is grey. What ends has a round border "
    "and its score."
)
MEMORY = (
    "How strongly the output of the encoder's lowest layer at its last position depends on its state some pieces before: the "
    "norm of ∂h_T/∂s_t, as the root mean square of its singular values, by the distance T − t. At 1 all is passed on. Where a "
    "curve has fallen to almost nothing, almost no gradient comes back: what stood there is forgotten. The scale goes by powers "
    "of ten, so that a straight fall is a loss by the same factor at every piece. An LSTM shows its memory c through its output "
    "gate, so its curve may run lower everywhere: compare how the curves fall."
)
MEMORY_BAND = "Lines are geometric means over the sentences; half of the sentences lie within the band around a line."
