"""What our models are measured against: outside libraries and published formulas, as models.

Each peer keeps the contract of `core.retrieval.base`, so whatever fits, measures or searches
settings for ours does so for them. A library is called as its documentation says; where it knows no
way to answer for a playlist that it was not trained on, the class says which one is used. Settings
were chosen on validation playlists, as ours were.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel
from core.retrieval.neighbours import incidence, seed_weights
from core.retrieval.track2vec import DEFAULTS, Track2Vec


class _Learned(RetrievalModel):
    """A model that learns from the playlist-track matrix alone.

    Its columns are the tracks that playlists hold, in random order: in the order of ids, which
    fall with popularity in the whole dataset, a library that prefers the first of two equals would
    be told what is held out.
    """

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        held = np.flatnonzero(dataset.counts).astype(np.int32)
        tracks = np.random.default_rng(seed).permutation(held)
        matrix = _narrow(dataset.playlists.matrix()[:, tracks])
        self._restore(self._learn(matrix, seed, progress) | {"tracks": tracks}, dataset)

    @abstractmethod
    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        """Arrays that were learnt from ones where a playlist holds a track."""

    def _state(self) -> dict[str, np.ndarray]:
        return self._arrays

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._arrays = arrays
        self._tracks = arrays["tracks"]

    def _seeds(self, queries: Queries) -> sparse.csr_matrix:
        """Ones where a query holds a track of the matrix, (len(queries), len(tracks))."""
        return _narrow(queries.matrix(self.n_tracks)[:, self._tracks])


class _Factors(_Learned):
    """A playlist's factors times the tracks'."""

    @abstractmethod
    def _playlists(self, seeds: sparse.csr_matrix) -> np.ndarray:
        """Factors of new playlists of at least one track each, to be multiplied with "items"."""

    def _scores(self, queries: Queries) -> np.ndarray:
        seeds = self._seeds(queries)
        known = np.flatnonzero(np.diff(seeds.indptr))
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        if len(known):
            playlists = self._playlists(seeds[known])
            scores[np.ix_(known, self._tracks)] = playlists @ self._arrays["items"].T
        return scores


class _Similarities(_Learned):
    """The sum of the seeds' rows of a matrix of similar tracks."""

    def _scores(self, queries: Queries) -> sparse.csr_array:
        n = len(self._tracks)
        arrays = self._arrays
        similar = sparse.csr_array((arrays["values"], arrays["columns"], arrays["indptr"]), (n, n))
        scores = sparse.csr_array(self._seeds(queries)) @ similar
        shape = (len(queries), self.n_tracks)
        return sparse.csr_array((scores.data, self._tracks[scores.indices], scores.indptr), shape)


def _stored(similar: sparse.csr_matrix) -> dict[str, np.ndarray]:
    """The arrays that `_Similarities` reads."""
    return {
        "values": similar.data.astype(np.float32),
        "columns": similar.indices.astype(np.int32),
        "indptr": similar.indptr,
    }


class ImplicitALS(_Factors):
    """`implicit.als.AlternatingLeastSquares`; a new playlist by its `recalculate_user`."""

    name = "implicit_als"
    label = "implicit ALS"
    source = "https://benfred.github.io/implicit/api/models/cpu/als.html"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The library's settings."""

        factors: int = 384
        regularization: float = 30.0
        alpha: float = 60.0
        iterations: int = 10

    params: Params

    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        model = self._model(seed)
        with _one_blas_thread():
            model.fit(matrix, show_progress=False, callback=_told(progress, self.params.iterations))
        return {"items": model.item_factors}

    def _model(self, seed: int = 0) -> Any:
        from implicit.als import AlternatingLeastSquares

        with _one_blas_thread():
            return AlternatingLeastSquares(
                factors=self.params.factors,
                regularization=self.params.regularization,
                alpha=self.params.alpha,
                iterations=self.params.iterations,
                random_state=seed,
                use_gpu=False,
            )

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        super()._restore(arrays, dataset)
        self._fitted = self._model()
        # The library refuses arrays that it may not write to, as a memory map is.
        self._fitted.item_factors = np.array(arrays["items"])

    def _playlists(self, seeds: sparse.csr_matrix) -> np.ndarray:
        return self._fitted.recalculate_user(np.arange(seeds.shape[0]), seeds)


