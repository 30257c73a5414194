"""Titles: playlists titled like this one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.dataset.text import normalise
from core.retrieval.base import Queries, RetrievalModel
from core.retrieval.neighbours import as_shares, incidence, keep_nearest

_SHORTEST, _LONGEST = 2, 4


class Titles(RetrievalModel):
    """Playlists with the most similar titles vote for their tracks.

    Titles are compared as `core.dataset.text.normalise` leaves them, by the cosine of their
    character n-grams, which meets spelling and inflection, in TF-IDF weights. A playlist of the
    same title has similarity 1. The k playlists with the nearest titles vote with their similarity
    raised to a power. A track's score is its share of the votes times count^popularity: mostly
    the order of tracks that have equal votes. A title that resembles none, or in a script that
    none is in, gets no answer. Nothing is stored that the dataset does not hold.
    """

    name = "titles"
    label = "Titles"
    source = "G. Salton, C. Buckley, 1988, https://doi.org/10.1016/0306-4573(88)90021-0 (TF-IDF)"
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
        popularity : float
            How much more a popular track's share counts; negative for less.
        """

        neighbours: int = 1000
        least: float = 0.1
        vote_power: float = 3.0
        popularity: float = 0.05

    params: Params

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        texts = normalise(dataset.playlists.titles)
        titled = [playlist for playlist, text in enumerate(texts) if text]
        number: dict[str, int] = {}
        title_of = [number.setdefault(texts[playlist], len(number)) for playlist in titled]
        ones = np.ones(len(titled), np.float32)
        self._bearers = sparse.csr_array((ones, (title_of, titled)), (len(number), len(texts)))
        self._held = incidence(dataset.playlists)
        counts = np.maximum(dataset.counts, 1).astype(np.float32)
        self._popularity = counts**self.params.popularity
        self._ngrams = Ngrams(list(number))
        self._titles = self._ngrams.vectors(list(number)).T.tocsr()

    def _scores(self, queries: Queries) -> sparse.csr_array:
        similarity = self._ngrams.vectors(normalise(queries.titles)) @ self._titles
        alike = keep_nearest(similarity, self.params.neighbours, self.params.least)
        nearest = keep_nearest(alike @ self._bearers, self.params.neighbours)
        scores = as_shares(nearest, self.params.vote_power) @ self._held
        scores.data *= self._popularity[scores.indices]
        return scores


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
