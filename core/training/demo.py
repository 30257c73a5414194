"""The demo that ships with Segue: simulated playlists, every model, a map, a leaderboard.

`python -m core.training.demo` writes data/demo anew.
"""

from pathlib import Path

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources import simulated
from core.progress import SILENT, Progress, on_terminal
from core.retrieval import MODELS
from core.training.evaluate import evaluate_models, store_leaderboard
from core.training.train import train
from core.workspace import DEMO, atomic_folder

PLAYLISTS, TRACKS, HOLDOUT = 4_000, 12_000, 400


def build_demo(
    folder: Path,
    playlists: int = PLAYLISTS,
    tracks: int = TRACKS,
    holdout: int = HOLDOUT,
    preset: str = "full",
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
    preset : str
        Of the training.
    progress : Progress
    """
    with atomic_folder(folder) as partial:
        inside = partial / "dataset"
        batches = simulated.simulate(playlists, tracks, seed=0, progress=progress)
        provenance = Provenance("demo", "simulated", licence="CC0 1.0", simulated=True)
        build(batches, inside, provenance, progress)
        dataset = Dataset(inside)
        train(dataset, list(MODELS), preset, progress=progress.within(0, 0.5, ""))
        board = evaluate_models(dataset, holdout, progress=progress.within(0.5, 1, ""))
        store_leaderboard(dataset, board)
        for part in inside.iterdir():
            part.rename(partial / part.name)
        inside.rmdir()
    return Dataset(folder)


if __name__ == "__main__":
    with on_terminal() as shown:
        build_demo(DEMO, progress=shown)
