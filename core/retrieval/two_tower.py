"""Two-tower network: queries and tracks become vectors whose product says how well they fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.dataset.text import normalise
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel
from core.retrieval.titles import ngrams
from core.retrieval.validation import SET_ASIDE, hit_share, set_aside

_SEEDS = (0, 1, 5, 10, 25, 100)
"""Numbers of seeds of training queries; a shorter playlist shows any smaller number."""
_PAD = 4096
"""Sizes of training arrays are multiples of this: every new size is compiled anew."""
_JUDGED = 500
"""Recommendations looked at for early stopping."""
_MOST_ASIDE = 1000
"""Playlists set aside at most: each is answered after every epoch."""
_STATISTICS = 6
_TINY = 1e-6

TABLES = ("track", "artist", "title")
"""Embedding tables; everything else that is learnt is small."""


class TwoTower(RetrievalModel):
    """The cosine of a query's and a track's vector over a temperature, plus popularity.

    Track tower: the sum of an embedding of the track, one of its artist, and a linear map of its
    audio features, standardised, 0 and marked where missing; scaled to length 1. Tracks and
    artists that occur once share an embedding, so what is new or rare is placed by its artist
    and its audio. What no playlist holds speaks as a seed, but is not proposed: within a training
    split these are the held-out playlists' tracks, which to know would be to know the answer.

    Query tower: the sum, scaled to length 1, of

    - the mean of all seeds' track vectors (before scaling), weighted by a learnt power of
      1 + count,
    - the last seeds' vectors, each times a learnt vector of its place before the end,
    - the TF-IDF weighted sum of embeddings of the title's character n-grams,
    - a linear map of statistics: whether there are seeds and a title, log number of seeds, mean
      log count, share of distinct artists,

    the first three times the exponential of a linear map of the same statistics.

    Score: the product of both over a learnt temperature, plus a learnt multiple of
    log(1 + count).

    Training: random parts of random playlists are queries, and some of their other tracks the
    targets of a softmax over all targets of a batch and uniform negatives. A logit is lowered by
    the logarithm of the track's chance to be in the batch (the logQ correction of the source),
    and a playlist's own tracks are no negatives. Tables learn by row-wise Adagrad, the rest by
    Adam. After each epoch the model answers for playlists set aside; the best epoch is kept.

    Fitting needs JAX and optax; loading and recommending need NumPy alone.
    """

    name = "two_tower"
    label = "Two towers"
    source = "X. Yi et al., RecSys 2019, https://doi.org/10.1145/3298689.3346996"
    uses_titles = True
    uses_metadata = True
    trains_with = ("jax", "optax")

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        dimensions : int
            Length of a vector.
        previous : int
            Last seeds whose places count, n.
        epochs : int
            At most; in one, as many targets are drawn as the playlists have entries.
        patience : int
            Epochs without a better one after which training stops.
        batch : int
            Queries a step.
        targets : int
            Targets a query, at most.
        negatives : int
            Uniform negatives a step.
        rate : float
            Learning rate of the tables.
        weight_rate : float
            Learning rate of everything else.
        query_dropout : float
            Share of a query vector's elements set to 0 in training.
        seed_dropout : float
            Share of seeds left out in training.
        title_dropout : float
            Share of queries with seeds whose title is left out in training.
        scattered : float
            Share of training queries whose seeds are a random part, not the first tracks.
        length_power : float
            Playlists are drawn in proportion to length^length_power.
        temperature : float
            At the start; smaller is sharper.
        aside : float
            Share of playlists set aside for early stopping, 0 to 1, but at most 1,000 playlists;
            they are not learnt from.
        """

        dimensions: int = 128
        previous: int = 5
        epochs: int = 20
        patience: int = 6
        batch: int = 128
        targets: int = 16
        negatives: int = 2048
        rate: float = 0.1
        weight_rate: float = 0.01
        query_dropout: float = 0.3
        seed_dropout: float = 0.2
        title_dropout: float = 0.3
        scattered: float = 0.5
        length_power: float = 0.5
        temperature: float = 0.1
        aside: float = 0.05

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        share_aside = min(self.params.aside, _MOST_ASIDE / dataset.n_playlists)
        rest, queries, hidden = set_aside(dataset, share_aside, seed)
        trainer = _Trainer(rest, self.params, seed)
        best, best_share, best_epoch = trainer.state(), 0.0, 0
        for epoch in progress.track(range(self.params.epochs), "Training two towers"):
            trainer.run_epoch()
            state = trainer.state()
            self._restore(state, rest)
            share = hit_share(self.recommend(queries, _JUDGED), hidden)
            progress.figure(SET_ASIDE, epoch + 1, share)
            if share >= best_share:
                best, best_share, best_epoch = state, share, epoch
            elif epoch - best_epoch >= self.params.patience:
                break
        self._restore(best, dataset)

    def _state(self) -> dict[str, np.ndarray]:
        return self._arrays

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._arrays = arrays
        self._weights = {
            name: array.astype(np.float32)
            for name, array in arrays.items()
            if np.issubdtype(array.dtype, np.floating) and name not in ("track", "artist")
        }
        self._vocabulary = _Vocabulary(arrays["ngrams"], self._weights["ngram_weights"])
        facts = _Facts(dataset, self._weights)
        vectors = track_vectors(
            self._weights,
            arrays["track"].astype(np.float32)[arrays["track_row"]],
            arrays["artist"].astype(np.float32)[arrays["artist_row"]],
            facts.audio,
        )
        self._lengths = np.linalg.norm(vectors, axis=1)
        self.vectors = unit(np, vectors)
        """Track tower's output, float32, shape (n_tracks, dimensions), rows of length 1."""
        self._artist, self._log_count = facts.artist, facts.log_count
        self._known = facts.heard | facts.has_audio | (arrays["artist_row"] > 0)
        popularity = self._weights["popularity"] * facts.log_count
        self._bias = np.where(facts.heard, popularity, -np.inf).astype(np.float32)

    def _scores(self, queries: Queries) -> np.ndarray:
        query = self._query(queries)
        vectors = query_vectors(np, self._weights, query)
        scores = vectors / np.exp(self._weights["log_temperature"]) @ self.vectors.T
        scores += self._bias
        said_nothing = ~query.statistics[:, 1:3].any(axis=1)
        scores[said_nothing] = -np.inf
        return scores

    def track_vectors(self) -> np.ndarray:
        """Track tower's output, as `RetrievalModel.track_vectors`."""
        return self.vectors_of(np.arange(self.n_tracks))

    def vectors_of(self, tracks: np.ndarray) -> np.ndarray:
        """As `RetrievalModel.vectors_of`."""
        return np.where(self._known[tracks, None], self.vectors[tracks], np.float32(0))

    def _query(self, queries: Queries) -> "Query":
        """What the query tower reads of queries."""
        rows, seeds = queries.flat()
        known = self._known[seeds]
        rows = rows[known]
        # Some track must be there to be pointed at where no seed is.
        tracks, at = np.unique(np.append(seeds[known], 0), return_inverse=True)
        at = at[:-1]
        held = _held(rows, at, (len(queries), len(tracks)))
        titles = self._vocabulary.vectors(queries.titles)
        log_count = self._log_count[tracks]
        return Query(
            self.vectors[tracks] * self._lengths[tracks, None],
            log_count,
            held,
            last_seeds(rows, at, len(queries), self.params.previous),
            titles @ self._weights["title"],
            statistics(held, titles, log_count, self._artist[tracks]),
        )


