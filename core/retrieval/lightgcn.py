"""LightGCN: vectors that spread along the edges between playlists, tracks and title words."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.progress import Progress
from core.retrieval.base import TINY, Queries, RetrievalModel, placed, rows_at, unit
from core.retrieval.columns import Columns
from core.retrieval.validation import SET_ASIDE, hit_share, set_aside

_CHECK = 20
"""Training steps between two looks at the playlists set aside."""

_EXPONENTS = (0.75, 0.5, 1.0, 0.25, 0.0)
"""Popularity exponents to choose from; the first where they serve equally."""

_SPREAD = 0.1
"""Standard deviation of base vectors before training."""


class LightGCN(RetrievalModel):
    """Tracks near the query in the graph of playlists, their tracks and words of their titles.

    Every node has a base vector. An edge from a playlist to a track has the value 1, one to a
    word of its title `title_weight`; a node's degree is their sum. In the next layer, the vector
    of a node is the sum of its neighbours', each times the edge's value over the square root of
    both degrees. The final vector is the weighted mean of all layers. The paper gives the base
    the weight of a layer; a smaller `base_weight` serves tracks that few playlists hold, whose
    base learns little: they are placed by their playlists. The words are not in the paper.

    Training lowers a sampled softmax loss: cosines of a playlist with its tracks, over
    `temperature`, against those with tracks of random entries. A query is a new playlist without
    a base vector; known words of its title place it even alone. A track's score is its cosine
    with the query, plus `temperature` times an exponent times the logarithm of its count, which
    the random tracks took out. The number of steps and the exponent are those that serve
    playlists set aside best; then training starts again with all. Scores are linear in seeds and
    words up to the length of the query.
    """

    name = "lightgcn"
    label = "LightGCN"
    source = "X. He et al., SIGIR 2020, https://arxiv.org/abs/2002.02126"
    uses_titles = True

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        vector_size : int
            Length of a vector.
        layers : int
            At least 1; each reaches one edge further.
        base_weight : float
            Weight of the base vectors in the mean, where each layer weighs 1.
        title_weight : float
            Value of the edges of title words; 0 leaves titles out.
        temperature : float
            By which cosines are divided in the softmax; smaller is sharper.
        learning_rate : float
            Adam's.
        steps : int
            Training steps, at most.
        batch : int
            Playlists of a step.
        negatives : int
            Random entries of a step, for all of its playlists.
        validation : float
            Share of playlists that is set aside, 0 to 1; of 0, all steps are taken and the
            exponent is 0.75.
        """

        vector_size: int = 64
        layers: int = 4
        base_weight: float = 0.2
        title_weight: float = 1.0
        temperature: float = 0.15
        learning_rate: float = 0.02
        steps: int = 120
        batch: int = 64
        negatives: int = 4096
        validation: float = 0.1

    params: Params
    exponent: float
    """Weight of popularity, chosen on the playlists set aside."""

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        steps, exponent = self._choose(dataset, seed, progress.within(0.0, 0.5, "Validation"))
        training = self._prepare(dataset, seed)
        progress = progress.within(0.5, 1.0, "")
        for step in progress.track(range(1, steps + 1), "Training vectors"):
            progress.figure("Loss", step, training.step())
        self._serve(_packed(*training.serving(), exponent))

    def _choose(self, dataset: Dataset, seed: int, progress: Progress) -> tuple[int, float]:
        """Steps and exponent that find most of what was set aside."""
        rest, queries, hidden = set_aside(dataset, self.params.validation, seed)
        best = (self.params.steps, _EXPONENTS[0])
        if not len(queries):
            return best
        training = self._prepare(rest, seed)
        longest = max(map(len, hidden))
        most = -1.0
        for step in progress.track(range(1, self.params.steps + 1), "Training vectors"):
            progress.figure("Loss", step, training.step())
            if step % _CHECK and step < self.params.steps:
                continue
            vectors = training.serving()
            for exponent in _EXPONENTS:
                self._serve(_packed(*vectors, exponent))
                share = hit_share(self.recommend(queries, longest), hidden)
                if share > most:
                    most, best = share, (step, exponent)
            progress.figure(SET_ASIDE, step, most)
        return best

    def _prepare(self, dataset: Dataset, seed: int) -> "Training":
        """What trains on the graph of a dataset, whose columns are taken."""
        self._read(dataset)
        rows = self._columns.rows_of(dataset.playlists)
        return Training(rows, len(self._columns.tracks), self.params, seed)

    def _read(self, dataset: Dataset) -> None:
        """Take the columns of a dataset's graph, and what their counts say."""
        self._columns = Columns(dataset, artist_weight=0.0, title_weight=self.params.title_weight)
        self._popularity = np.log(dataset.counts[self._columns.tracks], dtype=np.float32)

    def _serve(self, arrays: dict[str, np.ndarray]) -> None:
        """Answer with these vectors of the columns that were taken."""
        self._folds = arrays["folds"].astype(np.float32)
        self._targets = arrays["targets"].astype(np.float32)
        self.exponent = float(arrays["exponent"][0])
        self._bias = np.float32(self.exponent * self.params.temperature) * self._popularity

    def _state(self) -> dict[str, np.ndarray]:
        return _packed(self._folds, self._targets, self.exponent)

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._read(dataset)
        self._serve(arrays)

    def _scores(self, queries: Queries) -> np.ndarray:
        rows = self._columns.rows(queries)
        known = np.flatnonzero(np.diff(rows.indptr))
        cosines = unit(rows[known] @ self._folds) @ self._targets.T
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        scores[np.ix_(known, self._columns.tracks)] = cosines + self._bias
        return scores

    def track_vectors(self) -> np.ndarray:
        """Final vectors, as `RetrievalModel.track_vectors`."""
        return placed(self._targets, self._columns.tracks, self.n_tracks)

    def vectors_of(self, tracks: np.ndarray) -> np.ndarray:
        """As `RetrievalModel.vectors_of`."""
        return rows_at(self._targets, self._columns.track_column[tracks])

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks, as `RetrievalModel.seed_contributions`.

        0 for seeds and tracks that no playlist holds; the part of popularity is divided evenly
        among the seeds.
        """
        sources, columns = self._columns.track_column[seeds], self._columns.track_column[ids]
        known, there = sources >= 0, columns >= 0
        contributions = np.zeros((len(seeds), len(ids)), np.float32)
        if known.any():
            vectors = self._folds[sources[known]]
            query = np.linalg.norm(vectors.sum(axis=0))
            targets = self._targets[columns[there]]
            bias = self._bias[columns[there]] / len(vectors)
            contributions[np.ix_(known, there)] = vectors / max(query, TINY) @ targets.T + bias
        return contributions


def _packed(folds: np.ndarray, targets: np.ndarray, exponent: float) -> dict[str, np.ndarray]:
    """The state that is stored."""
    return {
        "folds": folds.astype(np.float16),
        "targets": targets.astype(np.float16),
        "exponent": np.array([exponent], np.float32),
    }


class Training:
    """Base vectors of a graph's nodes, and what moves them.

    Parameters
    ----------
    rows : sparse array, shape (n_playlists, n_columns)
        Values of the edges, tracks first; every playlist holds a track.
    n_tracks : int
    params : LightGCN.Params
    seed : int

    Attributes
    ----------
    base : float32 array, shape (n_columns + n_playlists, vector_size)
        Columns first.
    """

    def __init__(
        self, rows: sparse.csr_array, n_tracks: int, params: LightGCN.Params, seed: int
    ) -> None:
        self._rows, self._held, self._params = rows, rows[:, :n_tracks], params
        self._adjacency = adjacency(rows)
        lengths = np.diff(self._held.indptr)
        self._shares = sparse.diags_array(inverse_root(lengths) ** 2) @ self._held
        self._weights = layer_weights(params.layers, params.base_weight)
        self._random = np.random.default_rng(seed)
        size = (self._adjacency.shape[0], params.vector_size)
        self.base = np.float32(_SPREAD) * self._random.standard_normal(size, np.float32)
        self._adam = _Adam(size, params.learning_rate)
        self._order = np.empty(0, np.int64)

    def step(self) -> float:
        """Move the base vectors once; the loss before."""
        vectors = propagate(self._adjacency, self.base, self._weights)
        loss, gradient = softmax_loss(vectors, self._sample(), self._params.temperature)
        self._adam.move(self.base, propagate(self._adjacency, gradient, self._weights))
        return loss

    def _sample(self) -> "Sample":
        """The next playlists in a random order, and random entries."""
        if not len(self._order):
            self._order = self._random.permutation(self._held.shape[0])
        batch, self._order = np.split(self._order, [self._params.batch])
        entries = self._held.indices
        drawn = entries[self._random.integers(len(entries), size=self._params.negatives)]
        nodes = self._rows.shape[1] + batch
        return Sample(nodes, self._shares[batch], *np.unique(drawn, return_counts=True))

    def serving(self) -> tuple[np.ndarray, np.ndarray]:
        """What answers queries.

        Returns
        -------
        folds : float32 array, shape (n_columns, vector_size)
            What each column adds to the final vector of a new playlist, for a value of 1, times
            the square root of the playlist's degree.
        targets : float32 array, shape (n_tracks, vector_size)
            Final vectors of the tracks, scaled to length 1.
        """
        n_columns, n_tracks = self._rows.shape[1], self._held.shape[1]
        layer = self.base
        targets = self._weights[0] * layer[:n_tracks]
        folds = np.zeros_like(layer[:n_columns])
        for weight in self._weights[1:]:
            folds += weight * layer[:n_columns]
            layer = self._adjacency @ layer
            targets += weight * layer[:n_tracks]
        folds *= inverse_root(self._rows.sum(axis=0))[:, None]
        return folds, unit(targets)


@dataclass(frozen=True)
class Sample:
    """What one training step compares.

    Attributes
    ----------
    playlists : int array, shape (n,)
        Their nodes.
    own : sparse array, shape (n, n_tracks)
        1 / length where a playlist holds a track.
    drawn : int array, shape (m,)
        Distinct tracks of random entries.
    times : int array, shape (m,)
        How often each was drawn.
    """

    playlists: np.ndarray
    own: sparse.csr_array
    drawn: np.ndarray
    times: np.ndarray


def adjacency(rows: sparse.csr_array) -> sparse.csr_array:
    """The graph's edges, each over the square roots of the degrees of both ends.

    Parameters
    ----------
    rows : sparse array, shape (n_playlists, n_columns)
        Values of the edges; a degree is their sum.

    Returns
    -------
    sparse float32 array, shape (n_columns + n_playlists, same)
        Symmetric; columns are the first nodes.
    """
    left, right = (sparse.diags_array(inverse_root(rows.sum(axis=axis))) for axis in (1, 0))
    edges = left @ rows @ right
    return sparse.csr_array(sparse.block_array([[None, edges.T], [edges, None]], format="csr"))


def layer_weights(layers: int, base_weight: float) -> np.ndarray:
    """Share of the base and of each layer in the final vectors, float32, sum 1."""
    return np.array([base_weight] + [1] * layers, np.float32) / (base_weight + layers)


def propagate(adjacency: sparse.csr_array, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of the vectors and their layers: weights[l] times adjacency^l @ vectors.

    The map is linear, and symmetric as `adjacency` is: applied to the gradient of a loss with
    respect to its result, it gives that with respect to `vectors`.

    Parameters
    ----------
    adjacency : sparse array, shape (n, n)
    vectors : float array, shape (n, d)
    weights : float array, shape (n_layers + 1,)

    Returns
    -------
    float array, shape (n, d)
    """
    layer = vectors
    result = weights[0] * vectors
    for weight in weights[1:]:
        layer = adjacency @ layer
        result += weight * layer
    return result


