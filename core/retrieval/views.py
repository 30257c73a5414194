"""Playlists that are like this one in several views at once: tracks, artists, titles."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.progress import Progress
from core.retrieval.base import Queries
from core.retrieval.neighbours import ArtistKNN, PlaylistKNN
from core.retrieval.titles import Titles


class MultiViewKNN(PlaylistKNN):
    """Playlists that share tracks, artists and words of the title vote, see `Neighbours`.

    The similarity is the sum of those of `PlaylistKNN`, `ArtistKNN` and titles, each with its
    weight. What `Titles` says is added to the score: it leads where there is no seed. Seeds that no
    playlist holds speak through their artists.
    """

    name = "multi_view_knn"
    label = "Multi-view neighbours"
    source = "D. M. Kelen et al., RecSys Challenge 2018, https://doi.org/10.1145/3267471.3267477"
    uses_titles = True
    uses_metadata = True

    @dataclass(frozen=True)
    class Params(PlaylistKNN.Params):
        """Settings, besides those of `PlaylistKNN`.

        Attributes
        ----------
        artist_weight, title_weight : float
            Weight of a view in the similarity; tracks have 1.
        title_score : float
            Weight of the score of `Titles`.
        """

        artist_weight: float = 0.3
        title_weight: float = 0.1
        title_score: float = 0.03

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        self._restore(Titles().fit(dataset, seed, progress)._state(), dataset)

    def _state(self) -> dict[str, np.ndarray]:
        return self._titles._state()

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        super()._restore(arrays, dataset)
        self._artists = ArtistKNN().fit(dataset)
        self._titles = Titles()
        self._titles.n_tracks = self.n_tracks
        self._titles._restore(arrays, dataset)

    def _scores(self, queries: Queries) -> sparse.csr_array:
        tracks = self._vectors(queries)
        similarity = self._both(tracks, self._artists._vectors(queries))
        alike, said = self._titles.evidence(queries.titles)
        votes = self._votes(similarity + alike * self.params.title_weight)
        return sparse.csr_array(self._spread(votes, tracks) + said * self.params.title_score)

    def _both(self, tracks: sparse.csr_array, artists: sparse.csr_array) -> sparse.csr_array:
        """Similarity by tracks and artists."""
        by_artist = self._artists._similarity(artists) * self.params.artist_weight
        return sparse.csr_array(self._similarity(tracks) + by_artist)

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks, see `PlaylistKNN.seed_contributions`."""
        query = Queries.single(seeds)
        tracks, artists = self._vectors(query), self._artists._vectors(query)
        track_parts = self._parts(seeds, tracks)
        similarities = self._both(track_parts, self._artists._parts(seeds, artists))
        shares = self._divided(self._both(tracks, artists), similarities, tracks, track_parts)
        return shares[:, ids].toarray()
