"""Stage 3: gradient-boosted trees that order the candidates of the first stage."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from core.errors import SegueError
from core.progress import SILENT, Progress
from core.ranking.features.arrays import segment_mean
from core.ranking.routes import ROUTES, route
from core.retrieval.base import Queries
from core.workspace import load_arrays, read_json, save_arrays, write_json

if TYPE_CHECKING:
    from lightgbm import Booster

RANKER = "ranker"
"""Name of the answer that the ranker gives."""
LABEL = "Two-stage ranker"
SOURCE = (
    "C. Burges, 2010, https://www.microsoft.com/en-us/research/publication/"
    "from-ranknet-to-lambdarank-to-lambdamart-an-overview/ (LambdaRank)"
)
"""The publication that defines it."""


@dataclass(frozen=True)
class Table:
    """Candidates of masked playlists, described by features and marked where they are right.

    Attributes
    ----------
    values : float16 or float32 array, shape (n, n_features)
        NaN where unknown.
    hits : bool array, shape (n,)
        Whether the candidate is a hidden track.
    blend : float32 array, shape (n,)
        Score of the fusion: a wrong candidate with a high one is hard.
    tracks : int32 array, shape (n,)
    ranks : int16 array, shape (n, n_sources)
        As those of `Candidates`.
    indptr : int64 array, shape (n_queries + 1,)
        Where each query's candidates start and end.
    """

    values: np.ndarray
    hits: np.ndarray
    blend: np.ndarray
    tracks: np.ndarray
    ranks: np.ndarray
    indptr: np.ndarray


@dataclass(frozen=True)
class Standing:
    """What held-out playlists say of the ranker on one route.

    Attributes
    ----------
    playlists : int
        Masked playlists of the route.
    single : str
        The best single source.
    against_single, against_blend : (float, float, float)
        Paired mean difference of R-precision and its 95 % interval.
    """

    playlists: int
    single: str
    against_single: tuple[float, float, float]
    against_blend: tuple[float, float, float]

    @property
    def proven(self) -> bool:
        """Whether the ranker beats the best single source beyond doubt."""
        return self.against_single[1] > 0


class Ranker:
    """LambdaRank over the features of candidates.

    Boosted trees that minimise what wrongly ordered pairs of candidates cost in NDCG: C. Burges,
    "From RankNet to LambdaRank to LambdaMART", Microsoft Research MSR-TR-2010-82; G. Ke et al.,
    "LightGBM", NeurIPS 2017. Several forests, each grown without a part of the playlists, are
    averaged (bagging), and each is judged on the part it has not seen. To their mean the fusion's
    score is added, so much of it as these judgements found best for a kind of query.

    Parameters
    ----------
    params : Params
    sources : sequence of str
        Models of the first stage.
    features : sequence of str
        Names of the columns.
    quotas : int array, shape (len(ROUTES), len(sources))
        Candidates that each source has a right to.
    mix : float array, shape (len(ROUTES),)
        How much of the fusion is added, see `mixed`.
    boosters : sequence of lightgbm.Booster
    standing : mapping of route label to Standing
    """

    @dataclass(frozen=True)
    class Params:
        """Settings.

        Attributes
        ----------
        pool : int
            Candidates of a query, in the mean.
        folds : int
            Parts of the playlists that the first stage is fitted without in turn; a single one
            where those to be masked are few among all.
        playlists : int
            Playlists that are masked at most.
        masks : int
            Categories that a playlist is masked in at most.
        negatives : int
            Wrong candidates of a masked playlist that are learnt from at most.
        hard : float
            Share of these that are the best by the fusion; the others are drawn at random.
        objective : str
            "lambdarank", or "binary": whether a candidate is a hidden track.
        leaves : int
            Leaves of a tree.
        rate : float
            Learning rate.
        rounds : int
            Trees of a forest.
        least : int
            Candidates in a leaf at least.
        truncation : int
            Places from the top whose pairs count.
        bags : int
            Forests, 2 or more; each is grown without one of as many parts of the playlists.
        """

        pool: int = 1200
        folds: int = 4
        playlists: int = 2000
        masks: int = 4
        negatives: int = 1200
        hard: float = 0.2
        objective: str = "lambdarank"
        leaves: int = 15
        rate: float = 0.08
        rounds: int = 150
        least: int = 100
        truncation: int = 20
        bags: int = 2

    def __init__(
        self,
        params: Params,
        sources: Sequence[str],
        features: Sequence[str],
        quotas: np.ndarray,
        mix: np.ndarray,
        boosters: Sequence["Booster"],
        standing: Mapping[str, Standing],
    ) -> None:
        self.params = params
        self.sources = tuple(sources)
        self.features = tuple(features)
        self.quotas = quotas
        self.mix = mix
        self.boosters = tuple(boosters)
        self.standing = dict(standing)

    @property
    def proven(self) -> np.ndarray:
        """Routes on which the ranker answers by default, bool, shape (len(ROUTES),)."""
        return np.array(
            [one.label in self.standing and self.standing[one.label].proven for one in ROUTES]
        )

    def quotas_of(self, queries: Queries, sources: Sequence[str]) -> np.ndarray:
        """Candidates that sources have a right to, int64, shape (len(queries), len(sources)).

        0 for a source that the ranker does not know.
        """
        columns = [self.sources.index(name) if name in self.sources else -1 for name in sources]
        padded = np.pad(self.quotas, ((0, 0), (0, 1)))
        return padded[route(queries)][:, columns]

    def score(self, values: np.ndarray) -> np.ndarray:
        """Mean score of the forests.

        Parameters
        ----------
        values : float32 array, shape (n, len(features))

        Returns
        -------
        float64 array, shape (n,)
            Only comparable within a query.
        """
        if not len(values):
            return np.empty(0)
        scores = [one.predict(values, raw_score=True, num_threads=1) for one in self.boosters]
        return np.mean(scores, axis=0)

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """What each feature adds to the score: exact Shapley values of the trees.

        S. Lundberg et al., "From local explanations to global understanding with explainable AI
        for trees", Nature Machine Intelligence 2, 2020.

        Parameters
        ----------
        values : float32 array, shape (n, len(features))

        Returns
        -------
        float64 array, shape (n, len(features) + 1)
            Rows sum to `score`; the last column is the mean score in training.
        """
        if not len(values):
            return np.empty((0, len(self.features) + 1))
        parts = [one.predict(values, pred_contrib=True, num_threads=1) for one in self.boosters]
        return np.mean(parts, axis=0)

    def save(self, folder: Path) -> None:
        """Write forests as text, everything else as JSON and plain arrays."""
        forests = [booster.model_to_string() for booster in self.boosters]
        for at, forest in enumerate(forests):
            (folder / f"forest-{at}.txt").write_text(forest, "utf-8")
        save_arrays(folder, {"quotas": self.quotas, "mix": self.mix})
        stored = {
            "params": asdict(self.params),
            "sources": self.sources,
            "features": self.features,
            "standing": {label: asdict(one) for label, one in self.standing.items()},
            "forests": [_digest(forest) for forest in forests],
        }
        write_json(folder / "ranker.json", stored)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        SegueError
            If the folder is damaged, or LightGBM cannot run here.
        """
        lightgbm = require_lightgbm()
        stored = read_json(folder / "ranker.json")
        try:
            params = cls.Params(**stored["params"])
            standing = {label: _standing(one) for label, one in stored["standing"].items()}
            files = [folder / f"forest-{at}.txt" for at in range(params.bags)]
            forests = [file.read_text("utf-8") for file in files]
            if [_digest(forest) for forest in forests] != stored["forests"]:
                # LightGBM ends the whole process on a text that is cut off.
                raise ValueError("a forest is not as it was written")
            boosters = [lightgbm.Booster(model_str=forest) for forest in forests]
            arrays = load_arrays(folder)
            return cls(
                params,
                stored["sources"],
                stored["features"],
                arrays["quotas"],
                arrays["mix"],
                boosters,
                standing,
            )
        except (KeyError, TypeError, ValueError, OSError, lightgbm.basic.LightGBMError) as error:
            raise SegueError(
                f"{folder} does not fit this version of Segue ({error!r}): train the ranker again."
            ) from error


