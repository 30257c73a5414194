"""Audio content: what sounds like the seeds, the only model for a track that no playlist holds."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.dataset.schema import AUDIO_FEATURES
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel
from core.retrieval.neighbours import incidence

_ROUNDS = 10
"""Times at most that seeds are assigned to the nearest mood."""
_LEAST = 0.05
"""Smallest eigenvalue of the correlation of features, which keeps it invertible."""
_CONSTANT = 1e-6
"""Deviation below which a feature is constant."""


class Audio(RetrievalModel):
    """Tracks whose audio features the seeds' mood would produce.

    Features are made comparable (`described`) and completed (`completed`). The tracks of a
    playlist are taken to scatter around its mood with the covariance W that they have within the
    training playlists, and moods around the mean of all tracks with a covariance B: what playlists
    agree on counts, what they mix does not. In the axes that make W the identity and B diagonal
    (`axes`) n seeds with mean m leave of the mood's axis with variance b the belief
    N(n b m / (n b + 1), b / (n b + 1)), and the score of a track is the logarithm of its
    probability in this mood over that in any: the more seeds, the surer.

    A mixed playlist has several moods. The seeds are divided into as many as explain them best
    (`moods`), and a track's probability is the sum over the moods in their shares.

    Tracks without any feature are never proposed, and say nothing as seeds.
    """

    name = "audio"
    label = "Audio content"
    source = (
        "S. Ioffe, ECCV 2006, https://doi.org/10.1007/11744085_41 (probabilistic LDA); "
        "N. Shental et al., ECCV 2002, https://doi.org/10.1007/3-540-47979-1_52 (RCA)"
    )
    uses_metadata = True
    proposes_unheard = True

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        moods : int
            Moods that a playlist may have; 1 takes every playlist for one mood.
        prior : float
            Entries of playlists that the covariances rest on before any is seen.
        """

        moods: int = 4
        prior: float = 50.0

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        progress.update("Comparing audio features")
        tracks = np.flatnonzero(np.isfinite(dataset.audio).any(axis=1)).astype(np.int32)
        features = described(dataset.audio[tracks])
        overall = correlation(features)
        features = completed(features, overall)
        held = incidence(dataset.playlists)[:, tracks]
        variances, basis = axes(*covariances(features, held, overall, self.params.prior))
        state = {
            "tracks": tracks,
            "vectors": (features @ basis).astype(np.float16),
            "variances": variances,
        }
        self._restore(state, dataset)

    def _state(self) -> dict[str, np.ndarray]:
        return {"tracks": self._tracks, "vectors": self._vectors, "variances": self._variances}

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._tracks, self._vectors = arrays["tracks"], arrays["vectors"]
        self._variances = arrays["variances"]
        self._row = np.full(self.n_tracks, -1, np.int32)
        self._row[self._tracks] = np.arange(len(self._tracks))
        vectors = self._vectors.astype(np.float32)
        self._powers = np.concatenate([vectors, vectors**2], axis=1)

    def _scores(self, queries: Queries) -> np.ndarray:
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        rows, seeds = queries.flat()
        known = self._row[seeds] >= 0
        if known.any():
            asked, rows = np.unique(rows[known], return_inverse=True)
            vectors = self._vectors[self._row[seeds[known]]].astype(np.float64)
            scores[np.ix_(asked, self._tracks)] = self._log_ratios(vectors, rows, len(asked))
        return scores

    def _log_ratios(self, vectors: np.ndarray, rows: np.ndarray, n_queries: int) -> np.ndarray:
        """Scores of the tracks with features, shape (n_queries, n), for the seeds of each row."""
        most = self.params.moods
        labels = moods(vectors, rows, self._variances, most)
        counts, means = statistics(vectors, rows * most + labels, n_queries * most)
        shares = counts / np.bincount(rows).repeat(most)
        found = np.full((n_queries, len(self._tracks)), -np.inf, np.float32)
        for mood in range(most):
            there = np.flatnonzero(counts[mood::most])
            groups = there * most + mood
            weights, constants = predictive(counts[groups], means[groups], self._variances)
            constants += np.log(shares[groups])
            part = weights.astype(np.float32) @ self._powers.T
            part += constants[:, None].astype(np.float32)
            found[there] = np.logaddexp(found[there], part) if mood else part
        return found


