"""Stage 1: candidate generation, one model a file on one contract."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.retrieval.base import RetrievalModel
from core.retrieval.neighbours import ItemKNN, PlaylistKNN
from core.retrieval.popularity import Popularity
from core.retrieval.titles import Titles
from core.retrieval.track2vec import DEFAULTS, Track2Vec

MODELS: Mapping[str, type[RetrievalModel]] = {
    model.name: model for model in (Popularity, PlaylistKNN, ItemKNN, Titles, Track2Vec)
}
"""Every model by name, in the order of tables."""

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "fast": {
        "item_knn": {"neighbours": 100},
        "track2vec": {"vector_size": 48, "epochs": 10, "window": 20},
    },
    "full": {},
}
"""Settings of each model that differ from its defaults, by preset: "full" are the defaults, chosen
on validation playlists; "fast" takes seconds and little space."""

REFERENCES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "track2vec": ("track2vec, gensim's defaults", asdict(DEFAULTS)),
}
"""Label and settings of the package's defaults that a model is measured against, by name."""
