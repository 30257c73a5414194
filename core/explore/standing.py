"""Where a track stands among all in popularity."""

import numpy as np


class Standing:
    """Ranks and percentiles of tracks by the number of playlists that hold them.

    Parameters
    ----------
    counts : int array, shape (n_tracks,)
    """

    def __init__(self, counts: np.ndarray) -> None:
        self._counts = counts
        self._rising = np.sort(counts)

    def ranks(self, tracks: np.ndarray) -> np.ndarray:
        """From 1, the most popular; equal counts share the better rank. int64, shape (n,)."""
        at_most = np.searchsorted(self._rising, self._counts[tracks], side="right")
        return len(self._rising) - at_most + 1

    def percentiles(self, tracks: np.ndarray) -> np.ndarray:
        """Share of all tracks that fewer playlists hold, 0 to 1. float64, shape (n,)."""
        fewer = np.searchsorted(self._rising, self._counts[tracks], side="left")
        return fewer / max(len(self._rising), 1)
