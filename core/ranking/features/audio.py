"""How a candidate sounds beside the seeds."""

from collections.abc import Sequence

import numpy as np

from core.dataset.schema import AUDIO_FEATURES
from core.ranking.features.base import Batch, Feature, FirstStage, Group

_KEY = AUDIO_FEATURES.index("key")
_LEAST_SPREAD = 0.05
"""Spread of seeds, in standard deviations of the catalogue, below which they count as equal."""
_DEVIATIONS = "standard deviations of the catalogue"


class Audio(Group):
    """Distances of standardised audio features, and the gap of each.

    A distance is the root of the mean square over the features that both tracks have; unknown
    where they have none in common. A key of -1 is no key.
    """

    features = (
        Feature(
            "audio.centre",
            "how far its sound is from the mean of your tracks",
            f"{_DEVIATIONS}, from 0",
        ),
        Feature(
            "audio.spread",
            "the same against how much the sound of your tracks varies",
            "ratio, from 0",
        ),
        Feature(
            "audio.nearest",
            "how far its sound is from the nearest of your tracks",
            f"{_DEVIATIONS}, from 0",
        ),
        Feature("audio.known", "share of your tracks whose sound is known", "0 to 1"),
        *(
            Feature(f"audio.{name}", f"its {name} against the mean of your tracks", _DEVIATIONS)
            for name in AUDIO_FEATURES
        ),
    )

    def fit(self, stage: FirstStage) -> None:
        audio = stage.dataset.audio.copy()
        audio[audio[:, _KEY] < 0, _KEY] = np.nan
        self._audio = _standardised(audio, stage.dataset.counts > 0)
        self._known = ~np.isnan(self._audio).all(axis=1)

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        rows, seeds = batch.seeds
        audio = self._audio[seeds]
        mean = batch.seed_mean(audio)
        gaps = self._audio[batch.candidates.tracks] - batch.of_query(mean)
        centre = _root_mean_square(gaps)
        varies = _root_mean_square(np.sqrt(batch.seed_mean((audio - mean[rows]) ** 2)))
        return [
            centre,
            centre / batch.of_query(np.maximum(varies, _LEAST_SPREAD)),
            self._nearest(batch),
            batch.of_query(batch.seed_mean(self._known[seeds])),
            *gaps.T,
        ]

    def _nearest(self, batch: Batch) -> np.ndarray:
        """Distance of each candidate to the nearest seed."""
        nearest = np.full(len(batch.candidates), np.nan)
        heard = np.flatnonzero(self._known[batch.candidates.tracks])
        bounds = np.searchsorted(heard, batch.candidates.indptr)
        for row, seeds in enumerate(batch.queries.seeds):
            mine = heard[bounds[row] : bounds[row + 1]]
            seeds = seeds[self._known[seeds]]
            if len(mine) and len(seeds):
                tracks = batch.candidates.tracks[mine]
                nearest[mine] = _least_distance(self._audio[tracks], self._audio[seeds])
        return nearest


def _standardised(audio: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Less the mean and over the standard deviation of the heard tracks, float32.

    A feature that does not vary among them is unknown.
    """
    known = ~np.isnan(audio) & heard[:, None]
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, audio, 0).sum(axis=0, dtype=np.float64) / counts
    squares = np.where(known, (audio - mean) ** 2, 0).sum(axis=0, dtype=np.float64)
    deviation = np.sqrt(squares / counts)
    deviation[deviation < 1e-6] = np.nan
    return ((audio - mean) / deviation).astype(np.float32)


def _root_mean_square(values: np.ndarray) -> np.ndarray:
    """Of the known values of each row; NaN where none is known."""
    known = ~np.isnan(values)
    sums = (np.where(known, values, 0) ** 2).sum(axis=1)
    counts = known.sum(axis=1)
    means = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return np.sqrt(means)


def _least_distance(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each row to the nearest of the others; NaN where nothing is in common."""
    x_known, y_known = (~np.isnan(rows) for rows in (some, others))
    x, y = (np.nan_to_num(rows) for rows in (some, others))
    # Σ (x - y)² over what both have, as one product.
    left = np.hstack([x**2, x_known, x])
    right = np.hstack([y_known, y**2, -2 * y])
    common = x_known.astype(np.float32) @ y_known.T.astype(np.float32)
    means = np.full(common.shape, np.inf)
    np.divide(left @ right.T, common, out=means, where=common > 0)
    least = np.maximum(means.min(axis=1), 0)
    return np.sqrt(np.where(np.isfinite(least), least, np.nan))