class _Mapped(_Factors):
    """Factors of a library that cannot place a new playlist.

    They are the mean of its seeds' factors, mapped to factors of playlists by the ridge regression
    that maps the means of the training playlists best.
    """

    def _placed(
        self, matrix: sparse.csr_matrix, items: np.ndarray, playlists: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What is kept of the factors of both sides."""
        means = _mean(matrix, items)
        ridge = means.T @ means + np.eye(items.shape[1])
        learnt = np.linalg.solve(ridge, means.T @ playlists)
        return {"items": items, "map": learnt.astype(np.float32)}

    def _playlists(self, seeds: sparse.csr_matrix) -> np.ndarray:
        return _mean(seeds, self._arrays["items"]) @ self._arrays["map"]


class ImplicitBPR(_Mapped):
    """`implicit.bpr.BayesianPersonalizedRanking`.

    The library cannot place a new playlist (its issue 658). Mapping the mean of the seeds' factors
    was better on validation than the mean itself, and this better than the cosine of factors.
    """

    name = "implicit_bpr"
    label = "implicit BPR"
    source = "https://benfred.github.io/implicit/api/models/cpu/bpr.html"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The library's settings."""

        factors: int = 127
        learning_rate: float = 0.1
        regularization: float = 0.003
        iterations: int = 500

    params: Params

    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        from implicit.bpr import BayesianPersonalizedRanking

        # With several threads the same seed gives another model each time.
        model = BayesianPersonalizedRanking(
            factors=self.params.factors,
            learning_rate=self.params.learning_rate,
            regularization=self.params.regularization,
            iterations=self.params.iterations,
            random_state=seed,
            num_threads=1,
            use_gpu=False,
        )
        model.fit(matrix, show_progress=False, callback=_told(progress, self.params.iterations))
        # The last factor of a track is its bias, and that of a playlist is 1.
        return self._placed(matrix, model.item_factors, model.user_factors)


class ImplicitItemKNN(_Similarities):
    """The nearest-neighbour models of `implicit`."""

    name = "implicit_item_knn"
    label = "implicit item-kNN"
    source = "https://benfred.github.io/implicit/api/models/cpu/itemitem.html"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The library's settings; `weighting` chooses its class, k1 and b only serve BM25."""

        weighting: Literal["cosine", "tfidf", "bm25"] = "bm25"
        neighbours: int = 200
        k1: float = 1.2
        b: float = 0.1

    params: Params

    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        from implicit import nearest_neighbours as library

        neighbours = self.params.neighbours
        if self.params.weighting == "bm25":
            model = library.BM25Recommender(neighbours, K1=self.params.k1, B=self.params.b)
        elif self.params.weighting == "tfidf":
            model = library.TFIDFRecommender(neighbours)
        else:
            model = library.CosineRecommender(neighbours)
        model.fit(matrix, show_progress=False)
        return _stored(model.similarity)


class SPlus(_Similarities):
    """`similaripy.s_plus`; the Tversky part, l1, was of no help on validation."""

    name = "similaripy_s_plus"
    label = "similaripy S-Plus"
    source = "https://github.com/bogliosimone/similaripy"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The library's settings."""

        l1: float = 0.0
        l2: float = 1.0
        t1: float = 0.25
        t2: float = 0.65
        c1: float = 0.7
        c2: float = 0.3
        shrink: float = 0.5
        k: int = 200

    params: Params

    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        from similaripy import s_plus

        settings = asdict(self.params)
        return _stored(s_plus(matrix.T.tocsr(), **settings, verbose=False, format_output="csr"))


class LightFMWarp(_Mapped):
    """LightFM with the WARP loss, in the maintained fork `rectools-lightfm`.

    The library cannot place a new playlist that has no features (its issue 194). Its tracks as
    its features, the other way, took longer and was far worse on validation.
    """

    name = "lightfm_warp"
    label = "LightFM WARP"
    source = "https://making.lyst.com/lightfm/docs/lightfm.html"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The library's settings."""

        no_components: int = 64
        learning_rate: float = 0.05
        max_sampled: int = 100
        epochs: int = 100

    params: Params

    def _learn(
        self, matrix: sparse.csr_matrix, seed: int, progress: Progress
    ) -> dict[str, np.ndarray]:
        from lightfm import LightFM

        model = LightFM(
            loss="warp",
            no_components=self.params.no_components,
            learning_rate=self.params.learning_rate,
            max_sampled=self.params.max_sampled,
            random_state=seed,
        )
        interactions = matrix.tocoo()
        for _ in progress.track(range(self.params.epochs), "Training factors"):
            model.fit_partial(interactions)
        biases, items = model.get_item_representations()
        _, playlists = model.get_user_representations()
        return self._placed(matrix, items, playlists) | {"biases": biases}

    def _scores(self, queries: Queries) -> np.ndarray:
        scores = super()._scores(queries)
        scores[:, self._tracks] += self._arrays["biases"]
        return scores


class PublishedPlaylistKNN(RetrievalModel):
    """Playlist neighbours as published.

    The similarity of playlists u and v is the sum over their common tracks i of
    1 / ((f_i - 1)^rho + 1), f_i being the number of playlists that hold i, over sqrt(|u| |v|). The
    score of a track is the sum of similarity^amplification over those of the k nearest playlists
    that hold it, over this sum over all k.
    """

    name = "published_playlist_knn"
    label = "Playlist-kNN, published"
    source = "D. M. Kelen et al., RecSys Challenge 2018, https://doi.org/10.1145/3267471.3267477"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """The publication's settings by its names."""

        k: int = 1500
        rho: float = 0.38
        amplification: float = 2.0

    params: Params

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._held = incidence(dataset.playlists)
        self._weights = seed_weights(dataset.counts, self.params.rho)
        self._lengths = dataset.playlists.lengths

    def _scores(self, queries: Queries) -> sparse.csr_array:
        seeds = queries.matrix(self.n_tracks)
        seeds.data *= self._weights[seeds.indices]
        lengths = np.outer(np.maximum(queries.lengths, 1), self._lengths)
        similarity = (seeds @ self._held.T).toarray() / np.sqrt(lengths)
        k = min(self.params.k, similarity.shape[1])
        farthest = np.partition(similarity, -k, axis=1)[:, [-k]]
        votes = np.where(similarity >= farthest, similarity, 0) ** self.params.amplification
        sums = votes.sum(axis=1, keepdims=True)
        shares = np.divide(votes, sums, out=np.zeros_like(votes), where=sums > 0)
        return sparse.csr_array(shares.astype(np.float32)) @ self._held


class SameTitle(RetrievalModel):
    """Counts of tracks in the playlists of the same title, but for case and outer spaces."""

    name = "same_title"
    label = "Same title"
    source = "https://doi.org/10.1145/3267471.3267477 (title-based counts)"
    uses_titles = True
    uses_seeds = False

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        number: dict[str, int] = {}
        titles = [_plain(title) for title in dataset.playlists.titles]
        titled = [row for row, title in enumerate(titles) if title]
        title_of = [number.setdefault(titles[row], len(number)) for row in titled]
        ones = np.ones(len(titled), np.float32)
        bearers = sparse.csr_array((ones, (title_of, titled)), (len(number), len(titles)))
        self._number = number
        self._counts = bearers @ incidence(dataset.playlists)

    def _scores(self, queries: Queries) -> sparse.csr_array:
        titles = [self._number.get(_plain(title), -1) for title in queries.titles]
        rows = np.flatnonzero(np.array(titles) >= 0)
        ones = np.ones(len(rows), np.float32)
        asked = (ones, (rows, np.array(titles)[rows]))
        return sparse.csr_array(asked, (len(titles), len(self._number))) @ self._counts


class AudioCosine(RetrievalModel):
    """Cosine to the mean of the seeds' standardised audio features, with `scikit-learn`.

    An unknown feature counts as the mean of all tracks; a track without any is neither proposed
    nor heeded.
    """

    name = "audio_cosine"
    label = "Audio cosine"
    source = "https://scikit-learn.org/stable/modules/preprocessing.html"
    uses_metadata = True
    proposes_unheard = True

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        from sklearn.preprocessing import StandardScaler

        features = dataset.audio[:, ~np.isnan(dataset.audio).all(axis=0)]
        self._tracks = np.flatnonzero(~np.isnan(features).all(axis=1))
        self._features = np.zeros((self.n_tracks, features.shape[1]), np.float32)
        if len(self._tracks):
            standard = StandardScaler().fit_transform(features[self._tracks])
            self._features[self._tracks] = np.nan_to_num(standard)

    def _scores(self, queries: Queries) -> np.ndarray:
        from sklearn.metrics.pairwise import cosine_similarity

        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        seeds = queries.matrix(self.n_tracks)
        known = np.flatnonzero(np.diff(seeds[:, self._tracks].indptr))
        if len(known):
            means = seeds[known] @ self._features
            scores[np.ix_(known, self._tracks)] = cosine_similarity(
                means, self._features[self._tracks]
            )
        return scores


def _narrow(matrix: sparse.csr_array) -> sparse.csr_matrix:
    """The same as the libraries read it: a matrix, not an array, with 32-bit places."""
    places = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sparse.csr_matrix((matrix.data, *places), matrix.shape)


def _plain(title: str | None) -> str:
    return (title or "").strip().casefold()


def _mean(rows: sparse.csr_matrix, vectors: np.ndarray) -> np.ndarray:
    """Mean vector of the tracks of each row, all of which hold one."""
    return (rows @ vectors) / np.diff(rows.indptr)[:, None].astype(np.float32)


def _told(progress: Progress, iterations: int) -> Any:
    """A callback of `implicit` that tells the progress."""

    def tell(iteration: int, *_: Any) -> None:
        progress.update("Training factors", (iteration + 1) / iterations)

    return tell


def _one_blas_thread() -> Any:
    """What `implicit` asks for: its own threads and those of BLAS get in each other's way."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


class Peer(NamedTuple):
    """An entry of `PEERS`.

    Attributes
    ----------
    model : type of RetrievalModel
    params : its Params
        Chosen on validation playlists, but for package defaults.
    family : str
        A key of `FAMILIES`.
    label : str
        Name that a person reads.
    """

    model: type[RetrievalModel]
    params: Any
    family: str
    label: str


def _tuned(model: type[RetrievalModel], family: str) -> Peer:
    return Peer(model, model.Params(), family, model.label)


PEERS: Mapping[str, Peer] = {
    "published_playlist_knn": _tuned(PublishedPlaylistKNN, "playlist neighbours"),
    "implicit_item_knn": _tuned(ImplicitItemKNN, "track neighbours"),
    "similaripy_s_plus": _tuned(SPlus, "track neighbours"),
    "same_title": _tuned(SameTitle, "titles"),
    "gensim_word2vec": Peer(Track2Vec, DEFAULTS, "track2vec", "gensim word2vec, defaults"),
    "implicit_als": _tuned(ImplicitALS, "least squares"),
    "implicit_bpr": _tuned(ImplicitBPR, "pairwise factors"),
    "lightfm_warp": _tuned(LightFMWarp, "towers"),
    "audio_cosine": _tuned(AudioCosine, "audio"),
}
"""Every peer by name, in the order of tables."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "playlist neighbours": ("playlist_knn", "artist_knn", "multi_view_knn"),
    "track neighbours": ("item_knn",),
    "titles": ("titles",),
    "track2vec": ("track2vec",),
    "least squares": ("als",),
    "pairwise factors": ("bpr", "lightgcn"),
    "towers": ("two_tower",),
    "audio": ("audio",),
}
"""Our models of each family. LightGCN is measured against the factors that its paper propagates,
the two-tower network against the library that sums embeddings of features on both sides."""


def family_of(model: str) -> str | None:
    """The family of one of our models, by name; None where it has no peer."""
    return next((family for family, models in FAMILIES.items() if model in models), None)
