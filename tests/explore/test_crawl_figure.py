"""The graph of a crawl: rings that stay as they are while it grows, and what is written on them."""

import json

import numpy as np
import pytest

from core.explore.figures import crawl_figure
from core.explore.figures.crawl import DRAWING_PX, NAMED, SYMBOLS
from core.explore.palette import palette
from core.explore.rings import outer_radius, ring_layout
from core.spotify.crawling.crawled import CrawlGraph, CrawlNode


def grown(nodes: int, seed: int = 0) -> np.ndarray:
    """Edges of a random tree in order of discovery, and some that lead back."""
    random = np.random.default_rng(seed)
    tree = [(int(random.integers(max(0, node - 12), node)), node) for node in range(1, nodes)]
    back = [(child, int(random.integers(child))) for _, child in tree[3::4]]
    return np.array([*tree, *back], np.int32).reshape(-1, 2)


def graph(nodes: int, names=lambda node: f"name {node}") -> CrawlGraph:
    edges = grown(nodes)
    edges = edges[np.argsort(edges.max(1), kind="stable")]
    made = tuple(
        CrawlNode(
            "artist" if node % 3 else "playlist",
            names(node),
            node // 20,
            node % 150,
            "waiting" if node % 7 == 6 else "done",
        )
        for node in range(nodes)
    )
    return CrawlGraph(made, edges, 0)


def nodes_of(figure):
    """The trace that the nodes are."""
    (trace,) = [one for one in figure.data if one.hovertext is not None]
    return trace


def test_a_tree_of_three_generations_is_on_three_rings():
    edges = np.array([(0, 1), (0, 2), (1, 3), (1, 4), (3, 5), (5, 0)])
    positions, parents = ring_layout(6, edges)
    assert parents.tolist() == [0, 0, 0, 1, 1, 3]
    radii = np.hypot(*positions.T).round(6)
    assert radii[0] == 0
    assert radii[1] == radii[2] < radii[3] == radii[4] < radii[5]
    angle = np.arctan2(positions[:, 1], positions[:, 0])
    assert abs(angle[3] - angle[1]) < 0.3  # children stand before their parent
    assert abs(angle[5] - angle[3]) < 0.3
    assert radii.max() < outer_radius(positions) < 1.5 * radii.max()


def test_nodes_stay_where_they_are_while_the_graph_grows():
    edges = grown(400)
    whole, _ = ring_layout(400, edges)
    for size in (1, 2, 40, 399):
        early = edges[edges.max(1) < size]
        positions, _ = ring_layout(size, early)
        np.testing.assert_array_equal(positions, whole[:size])


def test_no_two_nodes_share_a_place():
    positions, _ = ring_layout(600, grown(600))
    apart = np.hypot(*(positions[:, None] - positions[None]).transpose(2, 0, 1))
    assert apart[~np.eye(600, dtype=bool)].min() > 0.5


@pytest.mark.parametrize("dark", [False, True])
def test_shape_is_the_kind_colour_the_depth_and_size_the_tracks(dark):
    figure = crawl_figure(graph(130), dark=dark)
    trace, colours = nodes_of(figure), palette(dark)
    assert list(trace.marker.symbol[:3]) == ["square", "circle", "circle"]
    assert trace.marker.color[0] == trace.marker.color[19] == colours.categorical[0]
    assert trace.marker.color[20] == colours.categorical[1]
    sizes = trace.marker.size
    assert sizes[0] < sizes[50] < sizes[100] == sizes[120]  # beyond a hundred they are alike
    legend = [one.name for one in figure.data if one.name]
    assert legend == [
        "Playlist",
        "Artist",
        *(f"Depth {depth}" for depth in range(6)),
        "Depth 6 or more",
    ]
    assert set(SYMBOLS.values()) == {"square", "circle"}


def test_the_frame_widens_seldom_and_never_far_beyond_the_nodes():
    edges = grown(600)
    positions, _ = ring_layout(600, edges)
    reaches = [outer_radius(positions[:size]) for size in range(1, 601)]
    furthest = np.maximum.accumulate(np.hypot(*positions.T))
    assert all(np.diff(reaches) >= 0)
    assert len(set(reaches)) <= furthest[-1] / 2
    assert all(reach - far < 4.5 for reach, far in zip(reaches, furthest, strict=True))


@pytest.mark.parametrize("phone", [False, True])
def test_neighbours_hardly_overlap_however_many_there_are(phone):
    figure = crawl_figure(graph(600), phone=phone)
    low, high = figure.layout.xaxis.range
    step_px = DRAWING_PX[phone] / (high - low)
    assert max(nodes_of(figure).marker.size) <= 1.2 * step_px


def test_what_is_not_asked_for_yet_says_so_on_hover():
    hover = nodes_of(crawl_figure(graph(8))).hovertext
    assert hover[6] == "<b>name 6</b><br>Playlist, depth 0, 6 tracks, not asked for yet"
    assert hover[7] == "<b>name 7</b><br>Artist, depth 0, 7 tracks"


def test_names_stand_outside_of_their_marks():
    figure = crawl_figure(graph(20))
    sides = {note.text: (note.x, note.xanchor) for note in figure.layout.annotations[1:]}
    outside = [(x >= 0) == (anchor == "left") for x, anchor in sides.values()]
    assert sum(outside) > 0.7 * len(outside)


def test_the_start_is_named_and_the_largest_that_fit():
    figure = crawl_figure(graph(130))
    written = [note.text for note in figure.layout.annotations]
    assert written[0] == "name 0"
    assert 1 < len(written) <= NAMED[False]
    assert all(int(text.split()[1]) > 60 for text in written[1:])
    assert len(crawl_figure(graph(130), phone=True).layout.annotations) <= NAMED[True]


def test_names_of_strangers_are_text():
    figure = crawl_figure(graph(4, lambda node: "<b>x</b><script>" * 9))
    shown = json.dumps([figure.layout.annotations[0].text, *nodes_of(figure).hovertext])
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_edges_are_drawn_once_each():
    made = graph(60)
    figure = crawl_figure(made)
    drawn = sum(
        np.isnan(np.array(one.x, float)).sum() for one in figure.data if one.mode == "lines"
    )
    assert drawn == len(made.edges)


def test_a_crawl_of_one_playlist_is_a_dot():
    lonely = CrawlGraph(
        (CrawlNode("playlist", "", 0, 0, "waiting"),), np.empty((0, 2), np.int32), 0
    )
    figure = crawl_figure(lonely)
    assert len(nodes_of(figure).x) == 1
    assert not figure.layout.annotations
