"""Playlists that hold a candidate together with seeds, and how near to them."""

from collections.abc import Sequence

import numpy as np

from core.ranking.features.arrays import segment_max, segment_sum
from core.ranking.features.base import Batch, Feature, FirstStage, Group
from core.ranking.features.holders import Meetings
from core.retrieval.base import TINY
from core.retrieval.neighbours import seed_weights

_RARITY = 0.4
"""How much less a frequent seed says of a playlist; see `seed_weights`."""
_BESIDE = 5
"""Tracks between a candidate and a seed at which their nearness is halved."""
_BEST = 0.999
"""Share of the largest similarity from which on a playlist counts as the most alike."""
_LOG_TRACKS = "log2(1 + tracks), from 1"


class Cooccurrence(Group):
    """How often, how exclusively and how near a candidate plays with the seeds.

    A playlist is alike by the weight of the seeds that it holds over the root of its length, as
    in playlist neighbours. Nearness to a seed n tracks away is 1 / (1 + n / 5). All is unknown
    without seeds; what needs a common playlist is 0, or unknown for distances, where there is
    none.
    """

    features = (
        Feature("together.count", "playlists that it shares with your tracks", "log(1 + count)"),
        Feature("together.share", "share of its playlists that hold a track of yours", "0 to 1"),
        Feature(
            "together.conditional",
            "share of the playlists with a track of yours that hold it too, on average",
            "0 to 1",
        ),
        Feature(
            "together.conditional_max",
            "the same share for the track of yours where it is largest",
            "0 to 1",
        ),
        Feature(
            "together.cosine_max",
            "how nearly it is in the same playlists as one track of yours",
            "cosine, 0 to 1",
        ),
        Feature("together.seeds", "share of your tracks that it shares a playlist with", "0 to 1"),
        Feature(
            "together.last", "share of the playlists with your last track that hold it", "0 to 1"
        ),
        Feature(
            "together.alike",
            "how many playlists like yours hold it",
            "sum of squared similarities, from 0",
        ),
        Feature("together.alike_max", "likeness of the playlist most like yours with it", "0 to 1"),
        Feature("together.alike_mean", "how much its playlists are like yours", "0 to 1"),
        Feature("near.seed", "how near to a track of yours it was ever put", _LOG_TRACKS),
        Feature("near.after", "how soon after a track of yours it ever came", _LOG_TRACKS),
        Feature("near.last", "how soon after your last track it ever came", _LOG_TRACKS),
        Feature(
            "near.sum",
            "how near to your tracks playlists like yours put it",
            "sum of nearness times squared similarity, from 0",
        ),
        Feature(
            "near.alike",
            "how near to a track of yours the playlist most like yours puts it",
            "nearness, 0 to 1",
        ),
        Feature("query.alike", "likeness of the playlist most like yours", "0 to 1"),
        Feature("query.mass", "how many playlists are like yours", "sum of similarities, from 0"),
    )

    def fit(self, stage: FirstStage) -> None:
        lengths = stage.dataset.playlists.lengths
        self._roots = np.sqrt(np.maximum(lengths, 1))
        self._far = int(lengths.max(initial=0)) + 1
        self._weights = seed_weights(stage.dataset.counts, _RARITY)

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        candidates = batch.candidates
        holders = batch.stage.holders
        met = Meetings(
            holders, batch.seeds, (candidates.rows, candidates.tracks), len(batch), batch.held
        )
        alike = self._alike(batch, met)
        here = alike[met.at]
        highest = segment_max(here, met.indptr, 0.0)
        looked = np.maximum(holders.looked[candidates.tracks], 1)
        indptr = np.searchsorted(met.common.rows, np.arange(len(batch) + 1))
        return batch.unless_unseeded(
            [
                np.log1p(np.diff(met.indptr)),
                np.diff(met.indptr) / looked,
                *_with_seeds(batch, met),
                segment_sum(here**2, met.indptr),
                highest,
                segment_sum(here, met.indptr) / looked,
                *self._distances(batch, met, here, highest),
                batch.of_query(segment_max(alike, indptr, 0.0)),
                batch.of_query(segment_sum(alike, indptr)),
            ]
        )

    def _alike(self, batch: Batch, met: Meetings) -> np.ndarray:
        """Similarity of each common playlist to the query."""
        rows, seeds = batch.seeds
        weights = self._weights[seeds]
        lengths = np.sqrt(np.maximum(segment_sum(weights**2, batch.seed_indptr), TINY))
        weights = weights / lengths[rows]
        sums = np.bincount(met.common.index, weights[met.seeded.owners], len(met.common))
        return sums / self._roots[met.common.keys]

    def _distances(
        self, batch: Batch, met: Meetings, here: np.ndarray, highest: np.ndarray
    ) -> list[np.ndarray]:
        """How near to seeds the playlists put candidates: the features "near."."""
        after, before = self._to_seeds(met)
        nearest = np.minimum(after, before)
        nearness = 1 / (1 + nearest / _BESIDE)
        best = here >= _BEST * highest[met.owners]
        return [
            self._least(met, nearest),
            self._least(met, after),
            self._least(met, self._after_last(batch, met)),
            segment_sum(here**2 * nearness, met.indptr),
            segment_max(nearness * best, met.indptr, 0.0),
        ]

    def _to_seeds(self, met: Meetings) -> tuple[np.ndarray, np.ndarray]:
        """Tracks from the seed before and to the seed after each entry, `_far` for none."""
        # Playlists lie so far apart on one line that nothing near is in another.
        apart = np.int64(3 * self._far)
        seeds = np.sort(met.common.index * apart + met.seeded.places)
        seeds = np.concatenate([[-apart], seeds, [apart * (len(met.common) + 1)]])
        entries = met.at * apart + met.places
        following = np.searchsorted(seeds, entries)
        return (
            np.minimum(entries - seeds[following - 1], self._far),
            np.minimum(seeds[following] - entries, self._far),
        )

    def _after_last(self, batch: Batch, met: Meetings) -> np.ndarray:
        """Tracks by which each entry follows the last seed of its query, `_far` for none."""
        is_last = _is_last(batch)[met.seeded.owners]
        place = np.full(len(met.common), self._far)
        place[met.common.index[is_last]] = met.seeded.places[is_last]
        gaps = met.places - place[met.at]
        return np.where(gaps > 0, gaps, self._far)

    def _least(self, met: Meetings, tracks: np.ndarray) -> np.ndarray:
        """The smallest of each candidate's entries, as log2(1 + tracks); NaN where all are far."""
        least = -segment_max(-tracks, met.indptr, -self._far)
        return np.where(least < self._far, np.log2(1 + least), np.nan)


def _with_seeds(batch: Batch, met: Meetings) -> list[np.ndarray]:
    """How often candidates and single seeds meet: "together.conditional" to "together.last"."""
    together = met.together()
    indptr, seed = together.indptr, together.indices
    counts = batch.stage.holders.counts
    of_seed = counts[batch.seeds[1]][seed]
    of_candidate = np.repeat(counts[batch.candidates.tracks], np.diff(indptr))
    share = np.minimum(together.data / of_seed, 1)
    cosine = np.minimum(together.data / np.sqrt(of_seed * of_candidate), 1)
    return [
        segment_sum(share, indptr) / batch.n_seeds,
        segment_max(share, indptr, 0.0),
        segment_max(cosine, indptr, 0.0),
        np.diff(indptr) / batch.n_seeds,
        segment_sum(share * _is_last(batch)[seed], indptr),
    ]


def _is_last(batch: Batch) -> np.ndarray:
    """Whether each seed is the last of its query, bool, shape (n_seeds,)."""
    rows = batch.seeds[0]
    return np.arange(len(rows)) == batch.seed_indptr[rows + 1] - 1
