from itertools import pairwise, permutations

import numpy as np
import pytest

from core.errors import SegueError
from core.explore import journey
from core.explore.figures import profile_figure, route_figure
from core.explore.journey import (
    NEIGHBOURS,
    Journey,
    TrackGraph,
    Wishes,
    build_graph,
    far_from,
    find_journey,
    join,
)


def graph_of(edges: dict[tuple[int, int], float], counts=None, artist=None) -> TrackGraph:
    """A graph of these undirected edges with their distances; tracks are 0, 1, …"""
    n = 1 + max(max(pair) for pair in edges)
    nearest = np.tile(np.arange(n, dtype=np.int32)[:, None], (1, n))  # itself: no edge
    distances = np.zeros((n, n), np.float32)
    for (a, b), distance in edges.items():
        nearest[a, b], distances[a, b] = b, distance
    return TrackGraph(
        np.arange(n, dtype=np.int32),
        nearest,
        distances,
        np.full(n, 10) if counts is None else np.array(counts),
        np.arange(n) if artist is None else np.array(artist),
    )


def random_graph(seed: int, n: int = 7, edges: int = 12) -> TrackGraph:
    """Random distances, popularities and artists, who often have two tracks."""
    random = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = random.choice(len(pairs), edges, replace=False)
    weights = {pairs[i]: float(random.uniform(0.05, 1)) for i in chosen} | {(n - 2, n - 1): 1.5}
    return graph_of(weights, random.integers(1, 500, n), random.integers(0, n - 2, n))


ALL = Wishes(neighbours=100, one_per_artist=False)
CASES = [
    Wishes(stops, smoothness, one, 100, skipped)
    for stops in (None, 3, 4, 5, 6)
    for smoothness in (0.0, 1.0)
    for one in (False, True)
    for skipped in ((), (2, 4))
]


def step_costs(graph: TrackGraph, smoothness: float) -> list[list[float]]:
    """What a step from each track to each costs, by the definition; infinite without an edge."""
    edges = graph.edges(100).toarray()
    popularity = np.log10(graph.counts)
    jumps = (popularity[:, None] - popularity) ** 2
    return np.where(edges > 0, edges + smoothness * jumps, np.inf).tolist()


def cost(graph: TrackGraph, path, smoothness: float) -> float:
    costs = step_costs(graph, smoothness)
    return sum(costs[a][b] for a, b in pairwise(path))


def allowed(graph: TrackGraph, path, wishes: Wishes) -> bool:
    if set(path) & set(wishes.skipped):
        return False
    if wishes.stops not in (None, len(path)):
        return False
    if not wishes.one_per_artist:
        return True
    between, ends = graph.artist[list(path[1:-1])], graph.artist[[path[0], path[-1]]]
    return len(set(between)) == len(between) and not set(between) & set(ends)


