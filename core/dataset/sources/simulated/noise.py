"""Random numbers by counter: a pure function of seed, purpose and keys.

A draw depends on nothing but what it is for (say "year", album 812), so a playlist is the same
whatever batch it comes in, and a track's name can be made again at any time instead of stored.
"""

import hashlib
from functools import cache

import numpy as np

Keys = np.ndarray | int
"""Integers; several broadcast against each other."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014), in place."""
    x ^= x >> np.uint64(30)
    x *= _FIRST
    x ^= x >> np.uint64(27)
    x *= _SECOND
    x ^= x >> np.uint64(31)
    return x


@cache
def _start(seed: int, purpose: str) -> int:
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


class Noise:
    """Independent draws for every purpose and key.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def bits(self, purpose: str, *keys: Keys) -> np.ndarray:
        """64 random bits for each element of the broadcast integer keys, uint64."""
        state = np.full(np.broadcast_shapes(*(np.shape(key) for key in keys)), _GOLDEN)
        state *= np.uint64(_start(self._seed, purpose) | 1)
        for key in keys:
            state += np.asarray(key).astype(np.uint64) * _GOLDEN
            state = _mixed(state)
        return state

    def uniform(self, purpose: str, *keys: Keys) -> np.ndarray:
        """Uniform on the open interval (0, 1), float64."""
        return ((self.bits(purpose, *keys) >> np.uint64(11)) + 0.5) * 2.0**-53

    def normal(self, purpose: str, *keys: Keys) -> np.ndarray:
        """Standard normal, float64."""
        from scipy.special import ndtri

        return ndtri(self.uniform(purpose, *keys))

    def choice(self, weights: np.ndarray, purpose: str, *keys: Keys) -> np.ndarray:
        """Indices drawn in proportion to weights of shape (n,), int64."""
        shares = np.cumsum(weights) / np.sum(weights)
        return np.searchsorted(shares[:-1], self.uniform(purpose, *keys), side="right")
