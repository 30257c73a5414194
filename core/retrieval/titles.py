"""Titles: playlists titled like this one, or of what such titles stand for, and named artists."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.dataset.text import normalise
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel, unit
from core.retrieval.neighbours import (
    artist_counts,
    artist_vectors,
    incidence,
    keep_nearest,
    rarity,
    summed,
)

_SHORTEST, _LONGEST = 2, 4
_NAME_WORDS = 6
"""Words of the longest artist name that is looked for in a title."""
_NAMED_SHARES = np.array([0.35, 0.6, 0.8], np.float32)
"""Share of a playlist that an artist has whom its title names in one, two, three or more words,
where nothing else is known of the name: rounded means over real playlists."""
_POPULAR = 1000
"""Tracks that a title may get for their popularity alone."""


class Titles(RetrievalModel):
    """What a title says: evidence from four sources, added up.

    Titles are compared as `core.dataset.text.normalise` leaves them, by the cosine of their
    character n-grams, which meets spelling and inflection, in TF-IDF weights.

    - The k playlists with the nearest titles vote for their tracks with their similarity, 1 for
      the same title, raised to a power.
    - Title factors: the artists of playlists are factorised (truncated SVD), and a ridge regression
      maps n-grams to these factors. Playlists whose factors are near those of the title vote too,
      so titles that look different but stand for the same music meet.
    - An artist whom the title names adds tracks in the order of popularity, as much as playlists
      with this name in their title are the artist's.
    - Popularity is the prior: it orders tracks of equal votes, and leads where titles say little.

    The score is not divided by anything: it grows with what speaks for a track. A title that
    resembles none and names nobody, or in a script that none is in, gets no answer.
    """

    name = "titles"
    label = "Titles"
    source = (
        "G. Salton, C. Buckley, 1988, https://doi.org/10.1016/0306-4573(88)90021-0 (TF-IDF); "
        "S. Deerwester et al., 1990, https://doi.org/10.1002/(SICI)1097-4571(199009)41:6%3C391::"
        "AID-ASI1%3E3.0.CO;2-9 (factors)"
    )
    uses_titles = True
    uses_seeds = False

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        neighbours : int
            Playlists that vote, k; more where several titles are equally near.
        least : float
            Similarity from which on a title counts as alike, 0 to 1.
        vote_power : float
            How much more the vote of a playlist with a nearer title counts.
        factors : int
            Numbers that stand for the music of a title; 0 for none.
        ridge : float
            Against fitting the factors to chance, above 0.
        factor_weight, factor_power : float
            Largest vote of a playlist for its factors, and how much more a nearer one counts.
        named : float
            Weight of a named artist, in playlists.
        prior : float
            Weight of popularity, in playlists.
        """

        neighbours: int = 1000
        least: float = 0.1
        vote_power: float = 4.0
        factors: int = 64
        ridge: float = 0.3
        factor_weight: float = 0.3
        factor_power: float = 3.0
        named: float = 2.0
        prior: float = 1.0

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        counts = artist_counts(dataset)
        factors = _artist_factors(counts, self.params.factors, seed)
        known = _Known(normalise(dataset.playlists.titles))
        state = {
            "ngram_factors": _regress(known, factors, self.params.ridge, progress),
            "playlist_factors": unit(factors).astype(np.float16),
            "named_share": _named_shares(_Names(dataset, counts), known, counts),
        }
        self._restore(state, dataset)

    def _state(self) -> dict[str, np.ndarray]:
        return {
            "ngram_factors": self._ngram_factors.astype(np.float16),
            "playlist_factors": self._playlist_factors.astype(np.float16),
            "named_share": self._named_share,
        }

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._ngram_factors = arrays["ngram_factors"].astype(np.float32)
        self._playlist_factors = arrays["playlist_factors"].astype(np.float32)
        self._named_share = arrays["named_share"]
        self._known = _Known(normalise(dataset.playlists.titles))
        self._titles = self._known.vectors.T.tocsr()
        self._held = incidence(dataset.playlists)
        self._names = _Names(dataset, artist_counts(dataset))
        self._by_artist = _tracks_by_artist(dataset)
        self._prior = self.params.prior / dataset.n_playlists * dataset.counts.astype(np.float32)
        popular = np.sort(dataset.by_popularity[:_POPULAR])
        popular = popular[self._prior[popular] > 0]
        self._popular = sparse.csr_array(
            (self._prior[popular], popular, [0, len(popular)]), (1, self.n_tracks)
        )
        self._prior[popular] = 0

    def _scores(self, queries: Queries) -> sparse.csr_array:
        return self.evidence(queries.titles)[1]

    def evidence(self, titles: Sequence[str | None]) -> tuple[sparse.csr_array, sparse.csr_array]:
        """What titles say of playlists and of tracks.

        Returns
        -------
        similarity : float32 csr_array, shape (len(titles), n_playlists)
            To the titles of playlists where they are alike, 0 to 1.
        scores : float32 csr_array, shape (len(titles), n_tracks)
            Stored entries are the candidates.
        """
        texts = normalise(titles)
        vectors = self._known.ngrams.vectors(texts)
        similarity = self._alike(vectors)
        votes = similarity.copy()
        votes.data **= self.params.vote_power
        named = self._names.mentions(texts)
        named.data *= self.params.named * self._named_share[named.indices]
        answered = np.diff(votes.indptr) + np.diff(named.indptr) > 0
        votes = votes + self._factor_votes(vectors, answered)
        scores = sparse.csr_array(votes @ self._held + named @ self._by_artist)
        scores.data += self._prior[scores.indices]
        ones = sparse.csr_array(answered[:, None].astype(np.float32))
        return similarity, sparse.csr_array(scores + ones @ self._popular)

    def alike(self, titles: Sequence[str | None]) -> sparse.csr_array:
        """Similarity to the titles of playlists, the first result of `evidence` alone."""
        return self._alike(self._known.ngrams.vectors(normalise(titles)))

    def _alike(self, vectors: sparse.csr_array) -> sparse.csr_array:
        alike = keep_nearest(vectors @ self._titles, self.params.neighbours, self.params.least)
        return keep_nearest(alike @ self._known.bearers, self.params.neighbours)

    def _factor_votes(self, vectors: sparse.csr_array, answered: np.ndarray) -> sparse.csr_array:
        """Votes of playlists by their factors for the titles that get an answer."""
        factors = unit(vectors @ self._ngram_factors) * answered[:, None]
        cosine = sparse.csr_array(np.maximum(factors @ self._playlist_factors.T, 0))
        near = keep_nearest(cosine, self.params.neighbours)
        near.data = self.params.factor_weight * near.data**self.params.factor_power
        return near


