"""What a translator does inside: gates, states, attention, the tree of its search, and how far back it remembers.

    trace     recurrent layers: watched while the model runs, recomputed by their equations
    run       the whole network over one sentence and its translation
    tree      what a search considered
    result    all of it as a value: what ``Translator.inspect`` gives
    memory    the norm of ∂h_T/∂s_t against the distance T − t

It stands before ``nmt.translator``, whose method ``inspect`` it serves, and so sees tensors and pieces, never a translator.
"""
