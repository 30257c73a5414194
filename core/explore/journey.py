"""Journeys: from one track to another through a chain of nearest neighbours.

The graph: the tracks of a model's vectors, the most popular ones, each joined to its nearest
neighbours by cosine and to those that count it among theirs. A step costs 1 - cosine, which is half
the squared distance of the vectors' directions: many small steps are cheaper than one leap, so a
cheap path moves evenly. Smoothness adds the squared difference of decimal logarithms of
popularity: at 1, a step to a track ten times as popular costs as much as one to an unrelated track.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from core.errors import SegueError
from core.explore.projection import exact_neighbours
from core.ordering import within_first
from core.progress import SILENT, Progress

LIMIT = 20_000
"""Tracks of a graph, the most popular ones: some seconds to build, and tracks that people know."""

NEIGHBOURS = (8, 16, 32)
"""How many neighbours a track may be joined to."""

FEWEST, MOST = 3, 24
"""Stops that can be asked for, both ends included."""

DETOUR = 0.5
"""What each stop and step of the paths before costs more on another path."""

BEAM, BEAM_A_TRACK = 1_500, 12
"""Unfinished paths that a search keeps a step; of these, when there are more, with one end."""

FAMOUS = 200
"""Among so many of the most popular tracks a far end is sought."""

_LEAST = 1e-6  # of a step's cost: a sparse matrix has no edges that cost nothing


@dataclass(frozen=True)
class TrackGraph:
    """Tracks and their nearest neighbours.

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        Ids of the nodes.
    nearest : int32 array, shape (n, k)
        Nodes, itself first, then the nearest.
    distances : float32 array, shape (n, k)
        1 - cosine.
    counts : int array, shape (n_tracks,)
        Playlists that hold each track of the dataset.
    artist : int32 array, shape (n_tracks,)
        Artist id of each track of the dataset.
    """

    tracks: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    counts: np.ndarray
    artist: np.ndarray
    _edges: dict[int, sparse.csr_array] = field(default_factory=dict, repr=False, compare=False)

    def edges(self, neighbours: int) -> sparse.csr_array:
        """Distances of joined nodes, symmetric, shape (n, n), float64.

        Parameters
        ----------
        neighbours : int
            Of each node; two nodes are joined if either is among the other's.
        """
        if neighbours not in self._edges:
            self._edges[neighbours] = self._joined(neighbours)
        return self._edges[neighbours]

    def _joined(self, neighbours: int) -> sparse.csr_array:
        n = len(self.tracks)
        near = self.nearest[:, : neighbours + 1]  # itself is one of them
        here = np.repeat(np.arange(n, dtype=np.int32), near.shape[1])
        there, cost = near.ravel(), self.distances[:, : near.shape[1]].ravel()
        apart = here != there
        cost = np.maximum(cost[apart].astype(np.float64), _LEAST)
        one_way = sparse.csr_array((cost, (here[apart], there[apart])), shape=(n, n))
        return one_way.maximum(one_way.T).tocsr()

    def nodes_of(self, tracks: Sequence[int]) -> np.ndarray:
        """Nodes of those tracks that the graph has, rising, int64."""
        return np.flatnonzero(np.isin(self.tracks, np.asarray(tracks, np.int64)))

    def path_of(self, tracks: np.ndarray) -> np.ndarray:
        """Nodes of these tracks of the graph, in their order, int64."""
        order = np.argsort(self.tracks)
        return order[np.searchsorted(self.tracks, tracks, sorter=order)]


def build_graph(
    vectors: np.ndarray,
    counts: np.ndarray,
    artist: np.ndarray,
    *,
    limit: int = LIMIT,
    progress: Progress = SILENT,
) -> TrackGraph:
    """The graph of a model's most popular tracks.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
        Tracks by falling popularity, as the ids of a dataset are; zeros for a track without.
    counts : int array [n_tracks]
        Playlists that hold each track.
    artist : int array [n_tracks]
    limit : int
        Tracks looked at.
    progress : Progress

    Raises
    ------
    SegueError
        If fewer than three of them have a vector.
    """
    unit, tracks = _directions(vectors[:limit])
    if len(tracks) < FEWEST:
        raise SegueError(
            f"A journey needs at least {FEWEST} tracks with a vector, and there are "
            f"{len(tracks)}: train on more playlists."
        )
    k = min(max(NEIGHBOURS) + 1, len(tracks))
    nearest, distances = exact_neighbours(unit, k, progress)
    return TrackGraph(tracks, nearest, distances, counts, artist)


def join(graph: TrackGraph, vectors: np.ndarray, tracks: Sequence[int]) -> TrackGraph:
    """The graph with these tracks in it, each joined by its own neighbours among the graph's.

    Parameters
    ----------
    graph : TrackGraph
    vectors : float array [n_tracks, d]
        Those that the graph was built of.
    tracks : sequence of int
        One without a vector stays outside.
    """
    missing = np.setdiff1d(np.asarray(tracks, np.int32), graph.tracks)
    unit, found = _directions(vectors[missing])
    if not len(found):
        return graph
    inside, _ = _directions(vectors[graph.tracks])
    distances = (1 - unit @ inside.T).clip(0).astype(np.float32)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : graph.nearest.shape[1] - 1]
    distances = np.take_along_axis(distances, nearest, axis=1)
    itself = len(graph.tracks) + np.arange(len(found))
    return TrackGraph(
        np.concatenate([graph.tracks, missing[found]]),
        np.concatenate([graph.nearest, np.column_stack([itself, nearest]).astype(np.int32)]),
        np.concatenate([graph.distances, np.pad(distances, ((0, 0), (1, 0)))]),
        graph.counts,
        graph.artist,
    )


def far_from(graph: TrackGraph, vectors: np.ndarray, track: int) -> int:
    """A famous track that is as unlike `track` as can be, and that neighbours lead to.

    Parameters
    ----------
    graph : TrackGraph
    vectors : float array [n_tracks, d]
    track : int
        Of the graph.
    """
    (start,) = graph.nodes_of([track])
    _, part = csgraph.connected_components(graph.edges(min(NEIGHBOURS)), directed=False)
    reached = np.flatnonzero(part == part[start])[: FAMOUS + 1]
    reached = reached[reached != start]
    if not len(reached):
        return int(graph.tracks[1 if start == 0 else 0])
    unit, _ = _directions(vectors[graph.tracks[reached]])
    return int(graph.tracks[reached[(unit @ vectors[track]).argmin()]])


# --- finding a way ---


@dataclass(frozen=True)
class Wishes:
    """What a journey is to be like.

    Attributes
    ----------
    stops : int or None
        Tracks, both ends included; None for the cheapest number.
    smoothness : float
        Weight of popularity jumps, 0 to 1.
    one_per_artist : bool
        Whether no two stops may be by one artist; two ends by one artist are as asked.
    neighbours : int
        That each track is joined to, one of `NEIGHBOURS`.
    skipped : tuple of int
        Tracks that are no stops.
    """

    stops: int | None = None
    smoothness: float = 0.0
    one_per_artist: bool = True
    neighbours: int = 16
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Journey:
    """A path of the graph.

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        Ids of the stops in order, distinct.
    cosines : float32 array, shape (n - 1,)
        Of each step, -1 to 1.
    """

    tracks: np.ndarray
    cosines: np.ndarray


def find_journey(
    graph: TrackGraph,
    start: Sequence[int],
    end: Sequence[int],
    wishes: Wishes,
    before: Sequence[Journey] = (),
) -> Journey:
    """The cheapest path between two tracks, or two artists, that is as wished.

    Without a wish for stops, artists or skips this is the shortest path (Dijkstra 1959). With
    them, paths grow stop by stop from the start, the most promising ones by a lower bound of what
    is left to pay: exact while no more than `BEAM` of them are open, a good path else.

    Parameters
    ----------
    graph : TrackGraph
    start, end : sequence of int
        The track; or the tracks of an artist, any of which will do.
    wishes : Wishes
    before : sequence of Journey
        Of the same graph, found before: another one is sought, and where these went costs
        `DETOUR` more.

    Raises
    ------
    SegueError
        If there is no such path: why, and what to change.
    """
    starts, goals = _ends(graph, start, end, wishes.skipped)
    edges = graph.edges(wishes.neighbours)
    owners = graph.artist[graph.tracks] if wishes.one_per_artist else np.arange(len(graph.tracks))
    closed = _closed(graph, owners, starts, goals, wishes.skipped)
    costs = _passable(_with_jumps(edges, graph, wishes.smoothness), starts, goals, closed)
    paths = [graph.path_of(journey.tracks) for journey in before]
    path = _cheapest(_tolled(costs, paths), starts, goals, wishes.stops, owners)
    if path is None:
        raise SegueError(_why_not(edges, costs, starts, goals, wishes))
    if any(np.array_equal(path, other) for other in paths):
        raise SegueError(
            "There is no other path of this kind: go back to the first path, or ask for another "
            "number of stops."
        )
    cosines = 1 - np.array([edges[a, b] for a, b in pairwise(path)])
    return Journey(graph.tracks[path].astype(np.int32), cosines.astype(np.float32))


def _ends(
    graph: TrackGraph, start: Sequence[int], end: Sequence[int], skipped: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes to begin and to end at."""
    if set(start) & set(end):
        raise SegueError("The journey ends where it starts: choose another start or end.")
    found = []
    for which, tracks in (("start", start), ("end", end)):
        nodes = graph.nodes_of(tracks)
        if not len(nodes):
            raise SegueError(
                f"The model has no vector of the {which}, for too few playlists hold it: choose "
                f"another {which} or another model."
            )
        nodes = nodes[~np.isin(graph.tracks[nodes], skipped)]
        if not len(nodes):
            raise SegueError(f"The {which} is among the skipped stops: allow them again.")
        found.append(nodes)
    return found[0], found[1]