class _Known:
    """The distinct titles of a dataset.

    Attributes
    ----------
    texts : list of str
    ngrams : Ngrams
    vectors : float32 csr_array, shape (n_titles, number of n-grams)
    bearers : float32 csr_array, shape (n_titles, n_playlists)
        Ones where a playlist bears a title.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        titled = [playlist for playlist, text in enumerate(texts) if text]
        number: dict[str, int] = {}
        title_of = [number.setdefault(texts[playlist], len(number)) for playlist in titled]
        ones = np.ones(len(titled), np.float32)
        self.bearers = sparse.csr_array((ones, (title_of, titled)), (len(number), len(texts)))
        self.texts = list(number)
        self.ngrams = Ngrams(self.texts)
        self.vectors = self.ngrams.vectors(self.texts)


class _Names:
    """The names of the artists that playlists hold."""

    def __init__(self, dataset: Dataset, counts: sparse.csr_array) -> None:
        heard = np.unique(counts.indices)
        names = normalise(dataset.artists["name"].take(heard).to_pylist())
        self.count = counts.shape[1]
        self._bearers: dict[str, list[int]] = {}
        for artist, name in zip(heard.tolist(), names, strict=True):
            if name:
                self._bearers.setdefault(name, []).append(artist)

    def mentions(self, texts: Sequence[str]) -> sparse.csr_array:
        """Share of each artist in a name that a text has as whole words, (len(texts), count)."""
        found = [
            (row, artist, 1 / len(bearers))
            for row, text in enumerate(texts)
            for run in dict.fromkeys(_runs(text))
            for bearers in [self._bearers.get(run, [])]
            for artist in bearers
        ]
        rows, artists, shares = np.array(found).reshape(-1, 3).T
        return summed(rows.astype(int), artists.astype(int), shares, (len(texts), self.count))

    def words(self) -> np.ndarray:
        """Number of words of each artist's name, int64, shape (count,); 1 without one."""
        words = np.ones(self.count, np.int64)
        for name, artists in self._bearers.items():
            words[artists] = len(name.split())
        return words


def _named_shares(names: _Names, known: _Known, counts: sparse.csr_array) -> np.ndarray:
    """Expected share of a playlist that an artist has whom its title names, float32.

    The mean over the playlists of such titles and one imagined of `_NAMED_SHARES`.
    """
    mentions = sparse.csr_array(known.bearers.T @ names.mentions(known.texts))
    shares = counts.copy()
    shares.data /= np.repeat(counts.sum(axis=1), np.diff(counts.indptr))
    found = mentions.multiply(shares).sum(axis=0)
    expected = _NAMED_SHARES[np.minimum(names.words(), len(_NAMED_SHARES)) - 1]
    return ((found + expected) / (mentions.sum(axis=0) + 1)).astype(np.float32)


