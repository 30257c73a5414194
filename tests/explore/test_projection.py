import threading

import numpy as np
import pytest

from core.errors import SegueError
from core.explore import projection
from core.explore.projection import (
    METHODS,
    advice,
    project,
    simplified,
    true_neighbours,
    trust,
    within,
)
from core.progress import Progress

STYLES, EACH, D = 4, 40, 16


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Four styles far apart, of any length; track i is of style i % 4."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(STYLES, D))
    styles = np.arange(STYLES * EACH) % STYLES
    points = centres[styles] + random.normal(scale=0.25, size=(STYLES * EACH, D))
    return (points * random.uniform(0.1, 10, (len(points), 1))).astype(np.float32)


def purity(coordinates: np.ndarray) -> float:
    """Share of points whose nearest on the map is of their own style."""
    apart = np.linalg.norm(coordinates[:, None] - coordinates[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return float((apart.argmin(axis=1) % STYLES == np.arange(len(apart)) % STYLES).mean())


def test_pca_keeps_styles_together_and_is_reproducible(vectors):
    coordinates = project(vectors, "pca", seed=3)
    assert coordinates.dtype == np.float32
    assert coordinates.shape == (STYLES * EACH, 2)
    assert purity(coordinates) > 0.9
    np.testing.assert_array_equal(coordinates, project(vectors, "pca", seed=3))


def test_tsne_keeps_styles_together(vectors):
    coordinates = project(vectors[:80], "tsne")
    assert purity(coordinates) > 0.9
    assert trust(vectors, coordinates).trustworthiness > 0.8


def test_umap_keeps_styles_together_is_reproducible_and_survives_threads(vectors):
    maps: dict[int, np.ndarray] = {}

    def run(number: int) -> None:
        maps[number] = project(vectors, "umap", seed=3)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(maps[0], maps[1])
    assert purity(maps[0]) > 0.95
    assert trust(vectors, maps[0]).trustworthiness > 0.9
    assert not np.array_equal(maps[0], project(vectors, "umap", seed=4))


def test_a_map_is_framed_and_lies_along_x(vectors):
    coordinates = project(vectors, "pca")
    low, high = np.quantile(coordinates, [0.005, 0.995], axis=0)
    assert (low + high) / 2 == pytest.approx([0, 0], abs=1e-5)
    assert (high - low).max() == pytest.approx(2, abs=1e-5)
    assert coordinates[:, 0].std() >= coordinates[:, 1].std()


def test_length_does_not_matter(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(project(vectors, "pca"), project(unit, "pca"), atol=1e-4)


def test_only_the_most_popular_are_placed(vectors):
    assert project(vectors, "pca", tracks=50).shape == (50, 2)
    np.testing.assert_array_equal(
        project(vectors, "pca", tracks=50), project(vectors[:50], "pca", tracks=1_000)
    )


def test_the_tail_is_placed_among_its_own(vectors):
    coordinates = project(vectors, "tsne", laid_out=80)
    assert coordinates.shape == (len(vectors), 2)
    tail = coordinates[80:]
    apart = np.linalg.norm(tail[:, None] - coordinates[None, :80], axis=-1)
    styles = np.arange(len(vectors)) % STYLES
    assert (styles[apart.argmin(axis=1)] == styles[80:]).mean() > 0.95
    assert trust(vectors, coordinates).trustworthiness > 0.8


def test_a_track_of_the_tail_is_at_the_weighted_mean_of_its_nearest():
    head = np.eye(6, dtype=np.float32)
    points = np.arange(12.0).reshape(6, 2)
    tail = np.float32([[0.8, 0.6, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
    places = projection._among(tail, head, points, Progress())
    np.testing.assert_allclose(places[0], 0.64 * points[0] + 0.36 * points[1], atol=1e-4)
    np.testing.assert_allclose(places[1], points[5], atol=1e-4)


def test_principal_components_are_exact_for_all(vectors):
    np.testing.assert_array_equal(
        project(vectors, "pca", laid_out=20), project(vectors, "pca", laid_out=1_000)
    )


def test_tracks_without_a_vector_have_no_place(vectors):
    vectors = vectors.copy()
    vectors[3] = 0
    vectors[7, 2] = np.nan
    coordinates = project(vectors, "pca")
    assert np.flatnonzero(np.isnan(coordinates).any(axis=1)).tolist() == [3, 7]
    assert 0 < trust(vectors, coordinates).trustworthiness <= 1


@pytest.mark.filterwarnings("ignore:invalid value")  # scikit-learn's share of no variance
def test_identical_vectors_are_no_error():
    assert np.isfinite(project(np.ones((20, 4), np.float32), "pca")).all()


def test_what_cannot_be_drawn_is_said(vectors):
    with pytest.raises(SegueError, match='no map method "ump": choose one of umap, tsne, pca'):
        project(vectors, "ump")
    with pytest.raises(SegueError, match="at least 10 tracks with a vector, and there are 9"):
        project(np.r_[vectors[:9], np.zeros((20, D), np.float32)], "pca")


def test_progress_is_reported(vectors):
    said: list[str] = []

    class Listener(Progress):
        def update(self, label: str, fraction: float | None = None) -> None:
            said.append(label)

    project(vectors, "pca", progress=Listener())
    assert said == ["Finding principal components"]


def test_neighbours_are_exact(vectors, monkeypatch):
    monkeypatch.setattr(projection, "CHUNK_SIMILARITIES", 1_000)  # several chunks
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ids, distances = projection.exact_neighbours(unit, 7, Progress())
    apart = 1 - unit @ unit.T
    np.fill_diagonal(apart, 0)
    assert ids[:, 0].tolist() == list(range(len(unit)))
    np.testing.assert_array_equal(ids, np.argsort(apart, axis=1, kind="stable")[:, :7])
    np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :7], atol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 15])
@pytest.mark.parametrize("method", METHODS[1:])
def test_trustworthiness_is_scikit_learns_on_the_same_points(vectors, method, k, monkeypatch):
    from sklearn import manifold

    monkeypatch.setattr(projection, "CHUNK_SIMILARITIES", 1_000)  # several chunks
    for coordinates in (
        project(vectors, method),
        np.random.default_rng(0).normal(size=(len(vectors), 2)),
    ):
        theirs = manifold.trustworthiness(vectors, coordinates, n_neighbors=k, metric="cosine")
        assert trust(vectors, coordinates, k=k).trustworthiness == pytest.approx(theirs, abs=1e-12)


def test_unplaced_tracks_are_left_out_of_trustworthiness(vectors):
    from sklearn import manifold

    coordinates = np.random.default_rng(0).normal(size=(len(vectors), 2))
    coordinates[[3, 70]] = np.nan
    placed = np.delete(np.arange(len(vectors)), [3, 70])
    theirs = manifold.trustworthiness(
        vectors[placed], coordinates[placed], n_neighbors=5, metric="cosine"
    )
    assert trust(vectors, coordinates, k=5).trustworthiness == pytest.approx(theirs, abs=1e-12)


def test_a_part_of_the_tracks_judges_the_whole(vectors):
    coordinates = np.random.default_rng(0).normal(size=(len(vectors), 2))
    whole = trust(vectors, coordinates, k=5)
    part = trust(vectors, coordinates, k=5, judged=80)
    assert part.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.05)
    assert part != whole


def test_neighbours_that_are_kept():
    angles = np.linspace(0, 3, 30)
    vectors = np.c_[np.cos(angles**1.1), np.sin(angles**1.1)].astype(np.float32)
    line = np.c_[angles**1.1, np.zeros(30)]
    assert trust(vectors, line, k=4) == (1.0, 1.0, 4)
    swapped = line[::-1].copy()
    swapped[:15] = line[::2]
    swapped[15:] = line[1::2]
    assert trust(vectors, swapped, k=4).kept < 0.6
    assert trust(vectors[:9], line[:9], k=15).k == 4  # less than half of them


def test_points_on_one_spot_are_no_error(vectors):
    coordinates = np.zeros((len(vectors), 2))
    assert 0.3 < trust(vectors, coordinates).trustworthiness < 0.7


def test_advice_falls_with_trustworthiness():
    assert len({advice(value) for value in (0.99, 0.9, 0.6)}) == 3
    assert "do not read neighbours" in advice(0.7)


def test_within_a_polygon():
    bay = [0, 2, 2, 1, 0], [0, 0, 2, 0.5, 2]
    points = np.array([[1, 0.25], [1, 1], [0.1, 1], [1.9, 1], [3, 1], [-1, 0.25], [np.nan, 1]])
    assert within(points, *bay).tolist() == [True, False, True, True, False, False, False]
    assert not within(points, [], []).any()


def test_a_simplified_outline_keeps_its_corners_and_nearly_all_it_holds():
    square = simplified([0, 0.5, 1, 1, 1, 0.4, 0, 0], [0, 0, 0, 0.3, 1, 1.01, 1, 0.6], 4)
    assert square.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    around = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    bean = (1 + 0.4 * np.cos(3 * around)) * np.array([np.cos(around), np.sin(around)])
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (2_000, 2))
    fewer = simplified(*bean, 48)
    assert len(fewer) == 48
    same = within(points, *bean) == within(points, *fewer.T)
    assert same.mean() > 0.98
    assert simplified([0, 1, 0], [0, 0, 1], 48).tolist() == [[0, 0], [1, 0], [0, 1]]


def test_true_neighbours():
    vectors = np.array([[1, 0], [2, 0.2], [0, 0], [0, 3], [-5, 0]], np.float32)
    ids, cosines = true_neighbours(vectors, 0, k=10)
    assert ids.tolist() == [1, 3, 4]  # by angle; not itself, not the one without a vector
    assert cosines == pytest.approx([2 / np.hypot(2, 0.2), 0, -1])
    assert true_neighbours(vectors, 0, k=1)[0].tolist() == [1]
    assert len(true_neighbours(vectors, 2)[0]) == 0


def test_true_neighbours_are_of_the_same_style(vectors):
    for track in range(8):
        ids, cosines = true_neighbours(vectors, track, k=10)
        assert (ids % STYLES == track % STYLES).all()
        assert (np.diff(cosines) <= 0).all()
