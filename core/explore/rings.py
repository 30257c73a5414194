"""A growing tree on rings: its root in the middle, every generation around the one before.

Each node takes a free place of a fixed lattice, near the direction of its parent, and looks only
at the nodes before it. So it stays where it is, whatever comes after it.
"""

import numpy as np

CIRCLES, GAP = 4, 3
"""Circles of places in a ring, one apart, and the step from its last to the next ring's first."""
GOLDEN = np.pi * (3 - np.sqrt(5))
"""Angle from one child of the root to the next: any number of them is spread evenly."""
_OUTWARD = 2.0
"""Steps along a circle that one step outward is worth."""


def ring_layout(nodes: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place nodes in the order in which they were discovered.

    Parameters
    ----------
    nodes : int
        The first is the root.
    edges : int array [m, 2]
        From a node to one that it led to. The earliest that leads to a later node is its parent; a
        node without any is the root's child.

    Returns
    -------
    positions : float array [nodes, 2]
        The root is at (0, 0); neighbours are about 1 apart.
    parents : int array [nodes]
        The root is its own.
    """
    parents = _parents(nodes, edges)
    positions, rings = np.zeros((nodes, 2)), np.zeros(nodes, int)
    places = _Places()
    turns = 0
    for node in range(1, nodes):
        parent = parents[node]
        rings[node] = rings[parent] + 1
        if parent:
            angle = float(np.arctan2(positions[parent, 1], positions[parent, 0]))
        else:
            angle = turns * GOLDEN
            turns += 1
        positions[node] = places.take(rings[node], angle)
    return positions, parents


def outer_radius(positions: np.ndarray) -> float:
    """Radius that holds all nodes, in steps of some circles, so that it seldom changes."""
    furthest = float(np.hypot(*positions.T).max(initial=0.0))
    return max(GAP, np.ceil((furthest - 0.5) / GAP) * GAP) + 1.0


def _parents(nodes: int, edges: np.ndarray) -> np.ndarray:
    parents = np.zeros(nodes, int)
    onward = edges[edges[:, 0] < edges[:, 1]]
    earliest_last = onward[np.argsort(-onward[:, 0], kind="stable")]
    parents[earliest_last[:, 1]] = earliest_last[:, 0]
    return parents


def _innermost(ring: int) -> int:
    """Radius of the first circle of a ring; the root's children are on ring 1."""
    return GAP + (ring - 1) * (CIRCLES - 1 + GAP)


class _Places:
    """Circles of places about 1 apart, and which of them are free."""

    def __init__(self) -> None:
        self._free: dict[int, np.ndarray] = {}

    def take(self, ring: int, angle: float) -> tuple[float, float]:
        """Take the free place of a ring nearest to a direction; beyond a ring that is full."""
        first = _innermost(ring)
        found = [spot for out in range(CIRCLES) if (spot := self._nearest(first + out, angle, out))]
        radius = first + CIRCLES
        while not found:
            found = [spot] if (spot := self._nearest(radius, angle, 0)) else []
            radius += 1
        _, radius, place = min(found)
        self._free[radius][place] = False
        direction = _turned(radius) + 2 * np.pi * place / len(self._free[radius])
        return radius * np.cos(direction), radius * np.sin(direction)

    def _nearest(self, radius: int, angle: float, out: int) -> tuple[float, int, int] | None:
        """Cost, radius and number of the nearest free place of a circle; None where it is full."""
        free = self._free.setdefault(radius, np.ones(int(2 * np.pi * radius), bool))
        places, count = np.flatnonzero(free), len(free)
        if not len(places):
            return None
        ahead = (places - (angle - _turned(radius)) / (2 * np.pi) * count) % count
        steps = np.minimum(ahead, count - ahead)
        nearest = int(steps.argmin())
        return float(steps[nearest]) + _OUTWARD * out, radius, int(places[nearest])


def _turned(radius: int) -> float:
    """Direction of a circle's first place: those of neighbouring circles do not stand in rows."""
    return radius * GOLDEN
