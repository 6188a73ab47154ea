"""Search: from a model's step probabilities to translations. Knows a model only by the protocol in
``base``.
"""

from nmt.search.base import Model, SearchStrategy
from nmt.search.beam import Beam
from nmt.search.greedy import Greedy
from nmt.search.hypothesis import Hypothesis
from nmt.search.mbr import MBR
from nmt.search.sampling import Sampling

STRATEGIES: dict[str, type[SearchStrategy]] = {"beam": Beam, "greedy": Greedy, "mbr": MBR, "sampling": Sampling}

__all__ = ["MBR", "STRATEGIES", "Beam", "Greedy", "Hypothesis", "Model", "Sampling", "SearchStrategy"]
