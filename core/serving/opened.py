"""Datasets opened with their models, once for all who ask in this process."""

import threading
from collections import OrderedDict
from functools import cached_property

from core.dataset.dataset import Dataset
from core.dataset.library import open_dataset
from core.dataset.matching import Matcher
from core.dataset.search import SearchIndex
from core.dataset.sources.lists import ListedTrack
from core.recommender import Recommender
from core.trained import load_recommender
from core.workspace import Workspace

KEPT = 4
"""Datasets that stay open."""


class Opened:
    """A dataset and what answers on it, each part opened when it is first needed.

    Safe to share between threads; nothing of it changes.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._lock = threading.RLock()

    @property
    def recommender(self) -> Recommender:
        """Everything that is trained on it; a SegueError where nothing is."""
        with self._lock:
            return self._recommender

    @property
    def matcher(self) -> Matcher:
        """Finds listed tracks in it."""
        with self._lock:
            return self._matcher

    @property
    def search(self) -> SearchIndex:
        """Finds its tracks and artists by words."""
        with self._lock:
            return self._search

    def warm(self) -> None:
        """Open every part now; a SegueError where nothing is trained."""
        _ = self.recommender, self.matcher, self.search

    @cached_property
    def _recommender(self) -> Recommender:
        return load_recommender(self.dataset)

    @cached_property
    def _matcher(self) -> Matcher:
        matcher = Matcher(self.dataset)
        matcher.match([ListedTrack(None, "-", "-", None, None, 1)])  # sorts its index
        return matcher

    @cached_property
    def _search(self) -> SearchIndex:
        return SearchIndex(self.dataset.folder / "search")


_shelf: OrderedDict[tuple[str, str, str], Opened] = OrderedDict()
_lock = threading.Lock()


def opened(workspace: Workspace, name: str) -> Opened:
    """A dataset of the workspace as it is now; opened anew when it was trained or replaced.

    Raises
    ------
    SegueError
        If there is none of that name.
    """
    key = (str(workspace.folder), name, workspace.stamp(name))
    with _lock:
        if key not in _shelf:
            for outdated in [other for other in _shelf if other[:2] == key[:2]]:
                del _shelf[outdated]
            _shelf[key] = Opened(open_dataset(workspace, name))
        _shelf.move_to_end(key)
        while len(_shelf) > KEPT:
            _shelf.popitem(last=False)
        return _shelf[key]


def first_dataset(workspace: Workspace) -> str | None:
    """The dataset that answers where none is named: the workspace's own before the shipped demo."""
    names = workspace.names()
    return next((name for name in names if workspace.is_own(name)), next(iter(names), None))
