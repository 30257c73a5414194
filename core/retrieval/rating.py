"""Popularity rating: the neighbours' tracks in the order of a predicted popularity."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.progress import Progress
from core.retrieval.audio import described
from core.retrieval.base import Queries, RetrievalModel, unit
from core.retrieval.neighbours import PlaylistKNN, artist_counts, artist_vectors, rarity

_HELD_OUT = 0.1
"""Share of the rated tracks that `fit_quality` is measured on."""
_ROUNDS = 5
"""Rounds of subspace iteration."""
_BLOCK = 1 << 16
"""Tracks whose inputs are held at once."""


class PopularityRating(RetrievalModel):
    """The best of `PlaylistKNN`, ordered by the rating that audio and artist let expect.

    Tutorials and playlist projects often have a ranking stage that predicts one rating of a track,
    its popularity, with squared error, and orders what was retrieved by it. The rating does not
    depend on the playlist, so the stage throws away what retrieval knew. This model is here to
    measure what that costs: it is to be compared with `PlaylistKNN`, which it only re-orders.

    The rating is log(1 + count) with the count in the training view, standardised over the tracks
    that occur: what a source says of popularity is unknown for most tracks, and of another time.
    It is predicted by ridge regression, which was as exact on held-out tracks as a network of two
    layers, from the inputs of `Inputs`. The artist stands for the track because a track's own
    place among the playlists would tell its count.

    Attributes
    ----------
    ratings : float32 array, shape (n_tracks,)
        Predicted rating of every track, in standard deviations from the mean.
    fit_quality : float
        R² on a tenth of the rated tracks, predicted by a fit that never saw their entries: 1 is
        exact, 0 as good as the mean, below 0 worse. NaN where ratings do not differ.
    """

    name = "rating"
    label = "Popularity rating"
    source = (
        "TensorFlow Recommenders, ranking, "
        "https://www.tensorflow.org/recommenders/examples/basic_ranking"
    )
    retrieves: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        candidates : int
            Tracks of a query that are ordered; no others are answered.
        vector_size : int
            Length of an artist's vector.
        penalty : float
            Of the squared weights, above 0.
        """

        candidates: int = 200
        vector_size: int = 64
        penalty: float = 100.0

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        progress.update("Rating tracks")
        audio = described(dataset.audio).astype(np.float32)
        heard = np.flatnonzero(dataset.counts)
        ratings = standardised(np.log1p(dataset.counts[heard]))
        aside = np.random.default_rng(seed).random(len(heard)) < _HELD_OUT
        seen = _without(dataset, heard[aside])
        held_out = self._predicted(seen, audio, heard[~aside], ratings[~aside], seed)[heard[aside]]
        state = {
            "ratings": self._predicted(dataset, audio, heard, ratings, seed),
            "fit_quality": np.array([r_squared(held_out, ratings[aside])]),
        }
        self._restore(state, dataset)

    def _predicted(
        self, view: Dataset, audio: np.ndarray, tracks: np.ndarray, ratings: np.ndarray, seed: int
    ) -> np.ndarray:
        """Rating of every track, float32, as the ratings of some tracks let expect."""
        vectors = embedded_artists(view, self.params.vector_size, seed)
        inputs = Inputs(audio, view.artist, vectors)
        weights = ridge(inputs, tracks, ratings, self.params.penalty)
        return np.concatenate(
            [inputs.rows(block) @ weights for block in _blocks(np.arange(view.n_tracks))]
        ).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"ratings": self.ratings, "fit_quality": np.array([self.fit_quality])}

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self.ratings = arrays["ratings"]
        self.fit_quality = float(arrays["fit_quality"][0])
        self._nearest = PlaylistKNN().fit(dataset)

    def _scores(self, queries: Queries) -> sparse.csr_array:
        ids = self._nearest.recommend(queries, self.params.candidates).ids
        tracks = ids[ids >= 0]
        indptr = np.concatenate([[0], np.cumsum((ids >= 0).sum(axis=1))])
        shape = (len(queries), self.n_tracks)
        return sparse.csr_array((self.ratings[tracks], tracks, indptr), shape)


