"""Invented playlists with the statistics of real ones: the demo, and data of any size for tests.

Styles, artists, songs, listeners and every name are made up. How often tracks occur follows the
Million Playlist Dataset (`law`); tracks live near their artists in a space of styles (`catalogue`);
playlists are windows on that space (`playlists`). Everything is a pure function of the seed and the
sizes, made batch by batch.
"""

from collections.abc import Iterator

import numpy as np

from core.dataset.sources.base import Batch
from core.dataset.sources.simulated.catalogue import Catalogue
from core.dataset.sources.simulated.law import count_law, lengths_for
from core.dataset.sources.simulated.noise import Noise
from core.dataset.sources.simulated.playlists import Listeners
from core.progress import SILENT, Progress

BATCH_PLAYLISTS = 2_000


def simulate(
    playlists: int = 4_000, tracks: int = 12_000, seed: int = 0, progress: Progress = SILENT
) -> Iterator[Batch]:
    """Yield invented playlists, some thousands at a time.

    Parameters
    ----------
    playlists : int
    tracks : int
        Distinct tracks that the playlists hold, give or take a few percent.
    seed : int
        Same seed and sizes, same playlists.
    progress : Progress

    Raises
    ------
    SegueError
        If the sizes do not fit together.
    """
    law = count_law(playlists, tracks)
    progress.update("Inventing artists and songs")
    listeners = Listeners(Catalogue(law, Noise(seed)), lengths_for(tracks))
    starts = range(0, playlists, BATCH_PLAYLISTS)
    for start in progress.track(starts, "Inventing playlists"):
        yield listeners.batch(np.arange(start, min(start + BATCH_PLAYLISTS, playlists)))
