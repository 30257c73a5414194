"""Which of a dataset's models answers where nobody names one."""

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.workspace import read_json, write_json

_FILE = "default.json"


def default_model(dataset: Dataset) -> str | None:
    """What was chosen to answer by default; None where the best composition there is does.

    Raises
    ------
    SegueError
        If the file is damaged.
    """
    path = dataset.folder / _FILE
    if not path.exists():
        return None
    try:
        return str(read_json(path)["model"])
    except (KeyError, TypeError) as error:
        raise SegueError(f"{path} is damaged: remove it, or choose a default again.") from error


def set_default(dataset: Dataset, name: str | None) -> None:
    """Let a model, the fusion or the ranker answer by default; None leaves it to what there is.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    name : str or None
        Not checked: one of `shelf.answers`.
    """
    if name is None:
        (dataset.folder / _FILE).unlink(missing_ok=True)
    else:
        write_json(dataset.folder / _FILE, {"model": name})
