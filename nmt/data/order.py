"""A random order of a corpus that is never made: any stretch of it is found by arithmetic, without memory for the rest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6


def generator(seed: int, *place: int) -> np.random.Generator:
    """Random numbers for one place (epoch; epoch and shard; …), independent of those of all other places."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


def permuted(positions: NDArray[np.integer[Any]], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """What stands at ``positions`` of a random permutation of range(count).

    A Feistel network permutes the numbers of twice n bits (Luby & Rackoff 1988); those that leave the range go through it again
    until they are back (Black & Rogaway 2002), less than four times on average.
    """
    bits = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
    keys = rng.integers(2**64, size=_ROUNDS, dtype=np.uint64)
    numbers = _network(positions.astype(np.uint64), bits, keys)
    while len(outside := np.flatnonzero(numbers >= count)):
        numbers[outside] = _network(numbers[outside], bits, keys)
    return numbers.astype(np.int64)


def _network(numbers: NDArray[np.uint64], bits: np.uint64, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mask = np.uint64((1 << int(bits)) - 1)
    left, right = numbers >> bits, numbers & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    joined: NDArray[np.uint64] = left << bits | right
    return joined


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    numbers ^= numbers >> np.uint64(31)
    return numbers