def brute_force(graph: TrackGraph, start: int, end: int, wishes: Wishes) -> float:
    """The least cost of all allowed paths."""
    others = [track for track in graph.tracks.tolist() if track not in (start, end)]
    paths = [
        (start, *between, end)
        for length in range(len(others) + 1)
        for between in permutations(others, length)
    ]
    steps = step_costs(graph, wishes.smoothness)
    costs = [
        sum(steps[a][b] for a, b in pairwise(path))
        for path in paths
        if allowed(graph, path, wishes)
    ]
    return min(costs, default=np.inf)


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_cheapest_of_all_allowed_paths(seed):
    graph = random_graph(seed)
    found = 0
    for wishes in CASES:
        best = brute_force(graph, 0, 6, wishes)
        if not np.isfinite(best):
            with pytest.raises(SegueError):
                find_journey(graph, [0], [6], wishes)
            continue
        path = find_journey(graph, [0], [6], wishes).tracks.tolist()
        assert path[0] == 0
        assert path[-1] == 6
        assert allowed(graph, path, wishes)
        assert cost(graph, path, wishes.smoothness) == pytest.approx(best)
        found += 1
    assert found > 10


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Tracks in all directions of five dimensions, and a last one without a vector."""
    random = np.random.default_rng(1)
    return np.vstack([random.normal(size=(600, 5)), np.zeros((1, 5))]).astype(np.float32)


@pytest.fixture(scope="module")
def graph(vectors) -> TrackGraph:
    random = np.random.default_rng(2)
    counts = np.sort(random.zipf(1.6, 601).clip(1, 5_000))[::-1]
    return build_graph(vectors, counts, random.integers(0, 150, 601).astype(np.int32))


def cosine(vectors: np.ndarray, a: int, b: int) -> float:
    x, y = vectors[a].astype(float), vectors[b].astype(float)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def test_the_graph_joins_each_track_to_its_nearest_and_back(graph, vectors):
    edges = graph.edges(8).toarray()
    assert (edges == edges.T).all()
    assert not edges.diagonal().any()
    assert 600 not in graph.tracks
    for track in (0, 17, 599):
        others = [other for other in range(600) if other != track]
        nearest = sorted(others, key=lambda other: -cosine(vectors, track, other))[:8]
        assert set(nearest) <= set(np.flatnonzero(edges[track]))
        for other in nearest:
            assert edges[track, other] == pytest.approx(1 - cosine(vectors, track, other), abs=1e-5)
    assert (graph.edges(16).toarray() > 0).sum() > (edges > 0).sum()


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
@pytest.mark.parametrize("stops", [None, 8, 15])
@pytest.mark.parametrize("another", [0, 1])
def test_a_journey_is_a_path_of_the_graph_as_wished(graph, vectors, neighbours, stops, another):
    wishes = Wishes(stops, 0.5, True, neighbours, (100, 200, 300))
    found = other_ways(graph, wishes, another + 1)[another]
    edges = graph.edges(neighbours)
    tracks = found.tracks.tolist()
    assert (tracks[0], tracks[-1]) == (3, 420)
    assert stops in (None, len(tracks))
    assert len(set(tracks)) == len(tracks)
    assert len(set(graph.artist[tracks])) == len(tracks)
    assert not {100, 200, 300} & set(tracks)
    for (a, b), alike in zip(pairwise(tracks), found.cosines, strict=True):
        assert edges[a, b] > 0
        assert alike == pytest.approx(cosine(vectors, a, b), abs=1e-5)


def test_the_shortest_is_that_of_dijkstra(graph):
    from scipy.sparse.csgraph import dijkstra

    distances = dijkstra(graph.edges(8), indices=3)
    for end in (50, 199, 421, 598):
        found = find_journey(graph, [3], [end], Wishes(one_per_artist=False, neighbours=8))
        assert (1 - found.cosines).sum() == pytest.approx(distances[end], abs=1e-4)


def test_a_narrow_search_keeps_its_promises(graph, monkeypatch):
    monkeypatch.setattr(journey, "BEAM", 40)
    monkeypatch.setattr(journey, "BEAM_A_TRACK", 3)
    for stops in (9, 14, 20):
        tracks = find_journey(graph, [3], [420], Wishes(stops)).tracks
        assert len(set(tracks.tolist())) == len(set(graph.artist[tracks])) == stops


def test_skipping_a_stop_leads_another_way(graph):
    skipped: tuple[int, ...] = ()
    for _ in range(5):
        tracks = find_journey(graph, [3], [420], Wishes(9, skipped=skipped)).tracks.tolist()
        assert not set(skipped) & set(tracks)
        skipped = (*skipped, tracks[4])


def other_ways(graph: TrackGraph, wishes: Wishes, count: int) -> list[Journey]:
    """So many ways from track 3 to 420, each other than those before."""
    found: list[Journey] = []
    for _ in range(count):
        found.append(find_journey(graph, [3], [420], wishes, found))
    return found


def test_other_paths_differ_and_are_the_same_every_time(graph):
    paths = [found.tracks for found in other_ways(graph, Wishes(9), 4)]
    assert len({tuple(path.tolist()) for path in paths}) == 4
    shared = set(paths[0][1:-1].tolist()) & set(paths[1][1:-1].tolist())
    assert len(shared) < 4
    again = other_ways(graph, Wishes(9), 4)[3].tracks
    np.testing.assert_array_equal(paths[3], again)


def test_where_there_is_one_path_another_one_is_not_invented():
    line = graph_of({(0, 1): 0.2, (1, 2): 0.2})
    first = find_journey(line, [0], [2], ALL)
    with pytest.raises(SegueError, match="no other path"):
        find_journey(line, [0], [2], ALL, [first])


@pytest.mark.parametrize("seed", range(8))
def test_smoothness_never_adds_to_the_jumps(seed):
    graph = random_graph(seed)
    popularity = np.log10(graph.counts)
    for stops in (None, 5):
        jumps = []
        for smoothness in (0, 0.25, 0.5, 1):
            wishes = Wishes(stops, smoothness, one_per_artist=False, neighbours=100)
            try:
                path = find_journey(graph, [0], [6], wishes).tracks
            except SegueError:
                break
            jumps.append(float((np.diff(popularity[path]) ** 2).sum()))
        assert jumps == sorted(jumps, reverse=True)


def test_smoothness_takes_the_even_way_instead_of_the_near_one():
    edges = {(0, 1): 0.1, (1, 4): 0.1, (0, 2): 0.2, (2, 3): 0.2, (3, 4): 0.2}
    graph = graph_of(edges, counts=[1000, 1, 900, 800, 700])
    ways = {w: find_journey(graph, [0], [4], Wishes(None, w, neighbours=9)) for w in (0.0, 1.0)}
    assert ways[0.0].tracks.tolist() == [0, 1, 4]
    assert ways[1.0].tracks.tolist() == [0, 2, 3, 4]


def test_an_artist_stands_for_any_of_their_tracks():
    edges = {(0, 2): 0.9, (1, 2): 0.1, (2, 3): 0.1, (3, 4): 0.9, (3, 5): 0.1}
    graph = graph_of(edges, artist=[7, 7, 1, 2, 8, 8])
    assert find_journey(graph, [0, 1], [4, 5], Wishes(neighbours=9)).tracks.tolist() == [1, 2, 3, 5]
    skipping = Wishes(neighbours=9, skipped=(1,))
    assert find_journey(graph, [0, 1], [4, 5], skipping).tracks.tolist() == [0, 2, 3, 5]


def test_ends_by_one_artist_are_as_asked():
    graph = graph_of({(0, 1): 0.1, (1, 2): 0.1}, artist=[5, 6, 5])
    assert find_journey(graph, [0], [2], Wishes(neighbours=9)).tracks.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("start", "end", "wishes", "reason"),
    [
        ([0], [0], ALL, "ends where it starts"),
        ([9], [0], ALL, "no vector of the start"),
        ([0], [9], ALL, "no vector of the end"),
        ([0], [4], ALL, "No chain of neighbours"),
        ([0], [3], Wishes(neighbours=9, skipped=(1, 2)), "allow the skipped stops"),
        ([0], [3], Wishes(neighbours=9, skipped=(3,)), "The end is among the skipped"),
        ([0], [3], Wishes(3, neighbours=9), "The shortest way has 4 stops"),
        ([0], [3], Wishes(5, neighbours=9), "No path of this length"),
    ],
)
def test_why_there_is_none(start, end, wishes, reason):
    graph = graph_of({(0, 1): 0.1, (1, 2): 0.1, (2, 3): 0.1, (4, 5): 0.1})
    with pytest.raises(SegueError, match=reason):
        find_journey(graph, start, end, wishes)


def test_one_artist_alone_between_the_ends_is_named_as_the_bar():
    graph = graph_of({(0, 1): 0.1, (1, 2): 0.1}, artist=[5, 5, 6])
    with pytest.raises(SegueError, match="several tracks of an artist"):
        find_journey(graph, [0], [2], Wishes(neighbours=9))


def test_a_track_outside_is_joined_by_its_own_neighbours(vectors):
    counts, artist = np.arange(601)[::-1] + 1, np.arange(601, dtype=np.int32)
    small = build_graph(vectors, counts, artist, limit=500)
    assert len(small.tracks) == 500
    whole = join(small, vectors, [3, 560, 600])
    assert whole.tracks[500:].tolist() == [560]
    edges = whole.edges(8)
    nearest = sorted(range(500), key=lambda other: -cosine(vectors, 560, other))[:8]
    assert set(np.flatnonzero(edges[[500]].toarray()[0])) == set(nearest)
    tracks = find_journey(whole, [560], [3], Wishes(10)).tracks.tolist()
    assert tracks[0] == 560
    assert tracks[1] in nearest


def test_a_far_end_is_unlike_the_start_and_can_be_reached(graph, vectors):
    far = far_from(graph, vectors, 3)
    alike = [cosine(vectors, 3, other) for other in range(200) if other != 3]
    assert cosine(vectors, 3, far) == pytest.approx(min(alike), abs=1e-5)
    find_journey(graph, [3], [far], Wishes(neighbours=min(NEIGHBOURS)))


def test_too_few_vectors_are_one_sentence():
    with pytest.raises(SegueError, match="at least 3 tracks with a vector"):
        build_graph(np.zeros((9, 4)), np.ones(9), np.zeros(9))


# --- figures ---


def test_the_profile_shows_every_step_and_stop_with_units():
    figure = profile_figure(["a", "<b>", "c"], np.array([0.5, 0.25]), np.array([100, 3, 0]))
    steps, stops = figure.data
    assert list(steps.x) == [1.5, 2.5]
    assert list(steps.y) == [0.5, 0.25]
    assert list(steps.text) == ["0.50", "0.25"]
    assert list(stops.customdata) == [100, 3, 0]
    assert stops.hovertext[1] == "&lt;b&gt;"
    assert figure.layout.yaxis2.type == "log"
    low, high = figure.layout.yaxis2.range
    assert low < 0 < 2 < high
    titles = {figure.layout[name].title.text for name in ("xaxis", "yaxis", "yaxis2")}
    assert titles == {"Stop", "Cosine of the step", "Playlists"}


def test_the_route_is_framed_numbered_and_named():
    random = np.random.default_rng(0)
    coordinates = random.uniform(-1, 1, (300, 2)).astype(np.float32)
    coordinates[7] = np.nan
    figure = route_figure(coordinates, [4, 7, 999, 9], ["<i>four", "seven", "far", "nine"])
    _, route = figure.data
    np.testing.assert_allclose(route.x, coordinates[[4, 9], 0])
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts == ["1", "4", "&lt;i&gt;four", "nine"]
    for axis, values in ((figure.layout.xaxis, route.x), (figure.layout.yaxis, route.y)):
        assert axis.range[0] < min(values) < max(values) < axis.range[1]


def test_names_on_the_route_do_not_overlap():
    coordinates = np.zeros((40, 2), np.float32) + np.linspace(0, 0.05, 40)[:, None]
    figure = route_figure(coordinates, list(range(40)), ["a long name of a track"] * 40)
    named = [a for a in figure.layout.annotations if not a.text.isdigit()]
    assert 2 <= len(named) < 12