def softmax_loss(
    vectors: np.ndarray, sample: Sample, temperature: float
) -> tuple[float, np.ndarray]:
    """How badly playlists tell their tracks from random entries' (sampled softmax), and why.

    For a playlist, the logarithm of the sum of exp(cosine / temperature) over drawn entries, less
    the mean of cosine / temperature over its own tracks; the mean of it over the playlists.

    Parameters
    ----------
    vectors : float array, shape (n_nodes, d)
        Final vectors, tracks first.
    sample : Sample
    temperature : float

    Returns
    -------
    loss : float
    gradient : float array like `vectors`
    """
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
    units = vectors / norms
    n_tracks = sample.own.shape[1]
    scale = 1 / (temperature * len(sample.playlists))
    queries, drawn = units[sample.playlists], units[sample.drawn]
    own = sample.own @ units[:n_tracks]

    chances = queries @ drawn.T
    chances /= temperature
    chances += np.log(sample.times, dtype=vectors.dtype)
    peaks = chances.max(axis=1, keepdims=True)
    np.exp(chances - peaks, out=chances)
    sums = chances.sum(axis=1, keepdims=True)
    loss = (peaks + np.log(sums)).mean() - scale * (queries * own).sum()

    chances *= scale / sums
    gradient = np.zeros_like(vectors)
    gradient[sample.drawn] = chances.T @ queries
    gradient[:n_tracks] -= sample.own.T @ (scale * queries)
    gradient[sample.playlists] = chances @ drawn - scale * own
    gradient -= (gradient * units).sum(axis=1, keepdims=True) * units
    return float(loss), gradient / norms


class _Adam:
    """D. P. Kingma and J. Ba, ICLR 2015, https://arxiv.org/abs/1412.6980; its own settings."""

    def __init__(self, shape: tuple[int, ...], rate: float) -> None:
        self._mean, self._square = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._rate, self._steps = rate, 0

    def move(self, values: np.ndarray, gradient: np.ndarray) -> None:
        """Take one step downhill, in place."""
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.001 * (gradient**2 - self._square)
        rate = self._rate * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
        values -= np.float32(rate) * self._mean / (np.sqrt(self._square) + np.float32(1e-8))


def inverse_root(degrees: np.ndarray) -> np.ndarray:
    """1 / sqrt(degree), float32; 0 of 0."""
    roots = np.sqrt(degrees, dtype=np.float32)
    return np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0)
