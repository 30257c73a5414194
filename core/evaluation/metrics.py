"""How good a continuation is: the challenge's metrics, exact, over a batch at once.

A list of recommendations is set beside the tracks that were hidden from it by `judge`; the metrics
of one playlist take what it returns and give one figure a playlist. Metrics of all lists together
(coverage, Gini, popularity lift) give one figure.

The first three metrics are those of the RecSys Challenge 2018 (C.-W. Chen, P. Lamere, M. Schedl,
H. Zamani, RecSys 2018, https://doi.org/10.1145/3240323.3240342).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

LENGTH = 500
"""Tracks of a full list; what comes later does not count in the challenge's metrics."""

NO_CLICK = 51
"""Clicks of a list of 500 without a hit: one more page than there are, and the page itself."""

_ARTIST_SHARE = 0.25
_PAGE = 10


@dataclass(frozen=True)
class Judged:
    """Recommendations beside the truth.

    Attributes
    ----------
    ids : int32 array, shape (B, K)
        Recommended tracks, best first, distinct within a row, -1 after the last.
    hits : bool array, shape (B, K)
        Which of them were hidden.
    sizes : int64 array, shape (B,)
        Distinct hidden tracks of each playlist, |G|; at least 1.
    rows, hidden : int64 and int32 arrays
        The distinct hidden tracks of all playlists, and the playlist of each.
    next_track : int32 array, shape (B,)
        The first hidden track in playlist order.
    """

    ids: np.ndarray
    hits: np.ndarray
    sizes: np.ndarray
    rows: np.ndarray
    hidden: np.ndarray
    next_track: np.ndarray


def judge(ids: np.ndarray, hidden: Sequence[np.ndarray]) -> Judged:
    """Mark which recommendations were hidden.

    Parameters
    ----------
    ids : int array, shape (B, K)
        Recommended tracks, best first, distinct within a row, padded with -1.
    hidden : sequence of B int arrays
        Hidden tracks in playlist order; repeated ones count once.

    Raises
    ------
    ValueError
        If a playlist hides nothing, or the two lengths differ.
    """
    if len(ids) != len(hidden):
        raise ValueError(f"{len(ids)} lists cannot be judged by {len(hidden)} playlists.")
    lengths = np.array([len(tracks) for tracks in hidden], np.int64)
    if not lengths.all():
        raise ValueError("A playlist without hidden tracks cannot be judged.")
    tracks = np.concatenate([np.empty(0, np.int64), *hidden]).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    span = max(tracks.max(initial=0), ids.max(initial=0)) + 1
    truth = np.unique(np.repeat(np.arange(len(hidden)), lengths) * span + tracks)
    keys = np.arange(len(ids))[:, None] * span + ids
    hits = np.isin(keys, truth, kind="sort") & (ids >= 0)
    rows = truth // span
    sizes = np.bincount(rows, minlength=len(ids))
    return Judged(ids, hits, sizes, rows, (truth % span).astype(np.int32), tracks[starts])


def track_r_precision(judged: Judged) -> np.ndarray:
    """Share of hidden tracks among the first |G| recommendations, |G ∩ R[:|G|]| / |G|.

    Returns
    -------
    float64 array, shape (B,), from 0 to 1
    """
    return (judged.hits & _first_of_size(judged)).sum(axis=1) / judged.sizes