class Query(NamedTuple):
    """What the query tower reads: B queries over the L tracks that they hold among them.

    Attributes
    ----------
    tracks : float array, shape (L, dimensions)
        Output of `track_vectors`.
    log_count : float array, shape (L,)
    held : array or sparse array, shape (B, L)
        Ones where a query holds a track.
    last : int array, shape (B, n)
        Row in `tracks` of the last seeds, the last first; -1 where there are fewer.
    title : float array, shape (B, dimensions)
        Weighted sum of the embeddings of a title's n-grams.
    statistics : float array, shape (B, 6)
    """

    tracks: Any
    log_count: Any
    held: Any
    last: Any
    title: Any
    statistics: Any


def track_vectors(weights: Mapping[str, Any], track: Any, artist: Any, audio: Any) -> Any:
    """Track tower before scaling, NumPy or JAX, shape (L, dimensions).

    Parameters
    ----------
    weights : mapping
        "audio", shape (22, dimensions).
    track, artist : float arrays, shape (L, dimensions)
        Embeddings.
    audio : float array, shape (L, 22)
        Standardised features, and whether each is known.
    """
    return track + artist + audio @ weights["audio"]


def query_vectors(xp: ModuleType, weights: Mapping[str, Any], query: Query, keep: Any = 1.0) -> Any:
    """Query tower with `xp` NumPy or JAX's NumPy, shape (B, dimensions), rows of length 1.

    Parameters
    ----------
    xp : module
    weights : mapping
    query : Query
    keep : float array, shape (B, dimensions)
        What dropout multiplies elements by.
    """
    weight = xp.exp(weights["seed_power"] * query.log_count)
    total = query.held @ weight
    mean = query.held @ (query.tracks * weight[:, None]) / (total + _TINY)[:, None]
    recent = 0.0 * mean
    for place, at in enumerate(query.last.T):
        recent += xp.where(at[:, None] < 0, 0.0, query.tracks[at] * weights["places"][place])
    gates = xp.exp(query.statistics @ weights["gates"])
    parts = gates[:, 0:1] * mean + gates[:, 1:2] * recent + gates[:, 2:3] * query.title
    return unit(xp, (parts + query.statistics @ weights["statistics"]) * keep)


