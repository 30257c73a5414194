"""What changes between two lists of tracks: what enters, what leaves, what rises and falls."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Changes:
    """From one list to the next; places count from 1.

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        The new list.
    before : int32 array, shape (n,)
        Place of each in the old list; 0 for one that is new.
    left : int32 array, shape (m,)
        Tracks of the old list that are not in the new one, in their order.
    left_from : int32 array, shape (m,)
        Place that each had.
    """

    tracks: np.ndarray
    before: np.ndarray
    left: np.ndarray
    left_from: np.ndarray

    @property
    def after(self) -> np.ndarray:
        """Place of each track in the new list, int32, shape (n,)."""
        return np.arange(1, len(self.tracks) + 1, dtype=np.int32)

    @property
    def entered(self) -> np.ndarray:
        """Tracks that are new, in their order, int32."""
        return self.tracks[self.before == 0]

    @property
    def moved(self) -> np.ndarray:
        """Whether each track is in both lists, at another place, bool, shape (n,)."""
        return (self.before > 0) & (self.before != self.after)


def changes(before: np.ndarray, after: np.ndarray) -> Changes:
    """Compare two lists.

    Parameters
    ----------
    before, after : int arrays, shapes (b,), (a,)
        Distinct track ids, first to last.

    Returns
    -------
    Changes
    """
    gone = np.flatnonzero(~np.isin(before, after))
    return Changes(
        after.astype(np.int32),
        places_in(before, after),
        before[gone].astype(np.int32),
        (gone + 1).astype(np.int32),
    )


def places_in(listed: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Place of each track in a list, from 1, int32; 0 where it is not in it."""
    places = {track: place for place, track in enumerate(listed.tolist(), 1)}
    return np.array([places.get(track, 0) for track in tracks.tolist()], np.int32)