def _closed(
    graph: TrackGraph,
    owners: np.ndarray,
    starts: np.ndarray,
    goals: np.ndarray,
    skipped: Sequence[int],
) -> np.ndarray:
    """Nodes that are no stop between the ends, bool, shape (n,)."""
    ends = np.concatenate([starts, goals])
    closed = np.isin(owners, owners[ends]) | np.isin(graph.tracks, skipped)
    closed[ends] = True
    return closed


def _with_jumps(edges: sparse.csr_array, graph: TrackGraph, weight: float) -> sparse.csr_array:
    """The edges' distances, with the price of popularity jumps."""
    popularity = np.log10(np.maximum(graph.counts[graph.tracks], 1))
    here = np.repeat(popularity, np.diff(edges.indptr))
    cost = edges.data + weight * (here - popularity[edges.indices]) ** 2
    return sparse.csr_array((cost, edges.indices, edges.indptr), shape=edges.shape)


def _passable(
    costs: sparse.csr_array, starts: np.ndarray, goals: np.ndarray, closed: np.ndarray
) -> sparse.csr_array:
    """Only the edges that a path may take: out of starts, into goals, between open nodes."""
    n = len(closed)
    may_leave, may_enter = ~closed, ~closed
    may_leave[starts] = True
    may_enter[goals] = True
    here = np.repeat(np.arange(n), np.diff(costs.indptr))
    kept = may_leave[here] & may_enter[costs.indices]
    cells = (here[kept], costs.indices[kept])
    return sparse.csr_array((costs.data[kept], cells), shape=(n, n))


