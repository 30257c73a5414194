"""People's playlists over the catalogue: what they are about, what they hold, how they are called."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources.base import Batch, complete
from core.dataset.sources.simulated.catalogue import (
    CROSSOVER_SHARE,
    FAMILY_NAMES,
    FAMILY_OF_STYLE,
    STYLE_NAMES,
    Catalogue,
    Layout,
)
from core.dataset.sources.simulated.law import Lengths
from core.dataset.sources.simulated.names import Names, uris
from core.dataset.sources.simulated.words import (
    ARTIST_PLAYLISTS,
    ERA_PLAYLISTS,
    GENERIC_PLAYLISTS,
    GENRE_PLAYLISTS,
    MONTHS,
    MOODS,
    SEASONAL_PLAYLISTS,
)

KINDS = ("style", "artist", "era", "mood", "mix")
_KIND_SHARES = np.array([0.44, 0.08, 0.16, 0.22, 0.10])
_STYLE, _ARTIST, _ERA, _MOOD, _MIX = range(len(KINDS))

_PARTS = 5
_HITS, _NOISE = 3, 4
"""A playlist's parts: up to three windows on its theme, what crosses over, and anything."""

_SAME_FAMILY = 0.7
_GOLDEN = (5**0.5 - 1) / 2
_COPIED_SHARE = 0.004
_NOW = 1_735_689_600  # 2025-01-01
_YEAR_SECONDS = 31_556_952


@dataclass(frozen=True)
class Themes:
    """What each playlist of a batch is about.

    Attributes
    ----------
    ids : int64 array, shape (n,)
        Numbers of the playlists in the whole simulation.
    kind : int64 array, shape (n,)
        Index into `KINDS`.
    length : int64 array, shape (n,)
    place : float64 array, shape (n, 3)
        Where on its layout each theme part is centred.
    counts : int64 array, shape (n, 5)
        Entries of each part.
    """

    ids: np.ndarray
    kind: np.ndarray
    length: np.ndarray
    place: np.ndarray
    counts: np.ndarray


class Listeners:
    """Makes playlists; each depends on its number only, not on the batch it is in.

    Parameters
    ----------
    catalogue : Catalogue
    lengths : Lengths
    """

    def __init__(self, catalogue: Catalogue, lengths: Lengths) -> None:
        self._catalogue = catalogue
        self._lengths = lengths
        self._noise = catalogue.noise
        self._names = Names(catalogue)
        scene, other_scene = catalogue.scenes
        self._layouts = (scene, other_scene, catalogue.eras, catalogue.moods, catalogue.hits)

    def batch(self, ids: np.ndarray) -> Batch:
        """The playlists of these numbers."""
        themes = self.themes(ids)
        playlist, track = self.entries(themes)
        return Batch(
            self._describe(themes, playlist, track), self._wide(playlist, track)
        )
