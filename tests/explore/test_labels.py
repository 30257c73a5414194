import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.explore.labels import CHARACTER, LINE, Box, Placement, cluster_labels


def clouds(centres, n=60, spread=0.05, seed=0):
    """A cloud of n points around each centre, one after the other."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(centre, spread, (n, 2)) for centre in centres])


def boxes(labels):
    for label in labels:
        half = len(label.text) * CHARACTER / 2
        yield Box(label.x - half, label.y - LINE / 2, label.x + half, label.y + LINE / 2)


def test_each_text_stands_once_on_its_own_cloud():
    centres = {"folk": (-0.7, 0.6), "techno": (0.6, 0.6), "jazz": (0.0, -0.7)}
    points = clouds(centres.values())
    labels = cluster_labels(points, np.repeat(list(centres), 60).tolist())
    assert {label.text for label in labels} == set(centres)
    assert len(labels) == 3
    for label in labels:
        assert (label.x, label.y) == pytest.approx(centres[label.text], abs=0.08)


def test_a_text_stands_where_it_is_alone_rather_than_where_all_are():
    points = clouds([(-0.5, 0), (-0.5, 0), (0.5, 0)])
    texts = ["common"] * 60 + ["split"] * 60 + ["split"] * 60
    (label,) = [label for label in cluster_labels(points, texts) if label.text == "split"]
    assert label.x == pytest.approx(0.5, abs=0.08)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.floats(-1, 1), st.floats(-1, 1), st.text("abcdefgh ", min_size=1, max_size=20)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_labels_never_overlap(centres):
    points = clouds([centre[:2] for centre in centres], n=30)
    texts = [centre[2] for centre in centres for _ in range(30)]
    labels = cluster_labels(points, texts)
    assert labels
    assert len({label.text for label in labels}) == len(labels)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes(labels), 2))


def test_rare_unknown_and_unplaced_points_make_no_label():
    points = clouds([(0, 0), (0.5, 0.5)])
    points[60:] = np.nan
    texts = ["shown"] * 60 + ["unplaced"] * 60
    assert [label.text for label in cluster_labels(points, texts)] == ["shown"]
    assert cluster_labels(points, ["rare"] * 5 + [None] * 115) == []
    assert cluster_labels(points, [None] * 120) == []
    assert cluster_labels(np.empty((0, 2)), []) == []


def test_limit_keeps_the_most_telling():
    points = np.concatenate([clouds([(0.5, 0.5)], n=500), clouds([(-0.5, -0.5)], n=30)])
    labels = cluster_labels(points, ["big"] * 500 + ["small"] * 30, limit=1)
    assert [label.text for label in labels] == ["big"]


def test_placement_gives_no_place_twice():
    placement = Placement([Box(0, 0, 1, 1)])
    assert not placement.fits(Box(0.5, 0.5, 2, 2))
    assert placement.fits(Box(1, 0, 2, 1))  # sharing an edge is no overlap
    placement.take(Box(1, 0, 2, 1))
    assert not placement.fits(Box(1.5, 0, 3, 1))
    assert not placement.fits(Box(5, 5, 6, 6), Box(1.5, 0, 3, 1))