def _tolled(costs: sparse.csr_array, paths: Sequence[np.ndarray]) -> sparse.csr_array:
    """The costs, higher wherever these paths went."""
    here = np.repeat(np.arange(costs.shape[0]), np.diff(costs.indptr))
    tolls = np.zeros(len(costs.data))
    for path in paths:
        tolls += DETOUR * np.isin(costs.indices, path[1:-1])
        for a, b in pairwise(path):
            tolls[(here == a) & (costs.indices == b)] += DETOUR
    return sparse.csr_array((costs.data + tolls, costs.indices, costs.indptr), shape=costs.shape)


def _cheapest(
    costs: sparse.csr_array,
    starts: np.ndarray,
    goals: np.ndarray,
    stops: int | None,
    owners: np.ndarray,
) -> np.ndarray | None:
    """The cheapest path found whose stops have owners of their own; None where there is none.

    A beam search with a lower bound of the cost that is left: see `find_journey`.
    """
    n = len(owners)
    is_goal = np.zeros(n, bool)
    is_goal[goals] = True
    to_go = _least_costs(costs, goals, stops)
    paths, spent = starts[:, None], np.zeros(len(starts))
    best, best_cost = None, np.inf
    for step in range(1, stops or n):
        rows, nodes, cost = _extended(costs, paths[:, -1], spent)
        total = cost + to_go[-1 if stops is None else stops - 1 - step][nodes]
        new = (owners[paths[rows, 1:]] != owners[nodes, None]).all(axis=1)
        found = np.flatnonzero(new & is_goal[nodes] & (total < best_cost))
        if len(found):
            at = found[total[found].argmin()]
            best, best_cost = np.append(paths[rows[at]], nodes[at]), total[at]
        kept = _promising(np.where(new & ~is_goal[nodes], total, np.inf), nodes, best_cost)
        if not len(kept):
            break
        paths = np.column_stack([paths[rows[kept]], nodes[kept]])
        spent = cost[kept]
    return best