def unit(xp: ModuleType, vectors: Any) -> Any:
    """Rows scaled to length 1; zeros stay, and have a gradient."""
    return vectors / xp.sqrt((vectors * vectors).sum(axis=1, keepdims=True) + _TINY**2)


def statistics(
    held: sparse.csr_array, titles: sparse.csr_array, log_count: np.ndarray, artist: np.ndarray
) -> np.ndarray:
    """Statistics of queries, float32, shape (B, 6), each about 0 to 1.

    One, whether there are seeds, whether there is a title, log(1 + seeds) / 3, mean of the seeds'
    log(1 + count) / 3, distinct artists a seed.

    Parameters
    ----------
    held : csr_array, shape (B, L)
    titles : csr_array, shape (B, n-grams)
    log_count, artist : arrays, shape (L,)
    """
    n_seeds = np.diff(held.indptr)
    rows = np.repeat(np.arange(len(n_seeds)), n_seeds)
    pairs = np.unique(rows << 32 | artist[held.indices].astype(np.int64))
    artists = np.bincount(pairs >> 32, minlength=len(n_seeds))
    many = np.maximum(n_seeds, 1)
    columns = (
        np.ones(len(n_seeds)),
        n_seeds > 0,
        np.diff(titles.indptr) > 0,
        np.log1p(n_seeds) / 3,
        held @ log_count / many / 3,
        artists / many,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def last_seeds(rows: np.ndarray, tracks: np.ndarray, n_queries: int, n: int) -> np.ndarray:
    """The last n seeds of each query, the last first, int32, -1 where there are fewer.

    Parameters
    ----------
    rows, tracks : int arrays, shape (n_seeds,)
        Query and track of each seed, queries rising, seeds in order.
    n_queries, n : int
    """
    bounds = np.searchsorted(rows, np.arange(n_queries + 1))
    at = bounds[1:, None] - 1 - np.arange(n)
    there = at >= bounds[:-1, None]
    last = np.full((n_queries, n), -1, np.int32)
    last[there] = tracks[at[there]]
    return last


def _held(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """Ones at these places, float32."""
    held = sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape)
    held.data[:] = 1.0
    return held


class _Facts:
    """What the towers know of each track without learning.

    Attributes
    ----------
    log_count : float32 array, shape (n_tracks,)
    audio : float32 array, shape (n_tracks, 22)
        Features in standard deviations from the mean, 0 where unknown, and whether known.
    """

    def __init__(self, dataset: Dataset, scaling: Mapping[str, np.ndarray]) -> None:
        self.artist = dataset.artist
        self.heard = dataset.counts > 0
        self.log_count = np.log1p(dataset.counts, dtype=np.float32)
        known = ~np.isnan(dataset.audio)
        self.has_audio = known.any(axis=1)
        values = (dataset.audio - scaling["audio_mean"]) / scaling["audio_deviation"]
        self.audio = np.hstack([np.where(known, values.clip(-4, 4), 0), known]).astype(np.float32)


def _scaling(audio: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and standard deviation of the known values of each column, 0 and 1 where none."""
    known = ~np.isnan(audio)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, audio, 0).sum(axis=0, dtype=np.float64) / number
    variance = np.where(known, (audio - mean) ** 2, 0).sum(axis=0) / number
    deviation = np.where(variance > 0, np.sqrt(variance), 1)
    return {
        "audio_mean": mean.astype(np.float32),
        "audio_deviation": deviation.astype(np.float32),
    }


class _Vocabulary:
    """Character n-grams of titles and their inverse document frequencies.

    Parameters
    ----------
    keys : uint32 array, rising
        Hashes of n-grams.
    weights : float32 array like `keys`
    """

    def __init__(self, keys: np.ndarray, weights: np.ndarray) -> None:
        self.keys, self.weights = keys, weights

    def __len__(self) -> int:
        """Columns of `vectors`; one where no title is known, because tables have a row."""
        return max(len(self.keys), 1)

    @classmethod
    def of(cls, titles: Sequence[str | None]) -> "_Vocabulary":
        texts = set(normalise(titles)) - {""}
        keys, counts = np.unique(_hashes(texts)[1], return_counts=True)
        return cls(keys, (1 + np.log((1 + len(texts)) / (1 + counts))).astype(np.float32))

    def vectors(self, titles: Sequence[str | None]) -> sparse.csr_array:
        """Weights of the n-grams that are known, rows of length 1, float32, (titles, len(self))."""
        rows, hashes = _hashes(normalise(titles))
        column = np.searchsorted(self.keys, hashes)
        known = column < len(self.keys)
        known[known] = self.keys[column[known]] == hashes[known]
        rows, column = rows[known], column[known]
        values = self.weights[column]
        lengths = np.sqrt(np.bincount(rows, values**2, len(titles)))
        values = (values / lengths[rows]).astype(np.float32)
        return sparse.csr_array((values, (rows, column)), (len(titles), len(self)))


def _hashes(texts: Sequence[str] | set[str]) -> tuple[np.ndarray, np.ndarray]:
    """Row and hash of each distinct n-gram of each text, int64 and uint32."""
    each = [{crc32(ngram.encode()) for ngram in ngrams(text)} for text in texts]
    rows = np.repeat(np.arange(len(each)), [len(hashes) for hashes in each])
    flat = [key for hashes in each for key in sorted(hashes)]
    return rows, np.array(flat, np.uint32)


class _Batch(NamedTuple):
    """One step's data: B queries, L local tracks of which the first C are candidates.

    Attributes
    ----------
    rows : dict of int32 arrays
        Rows of each table that the step reads, distinct, padded with rows beyond its end.
    track_at, artist_at : int32 arrays, shape (L,)
        Which of these rows are a local track's.
    audio, log_count : float32 arrays, shapes (L, 22) and (L,)
    held, last, statistics : arrays
        As in `Query`, over local tracks.
    titles : float32 array, shape (B, rows of the title table)
    keep : float32 array, shape (B, dimensions)
    log_q : float32 array, shape (C,)
    own : bool array, shape (B, C)
        Candidates that a query's playlist holds, and padding: no negatives.
    targets : int32 array, shape (B, T)
        Candidates.
    weight : float32 array, shape (B, T)
        Share of each target in the loss; 0 for padding.
    """

    rows: dict[str, Any]
    track_at: Any
    artist_at: Any
    audio: Any
    log_count: Any
    held: Any
    last: Any
    statistics: Any
    titles: Any
    keep: Any
    log_q: Any
    own: Any
    targets: Any
    weight: Any


class _Entries(NamedTuple):
    """Entries of a step's playlists; `rank` is the number of a target of its query, else -1."""

    row: np.ndarray
    track: np.ndarray
    is_seed: np.ndarray
    rank: np.ndarray


class _Sampler:
    """Draws batches from playlists.

    Parameters
    ----------
    dataset : Dataset
    params : TwoTower.Params
    random : numpy Generator
    """

    def __init__(
        self, dataset: Dataset, params: TwoTower.Params, random: np.random.Generator
    ) -> None:
        self._params, self._random = params, random
        self._playlists = dataset.playlists
        scaling = _scaling(dataset.audio[dataset.counts > 0])
        vocabulary = _Vocabulary.of(dataset.playlists.titles)
        self._titles = vocabulary.vectors(dataset.playlists.titles)
        self._facts = _Facts(dataset, scaling)
        self._heard = np.flatnonzero(self._facts.heard).astype(np.int32)
        entries = np.bincount(dataset.artist[self._playlists.tracks], minlength=len(dataset.artist))
        self._track_row = _rows_of(dataset.counts > 1)
        self._artist_row = _rows_of(entries > 1)[dataset.artist]
        self._local = np.full(dataset.n_tracks, -1, np.int64)
        self._able, self._chance = self._playlist_chances()
        self._bounds = self._chance.cumsum()[:-1]
        self.log_q = self._log_q()
        self.sizes = {
            "track": int(self._track_row.max()) + 1,
            "artist": int(self._artist_row.max()) + 1,
            "title": len(vocabulary),
        }
        self.state = {
            "track_row": self._track_row,
            "artist_row": self._artist_row,
            "ngrams": vocabulary.keys,
            "ngram_weights": vocabulary.weights,
            **scaling,
        }

    def __len__(self) -> int:
        """Batches an epoch."""
        size = self._params.batch * self._params.targets
        return -(-int(self._playlists.lengths[self._able].sum()) // size)

    def _playlist_chances(self) -> tuple[np.ndarray, np.ndarray]:
        """Playlists that can be split in two, and the chance of each to be drawn."""
        lengths = self._playlists.lengths
        able = np.flatnonzero(lengths > 1)
        chance = lengths[able].astype(np.float64) ** self._params.length_power
        return able, chance / chance.sum()

    def _log_q(self) -> np.ndarray:
        """Log of the chance of each track to be among a batch's candidates, float32.

        Draws of targets and of negatives are taken as Poisson distributed.
        """
        lengths = self._playlists.lengths
        share = np.zeros(len(lengths))
        share[self._able] = self._chance * np.minimum(1, self._params.targets / lengths[self._able])
        drawn = np.bincount(
            self._playlists.tracks, np.repeat(share, lengths), self._playlists.n_tracks
        )
        expected = self._params.batch * drawn + self._params.negatives / max(len(self._heard), 1)
        return np.log(-np.expm1(-expected)).astype(np.float32)

    def draw(self) -> _Batch:
        """The next batch."""
        drawn = np.searchsorted(self._bounds, self._random.random(self._params.batch))
        chosen = self._able[drawn]
        titles = self._titles[chosen]
        titled = np.diff(titles.indptr) > 0
        entries, n_seeds = self._split(self._playlists.select(chosen), titled)
        hidden = (n_seeds > 0) & self._chances(len(chosen), self._params.title_dropout)
        titles.data *= np.repeat(~hidden, np.diff(titles.indptr))
        titles.eliminate_zeros()
        return self._assemble(entries, titles)

    def _chances(self, n: int, share: float) -> np.ndarray:
        return self._random.random(n) < share

    def _split(self, playlists: Playlists, titled: np.ndarray) -> tuple[_Entries, np.ndarray]:
        """Divide playlists in seeds, targets and the rest; and the number of seeds of each."""
        lengths = playlists.lengths
        row = np.repeat(np.arange(len(lengths)), lengths)
        n_seeds = self._random.choice(_SEEDS, len(lengths))
        n_seeds = np.where(n_seeds < lengths, n_seeds, self._random.integers(0, lengths))
        n_seeds = np.maximum(n_seeds, np.where(titled, 0, 1))
        key = self._random.random(len(row))
        scattered = self._chances(len(lengths), self._params.scattered)
        place = np.arange(len(row)) - playlists.indptr[row]
        shown = _rank(row, np.where(scattered[row], key, place), playlists) < n_seeds[row]
        rank = _rank(row, key + shown, playlists)
        rank[shown | (rank >= self._params.targets)] = -1
        dropped = self._chances(len(row), self._params.seed_dropout) & (n_seeds[row] > 1)
        return _Entries(row, playlists.tracks, shown & ~dropped, rank), n_seeds

    def _assemble(self, entries: _Entries, titles: sparse.csr_array) -> _Batch:
        params = self._params
        n_candidates = params.batch * params.targets + params.negatives
        tracks, n_real = self._local_tracks(entries, n_candidates)
        at = self._local[entries.track]
        self._local[tracks] = -1

        own = np.zeros((params.batch, n_candidates), bool)
        own[:, n_real:] = True
        inside = (at >= 0) & (at < n_candidates)
        own[entries.row[inside], at[inside]] = True
        targets, weight = self._targets(entries, at)
        rows, seeds = entries.row[entries.is_seed], at[entries.is_seed]
        held = _held(rows, seeds, (params.batch, len(tracks)))
        log_count = self._facts.log_count[tracks]
        title_rows, dense_titles = self._dense(titles)
        track_rows, track_at = np.unique(self._track_row[tracks], return_inverse=True)
        artist_rows, artist_at = np.unique(self._artist_row[tracks], return_inverse=True)
        kept = ~self._chances(params.batch * params.dimensions, params.query_dropout)
        return _Batch(
            rows={
                "track": _padded(track_rows, len(tracks), self.sizes["track"]),
                "artist": _padded(artist_rows, len(tracks), self.sizes["artist"]),
                "title": title_rows,
            },
            track_at=track_at.astype(np.int32),
            artist_at=artist_at.astype(np.int32),
            audio=self._facts.audio[tracks],
            log_count=log_count,
            held=held.toarray(),
            last=last_seeds(rows, seeds, params.batch, params.previous),
            statistics=statistics(held, titles, log_count, self._facts.artist[tracks]),
            titles=dense_titles,
            keep=kept.reshape(params.batch, -1) / np.float32(1 - params.query_dropout),
            log_q=self.log_q[tracks[:n_candidates]],
            own=own,
            targets=targets,
            weight=weight,
        )

    def _targets(self, entries: _Entries, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets of each query and their weights, from the local number of each entry."""
        shape = (self._params.batch, self._params.targets)
        targets, weight = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        is_target = entries.rank >= 0
        place = entries.row[is_target], entries.rank[is_target]
        targets[place] = at[is_target]
        weight[place] = 1
        return targets, weight / np.maximum(weight.sum(axis=1, keepdims=True), 1)

    def _dense(self, titles: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the title table that some titles read, padded, and the titles over them."""
        ngrams_read, at = np.unique(titles.indices, return_inverse=True)
        rows = _padded(ngrams_read, _round_up(len(ngrams_read)), self.sizes["title"])
        dense = np.zeros((titles.shape[0], len(rows)), np.float32)
        dense[np.repeat(np.arange(len(dense)), np.diff(titles.indptr)), at] = titles.data
        return rows, dense

    def _local_tracks(self, entries: _Entries, n_candidates: int) -> tuple[np.ndarray, int]:
        """A step's tracks, candidates first, padded; and the number of candidates.

        Notes in `self._local` where each is.
        """
        uniform = self._random.choice(self._heard, self._params.negatives)
        candidates = np.unique(np.concatenate([entries.track[entries.rank >= 0], uniform]))
        seeds = np.setdiff1d(entries.track[entries.is_seed], candidates)
        tracks = np.full(_round_up(n_candidates + len(seeds)), candidates[0], np.int32)
        tracks[: len(candidates)] = candidates
        tracks[n_candidates : n_candidates + len(seeds)] = seeds
        self._local[seeds] = n_candidates + np.arange(len(seeds))
        self._local[candidates] = np.arange(len(candidates))
        return tracks, len(candidates)


def _rows_of(own: np.ndarray) -> np.ndarray:
    """Rows 1, 2, … for those with a row of their own, 0 for all others, int32."""
    return np.where(own, np.cumsum(own), 0).astype(np.int32)


def _rank(row: np.ndarray, key: np.ndarray, playlists: Playlists) -> np.ndarray:
    """Number of each entry among those of its playlist by rising key, from 0."""
    order = np.lexsort((key, row))
    rank = np.empty(len(row), np.int64)
    rank[order] = np.arange(len(row)) - playlists.indptr[row]
    return rank


def _round_up(size: int) -> int:
    return max(1, -(-size // _PAD)) * _PAD


def _padded(rows: np.ndarray, size: int, end: int) -> np.ndarray:
    """Rows of a table, filled up with distinct ones from its end on, which do not exist."""
    padded = np.arange(end, end + size, dtype=np.int32)
    padded[: len(rows)] = rows
    return padded


class _Trainer:
    """Learns the tables and weights with JAX.

    Parameters
    ----------
    dataset : Dataset
    params : TwoTower.Params
    seed : int
    """

    def __init__(self, dataset: Dataset, params: TwoTower.Params, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._sampler = _Sampler(dataset, params, random)
        self._tables = self._first_tables(params.dimensions, random)
        self._sums = {
            name: np.zeros(len(table), np.float32) for name, table in self._tables.items()
        }
        self._weights = _first_weights(params)
        self._steps = _compiled(params.rate, params.weight_rate)
        self._moments = self._steps.optimiser.init(self._weights)

    def _first_tables(self, dimensions: int, random: np.random.Generator) -> dict[str, Any]:
        """Random vectors of length about 1; an n-gram says nothing before it is learnt."""
        sizes = self._sampler.sizes
        tables = {
            name: random.standard_normal((sizes[name], dimensions), np.float32)
            / np.float32(np.sqrt(dimensions))
            for name in ("track", "artist")
        }
        return tables | {"title": np.zeros((sizes["title"], dimensions), np.float32)}

    def run_epoch(self) -> None:
        """Draw about as many targets as the playlists have entries, and learn from them."""
        for _ in range(len(self._sampler)):
            batch = self._sampler.draw()
            rows = {name: self._steps.read(self._tables[name], batch.rows[name]) for name in TABLES}
            slopes, self._weights, self._moments = self._steps.learn(
                rows, self._weights, self._moments, batch
            )
            for name in TABLES:
                self._tables[name], self._sums[name] = self._steps.move(
                    self._tables[name], self._sums[name], batch.rows[name], slopes[name]
                )

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that make the model as it is now."""
        tables = {name: np.asarray(table, np.float16) for name, table in self._tables.items()}
        # Copied: the next step writes over its arguments.
        weights = {name: np.array(weight) for name, weight in self._weights.items()}
        return tables | weights | self._sampler.state


def _first_weights(params: TwoTower.Params) -> dict[str, np.ndarray]:
    """All parts of a query with equal weight, places and statistics without effect."""
    d = params.dimensions
    shapes = {
        "audio": (22, d),
        "places": (params.previous, d),
        "gates": (_STATISTICS, 3),
        "statistics": (_STATISTICS, d),
    }
    numbers = {
        "seed_power": -0.2,
        "popularity": 0.1,
        "log_temperature": np.log(params.temperature),
    }
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return weights | {name: np.array(number, np.float32) for name, number in numbers.items()}


def sampled_softmax(logits: Any, log_q: Any, own: Any, targets: Any, weight: Any) -> Any:
    """Mean loss of targets against sampled negatives, with the logQ correction.

    -log(e^t / (e^t + Σ e^n)), t and n the logits of the target and of the candidates that are no
    own tracks, each minus its log_q (Yi et al., RecSys 2019, equations 2 to 4).

    Parameters
    ----------
    logits : JAX array, shape (B, C)
    log_q : JAX array, shape (C,)
        Log of each candidate's chance to be sampled.
    own : bool array, shape (B, C)
        Candidates that are no negatives of a query.
    targets : int array, shape (B, T)
        Candidates.
    weight : JAX array, shape (B, T)
        Of each target; a row sums to 1.
    """
    import jax
    import jax.numpy as jnp

    corrected = logits - log_q
    negative = jax.nn.logsumexp(jnp.where(own, -jnp.inf, corrected), axis=1, keepdims=True)
    positive = jnp.take_along_axis(corrected, targets, axis=1)
    return (jax.nn.softplus(negative - positive) * weight).sum() / len(logits)


def _loss(rows: Mapping[str, Any], weights: Mapping[str, Any], batch: _Batch) -> Any:
    """Loss of a batch, from the rows of the tables that it reads."""
    import jax.numpy as jnp

    tracks = track_vectors(
        weights, rows["track"][batch.track_at], rows["artist"][batch.artist_at], batch.audio
    )
    title = batch.titles @ rows["title"]
    query = Query(tracks, batch.log_count, batch.held, batch.last, title, batch.statistics)
    candidates = slice(batch.own.shape[1])
    product = query_vectors(jnp, weights, query, batch.keep) @ unit(jnp, tracks[candidates]).T
    bias = weights["popularity"] * batch.log_count[candidates]
    logits = product / jnp.exp(weights["log_temperature"]) + bias
    return sampled_softmax(logits, batch.log_q, batch.own, batch.targets, batch.weight)


class _Steps(NamedTuple):
    """Compiled parts of a training step; only `learn` takes long to compile.

    It does not see the tables, so that it is compiled once for all of their sizes.

    Attributes
    ----------
    read : function of a table and rows
        The rows; zeros for those beyond its end.
    learn : function of rows of the tables, weights, moments and a batch
        Gradients of the rows; weights and moments after Adam's step.
    move : function of a table, sums, rows and their gradients
        Table and sums after a step of row-wise Adagrad, which divides the rate by the root of the
        sum of a row's mean squared gradients. Other rows are not touched.
    optimiser : optax.GradientTransformation
    """

    read: Any
    learn: Any
    move: Any
    optimiser: Any


@cache
def _compiled(rate: float, weight_rate: float) -> _Steps:
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = optax.adam(weight_rate)

    def read(table: Any, rows: Any) -> Any:
        return table.at[rows].get(mode="fill", fill_value=0, unique_indices=True)

    def learn(rows: Any, weights: Any, moments: Any, batch: _Batch) -> Any:
        slopes, weight_slopes = jax.grad(_loss, argnums=(0, 1))(rows, weights, batch)
        changes, moments = optimiser.update(weight_slopes, moments)
        return slopes, optax.apply_updates(weights, changes), moments

    def move(table: Any, sums: Any, rows: Any, slopes: Any) -> Any:
        total = read(sums, rows) + jnp.square(slopes).mean(axis=1)
        moved = read(table, rows) - rate * slopes / (jnp.sqrt(total)[:, None] + 1e-10)
        return (
            table.at[rows].set(moved, mode="drop", unique_indices=True),
            sums.at[rows].set(total, mode="drop", unique_indices=True),
        )

    return _Steps(jax.jit(read), jax.jit(learn), jax.jit(move, donate_argnums=(0, 1)), optimiser)
