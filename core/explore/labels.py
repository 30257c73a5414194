"""Words on a chart that do not cover each other."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

GRID = 48
"""Cells along one side of the grid on which the density of a map is counted."""

CHARACTER, LINE = 0.022, 0.075
"""Size of a letter on a map drawn some 600 pixels high, in map units (the map is 2 wide)."""

REACH = 1.1
"""Half a side of that grid, in map units: a map lies within -1 to 1, but for a few stray points."""

CANDIDATES, APART = 4, 3
"""Dense spots tried for one text, at most, and how many cells around each are skipped."""


class Label(NamedTuple):
    """A text centred on a point of the map."""

    x: float
    y: float
    text: str


class Box(NamedTuple):
    """A rectangle, in whatever unit its owner counts."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )


class Placement:
    """Greedy placement: what comes first gets its place, what does not fit gets none."""

    def __init__(self, taken: Iterable[Box] = ()) -> None:
        self._taken = list(taken)

    def fits(self, *boxes: Box) -> bool:
        """Whether all the boxes are free."""
        return not any(box.overlaps(other) for box in boxes for other in self._taken)

    def take(self, *boxes: Box) -> None:
        """Make the boxes unavailable."""
        self._taken.extend(boxes)


def cluster_labels(
    coordinates: np.ndarray,
    texts: Sequence[str | None],
    *,
    limit: int = 20,
    min_points: int = 20,
) -> list[Label]:
    """Each text once, where its points are dense and mostly its own.

    Parameters
    ----------
    coordinates : float array [n, 2]
        A map as `project` makes it; NaN rows are left out.
    texts : sequence of n str or None
        What a point is known as (its genre, say); None where nothing is known.
    limit : int
        Labels, at most.
    min_points : int
        A text on fewer points gets no label.

    Returns
    -------
    list of Label
        The most telling first; none overlaps another on a map some 600 pixels high. Empty if no
        text is known.
    """
    named = np.array([text is not None for text in texts], bool)
    known = np.isfinite(coordinates).all(axis=1) & named
    if not known.any():
        return []
    points = coordinates[known]
    names, groups, sizes = np.unique(
        [text for text, keep in zip(texts, known, strict=True) if keep],
        return_inverse=True,
        return_counts=True,
    )
    everything = _density(points)
    spots = [
        (score, str(names[group]), x, y)
        for group in np.flatnonzero(sizes >= min_points)
        for score, x, y in _spots(points[groups == group], everything)
    ]
    placement = Placement()
    labels: dict[str, Label] = {}
    for _, text, x, y in sorted(spots, reverse=True):
        half = len(text) * CHARACTER / 2
        box = Box(x - half, y - LINE / 2, x + half, y + LINE / 2)
        if text not in labels and len(labels) < limit and placement.fits(box):
            placement.take(box)
            labels[text] = Label(x, y, text)
    return list(labels.values())


def _density(points: np.ndarray) -> np.ndarray:
    """Points per cell of the grid over -1.1 to 1.1, smoothed over neighbouring cells."""
    from scipy.ndimage import gaussian_filter

    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], GRID, [[-REACH, REACH]] * 2)
    return gaussian_filter(counts, 1.0)


def _spots(points: np.ndarray, everything: np.ndarray) -> list[tuple[float, float, float]]:
    """Peaks for a text as (score, x, y): its density there times its share of all points there."""
    own = _density(points)
    score = own**2 / np.maximum(everything, 1e-9)
    centres = np.linspace(-REACH, REACH, 2 * GRID + 1)[1::2]
    found: list[tuple[float, float, float]] = []
    while len(found) < CANDIDATES:
        column, row = np.unravel_index(score.argmax(), score.shape)
        height = float(score[column, row])
        if height <= 0 or (found and height < found[0][0] / 3):
            break
        columns = slice(max(column - APART, 0), column + APART + 1)
        rows = slice(max(row - APART, 0), row + APART + 1)
        weights = own[columns, rows]
        x = float(weights.sum(axis=1) @ centres[columns] / weights.sum())
        y = float(weights.sum(axis=0) @ centres[rows] / weights.sum())
        found.append((height, x, y))
        score[columns, rows] = 0
    return found