def r_precision(judged: Judged, artist: np.ndarray) -> np.ndarray:
    """R-precision with a quarter for the right artist, (|G ∩ R[:|G|]| + 0.25 a) / |G|.

    a is the number of distinct artists of the missed tracks in R[:|G|] that have a track in G.

    Parameters
    ----------
    judged : Judged
    artist : int array, shape (n_tracks,)
        Artist of each track; negative where unknown, which matches nothing.

    Returns
    -------
    float64 array, shape (B,), from 0 to 1
    """
    missed = _first_of_size(judged) & ~judged.hits & (judged.ids >= 0)
    missed_rows, columns = np.nonzero(missed)
    missed_artists = artist[judged.ids[missed_rows, columns]].astype(np.int64)
    hidden_artists = artist[judged.hidden].astype(np.int64)
    span = int(artist.max(initial=0)) + 1

    def keys(rows: np.ndarray, artists: np.ndarray) -> np.ndarray:
        known = artists >= 0
        return np.unique(rows[known] * span + artists[known])

    found = np.intersect1d(
        keys(missed_rows, missed_artists), keys(judged.rows, hidden_artists), assume_unique=True
    )
    extra = np.bincount(found // span, minlength=len(judged.ids))
    return track_r_precision(judged) + _ARTIST_SHARE * extra / judged.sizes


def _first_of_size(judged: Judged) -> np.ndarray:
    """Which places are among the first |G| (and 500) of their list, bool (B, K)."""
    places = np.arange(judged.ids.shape[1])
    return (places < judged.sizes[:, None]) & (places < LENGTH)


def ndcg(judged: Judged) -> np.ndarray:
    """Normalised discounted cumulative gain over 500 places.

    DCG = Σ hit_i / log2(i + 1), i from 1, over that of a list that starts with all of G, cut at
    500 (K. Järvelin, J. Kekäläinen, ACM TOIS 20, 2002, with the challenge's binary gain).

    Returns
    -------
    float64 array, shape (B,), from 0 to 1
    """
    hits = judged.hits[:, :LENGTH]
    discount = 1 / np.log2(np.arange(2, LENGTH + 2))
    ideal = np.cumsum(discount)[np.minimum(judged.sizes, LENGTH) - 1]
    # Added in the order of the ideal, so that a perfect list has exactly 1.
    gains = np.pad(hits * discount[: hits.shape[1]], ((0, 0), (1, 0)))
    return np.cumsum(gains, axis=1)[:, -1] / ideal


def clicks(judged: Judged) -> np.ndarray:
    """Times a listener asks for ten more before the first hit among 500; 51 where there is none.

    Returns
    -------
    int64 array, shape (B,), from 0 to 49, or 51
    """
    hits = judged.hits[:, :LENGTH]
    if not hits.shape[1]:
        return np.full(len(hits), NO_CLICK)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) // _PAGE, NO_CLICK)


def recall(judged: Judged, k: int) -> np.ndarray:
    """Share of the hidden tracks that the first k recommendations hold, |G ∩ R[:k]| / |G|.

    Returns
    -------
    float64 array, shape (B,), from 0 to 1
    """
    return judged.hits[:, :k].sum(axis=1) / judged.sizes


def hit_ratio(judged: Judged, k: int) -> np.ndarray:
    """Whether the next track, the first hidden in playlist order, is among the first k.

    Its mean is the hit ratio@k of the sequential recommenders' literature.

    Returns
    -------
    float64 array, shape (B,), 0 or 1
    """
    return (judged.ids[:, :k] == judged.next_track[:, None]).any(axis=1).astype(np.float64)


def novelty(ids: np.ndarray, counts: np.ndarray, n_playlists: int) -> np.ndarray:
    """Mean self-information of a list's tracks, -log2(share of training playlists that hold it).

    A track of no training playlist counts as if one held it, the most that can be said of it
    (T. Zhou et al., PNAS 107, 2010, https://doi.org/10.1073/pnas.1000488107).

    Parameters
    ----------
    ids : int array, shape (B, K), padded with -1
    counts : int array, shape (n_tracks,)
        Training playlists that hold each track.
    n_playlists : int
        Training playlists.

    Returns
    -------
    float64 array, shape (B,), in bits; NaN for an empty list
    """
    information = -np.log2(np.maximum(counts, 1) / n_playlists)
    return _list_means(ids, information)


def coverage(ids: np.ndarray, n_tracks: int) -> float:
    """Share of the catalogue's tracks that at least one list recommends, from 0 to 1."""
    return len(np.unique(ids[ids >= 0])) / n_tracks


def gini(ids: np.ndarray, n_tracks: int) -> float:
    """Gini coefficient of how often each track of the catalogue is recommended.

    From 0, all equally often, towards 1, one track takes all. NaN if nothing is recommended.
    """
    return gini_coefficient(np.bincount(ids[ids >= 0], minlength=n_tracks))


def gini_coefficient(amounts: np.ndarray) -> float:
    """Gini coefficient of what each of n owners has: 0 if equal, 1 - 1/n if one has all.

    Parameters
    ----------
    amounts : array, shape (n,)
        Not negative.

    Returns
    -------
    float, NaN if there is nothing to own
    """
    rising = np.sort(amounts).astype(np.float64)
    n, total = len(rising), rising.sum()
    if not total:
        return float("nan")
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ rising / (n * total))


