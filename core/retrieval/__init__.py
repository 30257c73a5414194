"""Stage 1: candidate generation, one model a file on one contract."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.retrieval.audio import Audio
from core.retrieval.base import RetrievalModel
from core.retrieval.factorization import Factorization
from core.retrieval.item_neighbours import ItemKNN
from core.retrieval.lightgcn import LightGCN
from core.retrieval.neighbours import ArtistKNN, PlaylistKNN
from core.retrieval.popularity import Popularity
from core.retrieval.rating import PopularityRating
from core.retrieval.titles import Titles
from core.retrieval.track2vec import DEFAULTS, Track2Vec
from core.retrieval.two_tower import TwoTower
from core.retrieval.views import MultiViewKNN

MODELS: Mapping[str, type[RetrievalModel]] = {
    model.name: model
    for model in (
        Popularity,
        PlaylistKNN,
        ArtistKNN,
        ItemKNN,
        Titles,
        MultiViewKNN,
        Track2Vec,
        Factorization,
        TwoTower,
        LightGCN,
        Audio,
        PopularityRating,
    )
}
"""Every model by name, in the order of tables."""

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "fast": {
        "als": {"factors": 64, "iterations": 5},
        "item_knn": {"neighbours": 100},
        "lightgcn": {"vector_size": 32, "layers": 2, "steps": 60},
        "track2vec": {"vector_size": 48, "epochs": 10, "window": 20, "alpha": 0.2},
        "two_tower": {"dimensions": 64, "epochs": 6},
    },
    "full": {},
}
"""Settings of each model that differ from its defaults, by preset: "full" are the defaults, chosen
on validation playlists; "fast" takes seconds and little space."""

REFERENCES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "track2vec": ("track2vec, gensim's defaults", asdict(DEFAULTS)),
}
"""Label and settings of the package's defaults that a model is measured against, by name."""