def _digest(forest: str) -> str:
    return hashlib.sha256(forest.encode()).hexdigest()


def _standing(stored: dict[str, Any]) -> Standing:
    pairs = {name: tuple(stored[name]) for name in ("against_single", "against_blend")}
    return Standing(**stored | pairs)


def mixed(scores: np.ndarray, fused: np.ndarray, indptr: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Add the fusion's scores to the forests', in the unit of these.

    In each query the fusion's are standardised, and multiplied by the deviation of the forests'.

    Parameters
    ----------
    scores, fused : float arrays, shape (n,)
        Of the forests and of the fusion.
    indptr : int array, shape (n_queries + 1,)
        Where each query's candidates start and end.
    mix : float array, shape (n_queries,)
        Deviations of the forests' scores that a deviation of the fusion's counts as.

    Returns
    -------
    float64 array, shape (n,)
    """
    sizes = np.diff(indptr)
    gaps = fused - np.repeat(segment_mean(fused, indptr), sizes)
    spread, own = _deviation(scores, indptr), _deviation(fused, indptr)
    scale = np.divide(mix * spread, own, out=np.zeros(len(sizes)), where=own > 0)
    return scores + np.repeat(scale, sizes) * gaps


def _deviation(values: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Standard deviation of each segment, NaN where it is empty."""
    gaps = values - np.repeat(segment_mean(values, indptr), np.diff(indptr))
    return np.sqrt(segment_mean(gaps**2, indptr))


def require_lightgbm() -> Any:
    """The package LightGBM.

    Raises
    ------
    SegueError
        If it is not installed or lacks its system library.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise SegueError(
            f"The ranker needs LightGBM, which cannot be loaded here ({error}): run `pip install "
            "lightgbm`, and on Debian or Ubuntu `apt-get install libgomp1`."
        ) from error
    return lightgbm


def grow(
    tables: Sequence[Table],
    kept: Sequence[np.ndarray],
    params: Ranker.Params,
    seed: int = 0,
    threads: int = 0,
    progress: Progress = SILENT,
) -> "Booster":
    """Grow one forest.

    Parameters
    ----------
    tables : sequence of Table
        With the same columns; queries without a hit teach nothing and are passed over.
    kept : sequence of bool array, shape (n_queries,)
        Queries of each table to learn from.
    params : Ranker.Params
    seed : int
    threads : int
        0 for one a core.
    progress : Progress
    """
    lightgbm = require_lightgbm()
    generator = np.random.default_rng(seed)
    parts = [
        (table, *_teaching(table, wanted, params, generator))
        for table, wanted in zip(tables, kept, strict=True)
    ]
    data = lightgbm.Dataset(
        [_sequence(lightgbm, table.values, rows) for table, rows, _ in parts],
        np.concatenate([table.hits[rows] for table, rows, _ in parts]),
        group=np.concatenate([sizes for _, _, sizes in parts]),
        params={"verbosity": -1},
    )
    settings = {
        "objective": params.objective,
        "num_leaves": params.leaves,
        "learning_rate": params.rate,
        "min_data_in_leaf": params.least,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambdarank_truncation_level": params.truncation,
        "num_threads": threads,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }

    def report(state: Any) -> None:
        progress.update("Growing trees", (state.iteration + 1) / params.rounds)

    return lightgbm.train(settings, data, params.rounds, callbacks=[report])


def _teaching(
    table: Table, wanted: np.ndarray, params: Ranker.Params, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and their number in each query: of the wanted ones that have a hit.

    All hits and so many wrong candidates: first the hardest, the others at random.
    """
    sizes = np.diff(table.indptr)
    query = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(query)) - np.repeat(table.indptr[:-1], sizes)
    hardest = int(params.negatives * params.hard)

    def first(key: np.ndarray, most: int, among: np.ndarray) -> np.ndarray:
        """Those of a query with the smallest keys, as many as that, among some."""
        order = np.lexsort((key, ~among, query))
        chosen = np.zeros(len(query), bool)
        chosen[order] = place < most
        return chosen & among

    wrong = ~table.hits
    hard = first(-table.blend, hardest, wrong)
    other = first(generator.random(len(query)), params.negatives - hardest, wrong & ~hard)
    teaching = wanted & (np.bincount(query, table.hits, len(sizes)) > 0)
    rows = np.flatnonzero((table.hits | hard | other) & teaching[query])
    return rows, np.bincount(query[rows], minlength=len(sizes))[teaching]


def _sequence(lightgbm: Any, values: np.ndarray, rows: np.ndarray) -> Any:
    """Rows of a memory-mapped array, read when LightGBM wants them."""

    class Rows(lightgbm.Sequence):
        batch_size = 65_536

        def __getitem__(self, index: Any) -> np.ndarray:
            return values[rows[index]].astype(np.float64)

        def __len__(self) -> int:
            return len(rows)

    return Rows()
