"""The floor of every table: what most playlists hold."""

from dataclasses import dataclass

import numpy as np

from core.dataset.dataset import Dataset
from core.retrieval.base import Queries, RetrievalModel


class Popularity(RetrievalModel):
    """Every playlist continues with the tracks that most playlists hold.

    The score of a track is the number of playlists that hold it. The model keeps nothing that the
    dataset does not know.
    """

    name = "popularity"
    label = "Popularity"
    source = "P. Cremonesi et al., RecSys 2010, https://doi.org/10.1145/1864708.1864721 (TopPop)"
    uses_seeds = False

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """No settings."""

    def _scores(self, queries: Queries) -> np.ndarray:
        return np.tile(self._counts, (len(queries), 1))

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        counts = dataset.counts.astype(np.float32)
        self._counts = np.where(counts > 0, counts, np.float32(-np.inf))