def _tracks_by_artist(dataset: Dataset) -> sparse.csr_array:
    """Square root of a track's count over the artist's largest, (n_artists, n_tracks)."""
    tracks = np.flatnonzero(dataset.counts)
    artists, counts = dataset.artist[tracks], dataset.counts[tracks].astype(np.float32)
    largest = np.ones(int(dataset.artist.max(initial=-1)) + 1, np.float32)
    np.maximum.at(largest, artists, counts)
    shape = (len(largest), dataset.n_tracks)
    return summed(artists, tracks, np.sqrt(counts / largest[artists]), shape)


def _artist_factors(counts: sparse.csr_array, rank: int, seed: int) -> np.ndarray:
    """Playlists in the space of the largest singular vectors, float32, (n_playlists, rank)."""
    from scipy.sparse.linalg import svds

    rank = min(rank, min(counts.shape) - 1)
    if rank < 1:
        return np.zeros((counts.shape[0], 0), np.float32)
    start = np.random.default_rng(seed).standard_normal(min(counts.shape))
    left, values, _ = svds(artist_vectors(counts, rarity(counts)), rank, v0=start)
    return (left * values).astype(np.float32)


def _regress(known: _Known, factors: np.ndarray, ridge: float, progress: Progress) -> np.ndarray:
    """Ridge regression of playlists' factors on the n-grams of their titles.

    Playlists of one title are one row, as long as the root of their number, with the mean of
    their factors: the same solution for less work.

    Returns
    -------
    float16 array, shape (number of n-grams, rank)
    """
    from scipy.sparse.linalg import lsmr

    roots = np.sqrt(known.bearers.sum(axis=1)).astype(np.float32)
    rows = sparse.csr_array(known.vectors * roots[:, None], dtype=np.float64)
    targets = known.bearers @ factors.astype(np.float64) / roots[:, None]
    solution = np.zeros((rows.shape[1], factors.shape[1]), np.float16)
    if rows.nnz:
        for column in progress.track(range(factors.shape[1]), "Learning title factors"):
            solution[:, column] = lsmr(rows, targets[:, column], sqrt(ridge), maxiter=100)[0]
    return solution


def _runs(text: str) -> Iterator[str]:
    """Every run of up to `_NAME_WORDS` words."""
    words = text.split()
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + _NAME_WORDS) + 1):
            yield " ".join(words[start:end])


class Ngrams:
    """TF-IDF vectors of texts over the character n-grams of a collection.

    Parameters
    ----------
    collection : sequence of str
    """

    def __init__(self, collection: Sequence[str]) -> None:
        texts = Counter(ngram for text in collection for ngram in dict.fromkeys(ngrams(text)))
        self._column = {ngram: column for column, ngram in enumerate(texts)}
        self._weight = {
            ngram: log((1 + len(collection)) / (1 + count)) + 1 for ngram, count in texts.items()
        }
        self._unseen = log(1 + len(collection)) + 1

    def vectors(self, texts: Sequence[str]) -> sparse.csr_array:
        """One row of length 1 a text, less where it has n-grams that the collection lacks.

        A weight is (1 + log count in the text) × (1 + log of the inverse share of texts).

        Returns
        -------
        float32 csr_array, shape (len(texts), number of n-grams)
        """
        indptr, columns, values = [0], [], []
        for text in texts:
            weights = {
                ngram: (1 + log(count)) * self._weight.get(ngram, self._unseen)
                for ngram, count in Counter(ngrams(text)).items()
            }
            length = sqrt(sum(weight * weight for weight in weights.values()))
            seen = [ngram for ngram in weights if ngram in self._column]
            columns += [self._column[ngram] for ngram in seen]
            values += [weights[ngram] / length for ngram in seen]
            indptr.append(len(columns))
        return sparse.csr_array(
            (np.array(values, np.float32), np.array(columns, np.int32), np.array(indptr)),
            (len(texts), len(self._column)),
        )


def ngrams(text: str) -> Iterator[str]:
    """Every run of 2 to 4 characters of each word, the word's ends marked by spaces."""
    for word in text.split():
        marked = f" {word} "
        for size in range(_SHORTEST, _LONGEST + 1):
            for start in range(len(marked) - size + 1):
                yield marked[start : start + size]