def popularity_lift(ids: np.ndarray, profiles: Sequence[np.ndarray], counts: np.ndarray) -> float:
    """How much more popular the lists are than the playlists they continue.

    Mean count of a list's tracks over mean count of a profile's tracks, each averaged over
    playlists, minus 1: 0 where they agree, 1 where the lists are twice as popular
    (H. Abdollahpouri et al., RecSys 2020, https://doi.org/10.1145/3383313.3418487).

    Parameters
    ----------
    ids : int array, shape (B, K), padded with -1
    profiles : sequence of B int arrays
        The tracks each list is measured against, e.g. the hidden ones; none empty.
    counts : int array, shape (n_tracks,)
        Training playlists that hold each track.

    Returns
    -------
    float, -1 or more; NaN where no profile has a count
    """
    own = np.array([counts[tracks].mean() for tracks in profiles]).mean()
    return float(np.nanmean(_list_means(ids, counts)) / own - 1) if own else float("nan")


def intra_list_similarity(ids: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Mean cosine over all pairs of a list's tracks.

    (C.-N. Ziegler et al., WWW 2005, https://doi.org/10.1145/1060745.1060754, as a mean.) Tracks
    without an embedding, a row of zeros, are left out. The sum over pairs comes from the length
    of the summed unit vectors, so no pair is ever formed.

    Parameters
    ----------
    ids : int array, shape (B, K), padded with -1
    embeddings : float array, shape (n_tracks, d)

    Returns
    -------
    float64 array, shape (B,), from -1 to 1; NaN for fewer than two embedded tracks
    """
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    units = np.divide(embeddings, norms, out=np.zeros(embeddings.shape), where=norms > 0)
    summed = _incidence(ids, len(units)) @ units
    sizes = ((ids >= 0) & (norms[:, 0] > 0)[ids]).sum(axis=1)
    pairs = np.where(sizes > 1, sizes * (sizes - 1.0), np.nan)
    return ((summed**2).sum(axis=1) - sizes) / pairs


def _incidence(ids: np.ndarray, n_tracks: int) -> sparse.csr_array:
    """Ones where a list holds a track, shape (B, n_tracks)."""
    held = ids >= 0
    indptr = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
    return sparse.csr_array((np.ones(indptr[-1]), ids[held], indptr), shape=(len(ids), n_tracks))


def _list_means(ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of a value of each track over each list; NaN for an empty list."""
    held = ids >= 0
    sizes = held.sum(axis=1)
    sums = np.where(held, values[ids], 0).sum(axis=1)
    return np.divide(sums, sizes, out=np.full(len(ids), np.nan), where=sizes > 0)


def bootstrap(values: np.ndarray, seed: int = 0, resamples: int = 1000) -> np.ndarray:
    """Mean over playlists with its 95 % percentile bootstrap interval.

    (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.) Equal numbers
    of playlists and equal seeds draw equal resamples, so columns and calls are paired.

    Parameters
    ----------
    values : float array, shape (B,) or (B, M)
        A figure a playlist, M metrics side by side; NaN where it has none, which leaves the
        playlist out of that metric's mean.
    seed : int
    resamples : int

    Returns
    -------
    float64 array, shape (3,) or (3, M)
        Mean, lower and upper end; NaN where no playlist has the figure.
    """
    table = values.reshape(len(values), -1).astype(np.float64)
    there = ~np.isnan(table)
    filled = np.where(there, table, 0)
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, table.shape[1]))
    # Blocks keep the weights small: 64 resamples of 10,000 playlists are 5 MB.
    for start in range(0, resamples, 64):
        block = means[start : start + 64]
        weights = _resample_weights(generator, len(block), len(table))
        block[:] = _ratio(weights @ filled, weights @ there)
    value = _ratio(filled.sum(axis=0), there.sum(axis=0))
    # Resamples that miss every playlist with a figure have no mean and say nothing.
    ends = np.full((2, len(value)), np.nan)
    some = ~np.isnan(value)
    ends[:, some] = np.nanquantile(means[:, some], [0.025, 0.975], axis=0)
    return np.vstack([value, ends]).reshape(3, *values.shape[1:])