def described(audio: np.ndarray) -> np.ndarray:
    """Audio features as numbers whose differences can be compared.

    A feature becomes the normal score of its rank, whatever its distribution. The key is a place
    on the circle of 12 pitch classes; the tempo is also one on the circle of an octave, because
    half and double are nearly the same. Every column has mean 0 and deviation 1.

    Parameters
    ----------
    audio : float array, shape (n, 11)
        As `Dataset.audio`.

    Returns
    -------
    float64 array, shape (n, 14)
        NaN where unknown: the ranked features, cosine and sine of key and of tempo, the mode.
    """
    values = dict(zip(AUDIO_FEATURES, audio.T.astype(np.float64), strict=True))
    pitch = np.where(values["key"] >= 0, values["key"] / 12, np.nan)
    octave = np.log2(np.where(values["tempo"] > 0, values["tempo"], np.nan))
    angles = 2 * np.pi * np.stack([pitch, octave])
    ranked = [normal_scores(values[name]) for name in AUDIO_FEATURES if name not in ("key", "mode")]
    return _standardised(np.stack([*ranked, *np.cos(angles), *np.sin(angles), values["mode"]], 1))


def normal_scores(values: np.ndarray) -> np.ndarray:
    """The normal quantile of each value's rank; equal values share theirs, NaN stays."""
    from scipy.special import ndtri

    scores = np.full(len(values), np.nan)
    known = np.isfinite(values)
    _, place, times = np.unique(values[known], return_inverse=True, return_counts=True)
    if len(times):
        scores[known] = ndtri((np.cumsum(times) - times / 2) / times.sum())[place]
    return scores


def _standardised(features: np.ndarray) -> np.ndarray:
    known = np.isfinite(features)
    times = np.maximum(known.sum(axis=0), 1)
    centred = features - np.where(known, features, 0).sum(axis=0) / times
    deviations = np.sqrt((np.where(known, centred, 0) ** 2).sum(axis=0) / times)
    return centred / np.where(deviations > _CONSTANT, deviations, 1)


def correlation(features: np.ndarray) -> np.ndarray:
    """Correlation of standardised columns over the rows that know both, positive definite.

    Parameters
    ----------
    features : float64 array, shape (n, d)
        NaN where unknown.

    Returns
    -------
    float64 array, shape (d, d)
    """
    known = np.isfinite(features).astype(np.float64)
    filled = np.nan_to_num(features)
    values, basis = np.linalg.eigh(filled.T @ filled / np.maximum(known.T @ known, 1))
    return (basis * np.maximum(values, _LEAST)) @ basis.T


