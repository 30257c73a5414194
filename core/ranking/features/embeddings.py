"""How near a candidate is to the seeds in the space of a model."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from core.ranking.features.base import Batch, Feature, FirstStage, Group
from core.ranking.features.sources import label
from core.retrieval.base import TINY

SPACES = ("als", "track2vec")
"""Models whose vectors are compared."""


class Embedding(Group):
    """Cosines of a candidate, and of its artist, to the seeds.

    The seeds' centre is the mean of their directions; an artist's vector is the sum of those of
    its tracks. All is unknown without the model, and for tracks without a vector.

    Parameters
    ----------
    source : str
        Name of the model.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        name = label(source)
        self.features = (
            Feature(
                f"{source}.centre", f"nearness to the middle of your tracks for “{name}”", "-1 to 1"
            ),
            Feature(
                f"{source}.nearest",
                f"nearness to the nearest of your tracks for “{name}”",
                "-1 to 1",
            ),
            Feature(f"{source}.last", f"nearness to your last track for “{name}”", "-1 to 1"),
            Feature(
                f"{source}.artist",
                f"nearness of its artist to the middle of your tracks for “{name}”",
                "-1 to 1",
            ),
            Feature(f"{source}.homogeneity", f"how alike your tracks are for “{name}”", "0 to 1"),
        )

    def fit(self, stage: FirstStage) -> None:
        model = stage.models.get(self._source)
        self._vectors = None if model is None else model.track_vectors()
        if self._vectors is None:
            return
        self._scale = _inverse_lengths(self._vectors)
        self._artists = _sum_by(stage.dataset.artist, self._vectors, stage.n_artists)
        self._artist_scale = _inverse_lengths(self._artists)

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        cosines = np.full((5, len(batch.candidates)), np.nan, np.float32)
        if self._vectors is None:
            return list(cosines)
        tracks, indptr = batch.candidates.tracks, batch.candidates.indptr
        artists = batch.artists
        ends = np.searchsorted(artists.rows, np.arange(len(batch) + 1))
        of_artists = np.full(len(artists), np.nan, np.float32)
        for row, seeds in enumerate(batch.queries.seeds):
            seeds = seeds[self._scale[seeds] > 0]
            if not len(seeds):
                continue
            directions = self._vectors[seeds] * self._scale[seeds, None]
            centre = directions.mean(axis=0)
            length = np.linalg.norm(centre)
            centre /= max(length, TINY)
            mine = slice(indptr[row], indptr[row + 1])
            to_all = self._vectors.take(tracks[mine], axis=0) @ np.vstack([directions, centre]).T
            cosines[0, mine] = to_all[:, -1]
            cosines[1, mine] = to_all[:, :-1].max(axis=1)
            cosines[2, mine] = to_all[:, -2]
            cosines[4, mine] = length
            part = slice(ends[row], ends[row + 1])
            of_artists[part] = self._artists.take(artists.keys[part], axis=0) @ centre
        cosines[:3] *= _known(self._scale[tracks])
        cosines[3] = (of_artists * _known(self._artist_scale[artists.keys]))[artists.index]
        return list(cosines)


def _known(scale: np.ndarray) -> np.ndarray:
    """NaN where a scale is that of zeros."""
    return np.where(scale > 0, scale, np.nan)


def _inverse_lengths(vectors: np.ndarray) -> np.ndarray:
    """1 / length of each row, float32; 0 for zeros."""
    lengths = np.linalg.norm(vectors, axis=1)
    return np.divide(1, lengths, out=np.zeros(len(lengths), np.float32), where=lengths > TINY)


def _sum_by(kinds: np.ndarray, vectors: np.ndarray, n_kinds: int) -> np.ndarray:
    """Sum of the rows of each kind, float32, shape (n_kinds, d)."""
    ones = np.ones(len(kinds), np.float32)
    shape = (n_kinds, len(kinds))
    return sparse.csr_array((ones, (kinds, np.arange(len(kinds)))), shape) @ vectors