def clustered_bootstrap(
    values: np.ndarray, clusters: np.ndarray, seed: int = 0, resamples: int = 1000
) -> np.ndarray:
    """Mean with its 95 % percentile interval, where some rows are of the same playlist.

    Rows of one cluster depend on each other, so whole clusters are drawn with replacement
    (A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).

    Parameters
    ----------
    values : float array, shape (N, M)
        NaN leaves a row out of that column's mean.
    clusters : int array, shape (N,)
        Which rows belong together.
    seed : int
        Equal seeds and clusters draw equal resamples, so calls are paired.
    resamples : int

    Returns
    -------
    float64 array, shape (3, M)
        Mean, lower and upper end; NaN where a column has no value.
    """
    distinct, at = np.unique(clusters, return_inverse=True)
    there = ~np.isnan(values)
    sums = np.zeros((len(distinct), values.shape[1]))
    sizes = np.zeros_like(sums)
    np.add.at(sums, at, np.where(there, values, 0))
    np.add.at(sizes, at, there)
    even = np.full(len(distinct), 1 / len(distinct))
    draws = np.random.default_rng(seed).multinomial(len(distinct), even, size=resamples)
    drawn = draws @ sizes
    means = np.divide(draws @ sums, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
    whole = sizes.sum(axis=0)
    result = np.full((3, values.shape[1]), np.nan)
    some = whole > 0
    result[0, some] = sums.sum(axis=0)[some] / whole[some]
    result[1:, some] = np.nanquantile(means[:, some], [0.025, 0.975], axis=0)
    return result


def paired_difference(
    values: np.ndarray, reference: np.ndarray, seed: int = 0, resamples: int = 1000
) -> np.ndarray:
    """Mean difference of two systems on the same playlists, with its 95 % interval.

    Parameters and returns as `bootstrap`; both arrays have the same shape and order of playlists.
    """
    return bootstrap(values - reference, seed, resamples)


def _resample_weights(generator: np.random.Generator, resamples: int, size: int) -> np.ndarray:
    """How often each of `size` playlists is drawn in each resample, float64 (resamples, size)."""
    drawn = generator.integers(size, size=(resamples, size))
    drawn += np.arange(resamples)[:, None] * size
    counts = np.bincount(drawn.ravel(), minlength=resamples * size)
    return counts.reshape(resamples, size).astype(np.float64)


def _ratio(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.divide(sums, sizes, out=np.full(np.shape(sums), np.nan), where=sizes > 0)


@dataclass(frozen=True)
class Figure:
    """A measured value and its 95 % interval over playlists.

    The value is None where it is undefined. The ends are None for metrics of all lists together
    (coverage, Gini, lift): resampled playlists repeat, repeats cover less, so a bootstrap of
    these is biased.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


Figures = Mapping[str, Figure]


def figure_text(figure: Figure, digits: int = 3, sign: bool = False) -> str:
    """A figure with its interval, as text for a terminal, a log or a card; a dash for none."""
    value = value_text(figure.value, digits, sign)
    if figure.value is None or figure.low is None or figure.high is None:
        return value
    ends = (value_text(end, digits, sign) for end in (figure.low, figure.high))
    return f"{value} [{', '.join(ends)}]"


def value_text(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A number as text; a dash for none."""
    # Adding zero turns -0.0, of a small negative value, into 0.0.
    return "–" if value is None else f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}"


def with_intervals(names: Sequence[str], table: np.ndarray) -> dict[str, Figure]:
    """Figures by name of what `bootstrap` returned, shape (3, len(names))."""
    return {name: Figure(*map(plain, column)) for name, column in zip(names, table.T, strict=True)}


def stored_figures(stored: Mapping[str, Mapping[str, float | None]]) -> Figures:
    """Figures as JSON holds them; a TypeError where they are none."""
    return {name: Figure(**figure) for name, figure in stored.items()}


def plain(value: float) -> float | None:
    """A float that JSON knows: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


def independent_difference(one: Figure, other: Figure) -> Figure:
    """Difference of two figures of different playlists, with its 95 % interval.

    The ends are recovered from those of both (G. Y. Zou, A. Donner, Statistics in Medicine 27,
    2008, https://doi.org/10.1002/sim.3095): the two errors add in squares, each end by its side.
    """
    parts = (one.value, one.low, one.high, other.value, other.low, other.high)
    if any(part is None for part in parts):
        return Figure(None)
    value, low, high, value2, low2, high2 = map(float, parts)  # type: ignore[arg-type]
    difference = value - value2
    return Figure(
        difference,
        difference - float(np.hypot(value - low, high2 - value2)),
        difference + float(np.hypot(high - value, value2 - low2)),
    )