def completed(features: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rows with what is unknown replaced by what the known lets expect (normal distribution).

    Parameters
    ----------
    features : float64 array, shape (n, d)
        Of mean 0, NaN where unknown.
    covariance : float64 array, shape (d, d)

    Returns
    -------
    float64 array, shape (n, d)
    """
    unknown = np.isnan(features)
    whole = features.copy()
    patterns, pattern_of = np.unique(
        unknown @ (1 << np.arange(features.shape[1])), return_inverse=True
    )
    for pattern in np.flatnonzero(patterns):
        rows = np.flatnonzero(pattern_of == pattern)
        missing = unknown[rows[0]]
        slopes = np.linalg.solve(
            covariance[np.ix_(~missing, ~missing)], covariance[np.ix_(~missing, missing)]
        )
        whole[np.ix_(rows, missing)] = features[np.ix_(rows, ~missing)] @ slopes
    return whole


def covariances(
    features: np.ndarray, held: sparse.csr_array, overall: np.ndarray, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of tracks within playlists, and of the playlists' moods (analysis of variance).

    Parameters
    ----------
    features : float64 array, shape (n, d)
        Of mean 0, without NaN.
    held : csr_array, shape (n_playlists, n)
        Ones where a playlist holds a track.
    overall : float64 array, shape (d, d)
        Half of it is what both are taken for before any playlist is seen.
    prior : float
        Entries that this counts for.

    Returns
    -------
    within, between : float64 arrays, shape (d, d)
        `between` need not be positive definite.
    """
    lengths = held.sum(axis=1)
    entries, filled = lengths.sum(), np.count_nonzero(lengths)
    total = features.T @ (features * held.sum(axis=0)[:, None])
    sums = held @ features / np.sqrt(np.maximum(lengths, 1))[:, None]
    explained = sums.T @ sums
    expected = prior / 2 * overall
    within = (total - explained + expected) / (entries - filled + prior)
    between = (explained - filled * within + expected) / (entries + prior)
    return within, between


def axes(within: np.ndarray, between: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes in which tracks within playlists are white, and moods independent.

    Returns
    -------
    variances : float64 array, shape (d,)
        Of the moods along each axis, at least 0.
    basis : float64 array, shape (d, d)
        basis.T @ within @ basis is the identity, basis.T @ between @ basis has `variances` on its
        diagonal and zeros elsewhere.
    """
    from scipy.linalg import eigh

    variances, basis = eigh(between, within)
    return np.maximum(variances, 0), basis


def predictive(
    counts: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the next track of moods is like against any track, as a function of it.

    Parameters
    ----------
    counts : array, shape (n_moods,)
        Seeds of each mood.
    means : float64 array, shape (n_moods, d)
    variances : float64 array, shape (d,)

    Returns
    -------
    weights : float64 array, shape (n_moods, 2 * d)
    constants : float64 array, shape (n_moods,)
        The logarithm of the ratio at x is weights @ [x, x^2] + constants.
    """
    evidence = counts[:, None] * variances
    centres = means * evidence / (evidence + 1)
    spread = 1 + variances / (evidence + 1)
    weights = np.concatenate([centres / spread, (1 / (1 + variances) - 1 / spread) / 2], axis=1)
    constants = (np.log((1 + variances) / spread) - centres**2 / spread).sum(axis=1) / 2
    return weights, constants


def moods(vectors: np.ndarray, rows: np.ndarray, variances: np.ndarray, most: int) -> np.ndarray:
    """Divide the seeds of each query into the number of moods that explains them best.

    Divisions are those of k-means from the farthest seeds. What decides is the probability of the
    seeds under the model, times that of the division in a Chinese restaurant process
    (D. Aldous, 1985, https://doi.org/10.1007/BFb0099421).

    Parameters
    ----------
    vectors : float64 array, shape (n_seeds, d)
    rows : int array, shape (n_seeds,)
        Query of each seed, sorted, none left out.
    variances : float64 array, shape (d,)
    most : int
        Moods at most.

    Returns
    -------
    int array, shape (n_seeds,)
        From 0 to most - 1.
    """
    labels = np.zeros(len(rows), np.int64)
    best = _evidence(vectors, rows, labels, 1, variances)
    for number in range(2, min(most, np.bincount(rows).max()) + 1):
        divided = _divided(vectors, rows, number)
        found = _evidence(vectors, rows, divided, number, variances)
        labels = np.where((found > best)[rows], divided, labels)
        best = np.maximum(found, best)
    return labels


def _evidence(
    vectors: np.ndarray, rows: np.ndarray, labels: np.ndarray, number: int, variances: np.ndarray
) -> np.ndarray:
    """Logarithm of the probability of each query's seeds so divided, but for a constant."""
    from scipy.special import gammaln

    groups, n_groups = rows * number + labels, (rows[-1] + 1) * number
    counts, means = statistics(vectors, groups, n_groups)
    _, squares = statistics(vectors**2, groups, n_groups)
    times = counts[:, None]
    scatter = times * (squares - means**2)
    belief = times * means**2 / (1 + times * variances) + np.log1p(times * variances)
    each = gammaln(np.maximum(counts, 1)) - (scatter + belief).sum(axis=1) / 2
    return each.reshape(-1, number).sum(axis=1)


def _divided(vectors: np.ndarray, rows: np.ndarray, number: int) -> np.ndarray:
    """k-means in each query, from the seed farthest from the mean and those farthest from it."""
    n_queries = rows[-1] + 1
    _, means = statistics(vectors, rows, n_queries)
    distances = ((vectors - means[rows]) ** 2).sum(axis=1)
    centres = np.empty((n_queries, number, vectors.shape[1]))
    for place in range(number):
        centres[:, place] = vectors[_largest(distances, rows)]
        near = ((vectors - centres[rows, place]) ** 2).sum(axis=1)
        distances = np.minimum(distances, near) if place else near
    labels = np.full(len(rows), -1)
    for _ in range(_ROUNDS):
        before = labels
        labels = ((vectors[:, None] - centres[rows]) ** 2).sum(axis=2).argmin(axis=1)
        if (labels == before).all():
            break
        counts, means = statistics(vectors, rows * number + labels, n_queries * number)
        filled = counts.reshape(n_queries, number, 1) > 0
        centres = np.where(filled, means.reshape(centres.shape), centres)
    return labels


def _largest(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where each query has its largest value, the first of equals."""
    order = np.lexsort((-values, rows))
    return order[np.searchsorted(rows, np.arange(rows[-1] + 1))]


def statistics(
    vectors: np.ndarray, groups: np.ndarray, n_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Size of each group, int64, and the mean of its vectors, 0 where it is empty."""
    width = vectors.shape[1]
    places = groups[:, None] * width + np.arange(width)
    sums = np.bincount(places.ravel(), vectors.ravel(), n_groups * width).reshape(-1, width)
    counts = np.bincount(groups, minlength=n_groups)
    return counts, sums / np.maximum(counts, 1)[:, None]
