"""What the catalogue says of a candidate beside the seeds: popularity, length, dates."""

from collections.abc import Sequence

import numpy as np

from core.dataset.dataset import Dataset
from core.ranking.features.base import Batch, Feature, FirstStage, Group

_YEAR = 365.25 * 24 * 3600
"""Seconds."""


class Popularity(Group):
    """How popular a candidate is, and in playlists of what length, against the seeds."""

    features = (
        Feature("popularity.count", "how many playlists hold it", "log(1 + count), from 0"),
        Feature("popularity.gap", "how much more popular it is than your tracks", "log ratio"),
        Feature(
            "popularity.gap_abs",
            "how far its popularity is from that of your tracks",
            "log ratio without sign, from 0",
        ),
        Feature("popularity.seeds", "how popular your tracks are", "mean log(1 + count), from 0"),
        Feature(
            "popularity.spread",
            "how much the popularity of your tracks varies",
            "standard deviation of logs, from 0",
        ),
        Feature("popularity.artist", "how popular its artist is", "log(1 + entries), from 0"),
        Feature("popularity.length", "length of its playlists", "mean log of tracks, from 0"),
        Feature(
            "popularity.length_gap",
            "how much longer its playlists are than those of your tracks",
            "log ratio",
        ),
    )

    def fit(self, stage: FirstStage) -> None:
        dataset = stage.dataset
        self._count = np.log1p(dataset.counts)
        self._artist = np.log1p(np.bincount(dataset.artist, dataset.counts))[dataset.artist]
        self._length = _mean_of_playlists(dataset, np.log(np.maximum(dataset.playlists.lengths, 1)))

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        tracks = batch.candidates.tracks
        rows, seeds = batch.seeds
        mean = batch.seed_mean(self._count[seeds])
        spread = np.sqrt(batch.seed_mean((self._count[seeds] - mean[rows]) ** 2))
        gap = batch.gap(self._count)
        return [
            self._count[tracks],
            gap,
            np.abs(gap),
            batch.of_query(mean),
            batch.of_query(spread),
            self._artist[tracks],
            self._length[tracks],
            batch.gap(self._length),
        ]


class Description(Group):
    """Duration, year of release, and dates of playlists."""

    features = (
        Feature("duration.gap", "how much longer it is than your tracks", "log ratio"),
        Feature("duration.value", "how long it is", "log of milliseconds"),
        Feature("year.gap", "how much later it came out than your tracks", "years"),
        Feature("year.gap_abs", "how far its year is from that of your tracks", "years, from 0"),
        Feature(
            "modified.gap",
            "how much more recent its playlists are than those of your tracks",
            "years",
        ),
    )

    def fit(self, stage: FirstStage) -> None:
        dataset = stage.dataset
        duration = dataset.column("duration_ms").to_numpy(zero_copy_only=False).astype(float)
        self._duration = np.log(np.maximum(duration, 1))
        self._year = dataset.year.astype(float)
        self._modified = np.full(dataset.n_tracks, np.nan)
        if (modified := dataset.playlists.modified) is not None:
            self._modified = _mean_of_playlists(dataset, modified / _YEAR)

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        year = batch.gap(self._year)
        return [
            batch.gap(self._duration),
            self._duration[batch.candidates.tracks],
            year,
            np.abs(year),
            batch.gap(self._modified),
        ]


class Query(Group):
    """What kind of query it is: what else a candidate's features mean depends on this."""

    features = (
        Feature("query.seeds", "how many tracks you gave", "tracks, from 0"),
        Feature("query.title", "whether you gave a title", "0 or 1"),
        Feature("query.artists", "how many artists your tracks have, for a track", "0 to 1"),
        Feature("query.known", "share of your tracks that playlists hold", "0 to 1"),
    )

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        lengths = batch.queries.lengths
        titled = np.array([bool(title) for title in batch.queries.titles], float)
        artists = np.bincount(batch.seed_artists.rows, minlength=len(batch))
        known = batch.seed_mean(batch.stage.dataset.counts[batch.seeds[1]] > 0)
        distinct = np.where(lengths > 0, artists / np.maximum(lengths, 1), np.nan)
        return [batch.of_query(value) for value in (lengths, titled, distinct, known)]


def _mean_of_playlists(dataset: Dataset, values: np.ndarray) -> np.ndarray:
    """Mean of the playlists that hold each track, float64; NaN where no value is known."""
    playlists = dataset.playlists
    known = ~np.isnan(values)
    lengths = playlists.lengths
    sums = np.bincount(
        playlists.tracks, np.repeat(np.where(known, values, 0), lengths), dataset.n_tracks
    )
    counts = np.bincount(playlists.tracks, np.repeat(known, lengths), dataset.n_tracks)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
