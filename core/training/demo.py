"""The demo that ships with Segue: simulated playlists, every model, a map, a leaderboard.

`python -m core.training.demo` writes data/demo anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources import simulated
from core.progress import SILENT, Progress, on_terminal
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.trained import load_models
from core.training.evaluate import evaluate_models, store_evaluation
from core.training.maps import make_map
from core.training.train import train
from core.workspace import DEMO, atomic_folder

PLAYLISTS, TRACKS, HOLDOUT = 4_000, 12_000, 400
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "als": {"factors": 40},
    "item_knn": {"neighbours": 30},
    "lightgcn": {"vector_size": 32},
    "titles": {"factors": 16},
    "track2vec": {"vector_size": 40},
    "two_tower": {"dimensions": 44},
    RANKER: {"playlists": 300, "pool": 600, "rounds": 80},
}
"""Smaller models than the usual, so that the demo stays under 15 MB."""
MAPS = (("track2vec", "tsne"), ("track2vec", "pca"), ("als", "umap"))
"""Maps besides that of the training."""


def build_demo(
    folder: Path,
    playlists: int = PLAYLISTS,
    tracks: int = TRACKS,
    holdout: int = HOLDOUT,
    preset: str = "full",
    map_method: str = "umap",
    progress: Progress = SILENT,
) -> Dataset:
    """Simulate, train, map and evaluate into a folder, replaced at success only.

    Parameters
    ----------
    folder : Path
    playlists, tracks : int
        Size of the simulation.
    holdout : int
        Playlists that the leaderboard holds out.
    preset, map_method : str
        See `train`.
    progress : Progress
    """
    with atomic_folder(folder) as partial:
        inside = partial / "dataset"
        batches = simulated.simulate(playlists, tracks, seed=0, progress=progress)
        provenance = Provenance("demo", "simulated", licence="CC0 1.0", simulated=True)
        build(batches, inside, provenance, progress)
        dataset = Dataset(inside)
        part = progress.within(0, 0.5, "")
        train(
            dataset,
            [*MODELS, RANKER],
            preset,
            progress=part,
            map_method=map_method,
            settings=SETTINGS,
        )
        _maps(dataset, part)
        evaluation = evaluate_models(dataset, holdout, progress=progress.within(0.5, 1, ""))
        store_evaluation(dataset, evaluation)
        for file in inside.iterdir():
            file.rename(partial / file.name)
        inside.rmdir()
    return Dataset(folder)


def _maps(dataset: Dataset, progress: Progress) -> None:
    models = load_models(dataset)
    for model, method in MAPS:
        vectors = models[model].track_vectors()
        if vectors is not None:
            make_map(dataset, model, vectors, method, progress=progress)


if __name__ == "__main__":
    with on_terminal() as shown:
        build_demo(DEMO, progress=shown)
