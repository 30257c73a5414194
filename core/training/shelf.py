"""The models in use on a dataset: which may answer, which does by default, which goes."""

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ranking.ranker import RANKER
from core.recommender import FUSION
from core.trained import cards, default_model, set_default
from core.workspace import delete_folder


def answers(dataset: Dataset) -> list[str]:
    """What may answer, the default first: the ranker, the fusion, each trained model.

    Empty where no model is trained. A ranker that cannot be used is among them.
    """
    trained = [card.model for card in cards(dataset)]
    if trained in ([], [RANKER]):
        return []
    ranker = [RANKER] if RANKER in trained else []
    names = [*ranker, FUSION, *(name for name in trained if name != RANKER)]
    chosen = default_model(dataset)
    return sorted(names, key=lambda name: name != chosen)


def choose_default(dataset: Dataset, name: str | None) -> None:
    """Let one of `answers` answer where none is named; None for the best composition there is.

    Raises
    ------
    SegueError
        If it is not there.
    """
    if name is not None:
        require_answer(dataset, name)
    set_default(dataset, name)


def require_answer(dataset: Dataset, name: str | None) -> None:
    """Raise a SegueError unless one of `answers` has this name, or there is any for None."""
    there = answers(dataset)
    if not there:
        raise SegueError(f"No model is trained on {dataset.name!r}.")
    if name is not None and name not in there:
        raise SegueError(f"{name!r} cannot answer on {dataset.name!r} (there: {', '.join(there)}).")


def delete_model(dataset: Dataset, name: str) -> None:
    """Delete a trained model, at once or not at all; it is no default any more.

    Raises
    ------
    SegueError
        If it is not trained.
    """
    require_trained(dataset, name)
    if default_model(dataset) == name:
        set_default(dataset, None)
    delete_folder(dataset.folder / "models" / name)


def require_trained(dataset: Dataset, name: str) -> None:
    """Raise a SegueError unless a model or the ranker is trained on a dataset."""
    trained = [card.model for card in cards(dataset)]
    if name not in trained:
        there = ", ".join(trained) or "none yet"
        raise SegueError(f"No {name!r} is trained on {dataset.name!r} (there: {there}).")