def _least_costs(costs: sparse.csr_array, goals: np.ndarray, stops: int | None) -> list[np.ndarray]:
    """What each node must pay at least to a goal, by steps left; any number of them for None."""
    if stops is None:
        return [csgraph.dijkstra(costs.T, indices=goals, min_only=True)]
    bound = np.full(costs.shape[0], np.inf)
    bound[goals] = 0.0
    bounds = [bound]
    rows = np.flatnonzero(np.diff(costs.indptr))
    for _ in range(stops - 2):
        bound = np.full(costs.shape[0], np.inf)
        onward = costs.data + bounds[-1][costs.indices]
        if len(rows):
            bound[rows] = np.minimum.reduceat(onward, costs.indptr[rows])
        bounds.append(bound)
    return bounds


def _extended(
    costs: sparse.csr_array, ends: np.ndarray, spent: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every way to go on: row of the path, next node, cost with it."""
    first, last = costs.indptr[ends], costs.indptr[ends + 1]
    rows = np.repeat(np.arange(len(ends)), last - first)
    before = np.cumsum(last - first) - (last - first)
    edges = np.arange(len(rows)) + np.repeat(first - before, last - first)
    return rows, costs.indices[edges], spent[rows] + costs.data[edges]


def _promising(total: np.ndarray, nodes: np.ndarray, limit: float) -> np.ndarray:
    """Positions of the paths to go on with, the most promising first."""
    kept = np.flatnonzero(total < limit)
    if len(kept) > BEAM:
        kept = kept[np.argsort(total[kept], kind="stable")]
        kept = kept[within_first(nodes[kept], BEAM_A_TRACK)][:BEAM]
    return kept


def _why_not(
    edges: sparse.csr_array,
    costs: sparse.csr_array,
    starts: np.ndarray,
    goals: np.ndarray,
    wishes: Wishes,
) -> str:
    """What is in the way, and what to change."""

    def steps(graph: Any) -> float:
        """Fewest steps from a start to a goal."""
        ways = csgraph.dijkstra(graph, indices=starts, unweighted=True, min_only=True)
        return float(ways[goals].min())

    if not np.isfinite(steps(edges)):
        return (
            f"No chain of neighbours joins start and end where each track has {wishes.neighbours}: "
            "choose more neighbours, another model or another end."
        )
    fewest = steps(costs)
    if not np.isfinite(fewest):
        open_ways = " or allow several tracks of an artist" if wishes.one_per_artist else ""
        skipped = "allow the skipped stops again, " if wishes.skipped else ""
        return f"Every way from start to end is barred: {skipped}choose more neighbours{open_ways}."
    if wishes.stops and fewest + 1 > wishes.stops:
        return (
            f"The shortest way has {fewest + 1:.0f} stops: ask for at least as many, or choose "
            "more neighbours."
        )
    return (
        "No path of this length was found: ask for another number of stops, choose more "
        "neighbours or allow several tracks of an artist."
    )


def _directions(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows scaled to length 1, float32, and which rows these are, int32: those with a length."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    rows = np.flatnonzero(np.isfinite(lengths) & (lengths > 0)).astype(np.int32)
    return vectors[rows] / lengths[rows, None], rows
