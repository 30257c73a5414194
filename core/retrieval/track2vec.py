"""track2vec: word2vec with playlists as sentences and tracks as words."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from core.dataset.dataset import Dataset, Playlists
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel

_LONGEST = 10_000
"""Words of a sentence beyond which gensim drops the rest."""


class Track2Vec(RetrievalModel):
    """Tracks that occur in playlists around the seeds, by skip-gram with negative sampling.

    Every track has two vectors: one for what it is in the middle of a window (input), one for
    what it is around others (output). A query is the mean of its seeds' input vectors.

    - "product" scores a track by the product of the query with its output vector plus `bias`
      times the logarithm of its count: what the training estimates is how likely the track is
      around the seeds (E. Nalisnick et al., WWW 2016, https://doi.org/10.1145/2872518.2889361).
    - "cosine" scores by the cosine with its input vector, seeds scaled to length 1, as gensim's
      `most_similar` does.

    Both are linear in the seeds. A track in fewer than `min_count` playlists has no vector; it is
    never proposed and says nothing as a seed.
    """

    name = "track2vec"
    label = "track2vec"
    source = "T. Mikolov et al., NIPS 2013, https://arxiv.org/abs/1310.4546; hyper-parameters: "
    "H. Caselles-Dupré et al., RecSys 2018, https://arxiv.org/abs/1804.04212"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings; the first ten are gensim's.

        Attributes
        ----------
        vector_size : int
        window : int
            Largest distance of two tracks that train each other.
        sg : bool
            Skip-gram, else CBOW.
        negative : int
            Random tracks set against each true one.
        ns_exponent : float
            Random tracks are drawn by count^ns_exponent: 1 by count, 0 evenly.
        sample : float
            Share of all entries above which a track is skipped at random; 0 for never.
        epochs : int
        alpha : float
            First learning rate, which falls linearly.
        min_count : int
            Playlists that a track needs for a vector.
        workers : int
            Threads; only 1 gives the same model again.
        score : "product" or "cosine"
        bias : float
            Weight of the logarithm of a track's count in the product.
        """

        vector_size: int = 64
        window: int = 50
        sg: bool = True
        negative: int = 5
        ns_exponent: float = 0.75
        sample: float = 0.0
        epochs: int = 30
        alpha: float = 0.025
        min_count: int = 1
        workers: int = 1
        score: Literal["product", "cosine"] = "product"
        bias: float = 0.0

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        from gensim.models import Word2Vec

        ...
