"""The servable folder: a workspace of one dataset with its chosen models and nothing else.

`SEGUE_WORKSPACE=<folder> python -m core serve` answers from it.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.ranking.ranker import RANKER, Ranker
from core.recommender import label_of
from core.retrieval import MODELS
from core.trained import Card
from core.training.train import make

TABLES = (
    *("manifest.json", "artists.parquet", "entries.parquet", "playlists.parquet"),
    *("tracks.parquet", "arrays"),
)
"""What a dataset is opened and learnt from."""
_DATA = (*TABLES, "search")
"""What an import writes; everything else in a dataset's folder was made from it."""
ANSWERING = ("models", "default.json")
"""What `load_recommender` reads besides."""
_MEASURED = ("leaderboard.json", "dials.json", "lean.json", "replays.parquet")


def build_servable(
    dataset: Dataset,
    folder: Path,
    settings: Mapping[str, Mapping[str, Any]],
    evaluation: Path | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> list[Card]:
    """Put a dataset into a folder of its own and fit the chosen models on all of it.

    The folder alone holds these models: those of the dataset's own workspace stay as they are. On
    one disk the tables take no room twice.

    Parameters
    ----------
    dataset : Dataset
        Whole.
    folder : Path
        Empty; becomes the dataset's folder, and the one above it the workspace.
    settings : mapping of name to settings
        Models of the registry; and the ranker, last, which then learns from these.
    evaluation : Path, optional
        Folder of what was measured (`evaluate.write_evaluation`), to be put there as well.
    seed : int
    progress : Progress

    Returns
    -------
    list of Card

    Raises
    ------
    SegueError
        If a model cannot be fitted.
    """
    if not settings:
        raise SegueError("A servable folder needs at least one model.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in _DATA:
        _copy(dataset.folder / name, folder / name)
    if evaluation:
        for name in _MEASURED:
            _copy(evaluation / name, folder / name)
    copied, cards = Dataset(folder), []
    for at, (name, chosen) in enumerate(settings.items()):
        part = progress.within(at / len(settings), (at + 1) / len(settings), label_of(name))
        params = Ranker.Params(**chosen) if name == RANKER else MODELS[name].Params(**chosen)
        _, card = make(name, params, copied, folder / "models" / name, seed, part)
        cards.append(card)
    return cards


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    """The same file under another name; its content where another disk or owner forbids that.

    Safe because nothing is written into a file of a dataset: each is replaced by a new one.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