@dataclass(frozen=True)
class Inputs:
    """What a track's rating is predicted from.

    Attributes
    ----------
    audio : float32 array, shape (n_tracks, d)
        Audio features as `audio.described` gives them; NaN where unknown.
    artist : int32 array, shape (n_tracks,)
    vectors : float32 array, shape (n_artists, size)
    """

    audio: np.ndarray
    artist: np.ndarray
    vectors: np.ndarray

    def rows(self, tracks: np.ndarray) -> np.ndarray:
        """Inputs of tracks, float64, shape (n, 1 + 3 d + size).

        A constant; features and their squares, both 0 where unknown; which ones are unknown; the
        artist's vector.
        """
        audio = self.audio[tracks].astype(np.float64)
        known = np.nan_to_num(audio)
        constant = np.ones((len(tracks), 1))
        return np.hstack(
            [constant, known, known**2, np.isnan(audio), self.vectors[self.artist[tracks]]]
        )


def embedded_artists(dataset: Dataset, size: int, seed: int) -> np.ndarray:
    """Artists as directions: those that share playlists are alike, however popular.

    The truncated singular value decomposition of the playlists' TF-IDF vectors over artists, by
    subspace iteration (N. Halko et al., 2011, https://doi.org/10.1137/090771806).

    Parameters
    ----------
    dataset : Dataset
        The view whose playlists count.
    size : int
        Length of a vector; less where there are fewer playlists.
    seed : int

    Returns
    -------
    float32 array, shape (n_artists, size)
        Rows of length 1; zeros where playlists hold fewer than two tracks of the artist: one
        would be the track itself.
    """
    counts = artist_counts(dataset)
    playlists = artist_vectors(counts, rarity(counts))
    start = (playlists.shape[1], size)
    vectors = np.random.default_rng(seed).standard_normal(start, dtype=np.float32)
    for _ in range(_ROUNDS):
        basis, _ = np.linalg.qr(playlists @ vectors)
        vectors = playlists.T @ basis
    several = np.bincount(dataset.artist[dataset.counts > 0], minlength=len(vectors)) > 1
    return unit(vectors) * several[:, None]


def ridge(inputs: Inputs, tracks: np.ndarray, ratings: np.ndarray, penalty: float) -> np.ndarray:
    """Weights w that minimise Σ (w·x - rating)² + penalty w·w over tracks with inputs x."""
    width = inputs.rows(tracks[:0]).shape[1]
    gram, side = penalty * np.eye(width), np.zeros(width)
    for block, wanted in zip(_blocks(tracks), _blocks(ratings), strict=True):
        rows = inputs.rows(block)
        gram += rows.T @ rows
        side += wanted @ rows
    return np.linalg.solve(gram, side)


def r_squared(predicted: np.ndarray, ratings: np.ndarray) -> float:
    """1 - the squared error over that of the ratings' mean; NaN where these do not differ."""
    spread = ((ratings - ratings.mean()) ** 2).sum() if len(ratings) else 0
    return float(1 - ((predicted - ratings) ** 2).sum() / spread) if spread else float("nan")


def standardised(values: np.ndarray) -> np.ndarray:
    """Values of mean 0 and deviation 1, all 0 where they do not differ."""
    return (values - values.mean()) / (values.std() or 1)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK]


def _without(dataset: Dataset, tracks: np.ndarray) -> Dataset:
    """View of the same playlists without some of their tracks."""
    whole = dataset.playlists
    kept = ~np.isin(whole.tracks, tracks)
    indptr = np.concatenate([[0], np.cumsum(kept)])[whole.indptr]
    return Dataset(
        dataset.folder, Playlists(indptr, whole.tracks[kept], whole.titles, whole.n_tracks)
    )
