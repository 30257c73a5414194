import numpy as np
import pytest

from core.explore.clusters import Cluster, concentration, find_clusters, hues, nearest_centre

CENTRES = [(-0.8, 0.5), (0.7, 0.6), (0.0, -0.8)]
EACH = 60


def style_of(name):
    return int(name.split("-")[0])


@pytest.fixture(scope="module")
def dataset(make_dataset):
    """Three styles; those of the first have a genre, the others only titles; noise titled "mix"."""
    random = np.random.default_rng(0)
    words = ("Sunday Folk", "Peak Techno", "late jazz")
    playlists, titles = [], []
    for style in range(3):
        for number in range(40):
            playlists.append([f"{style}-{i}" for i in random.choice(EACH, 15, replace=False)])
            titles.append(words[style].upper() if number < 3 else words[style])
    for _ in range(60):
        pairs = zip(random.integers(0, 3, 15), random.choice(EACH, 15, replace=False), strict=True)
        playlists.append([f"{style}-{i}" for style, i in pairs])
        titles.append("mix")
    playlists.append([f"2-{i}" for i in range(EACH)])
    titles.append("one long list that one person made")
    return make_dataset(playlists, titles, name="regions")


def coordinates_of(dataset, spread=0.06):
    styles = [style_of(name) for name in dataset.column("title").to_pylist()]
    noise = np.random.default_rng(1).normal(0, spread, (len(styles), 2))
    return (np.array(CENTRES)[styles] + noise).astype(np.float32), np.array(styles)


def test_regions_are_found_and_named_by_titles_that_concentrate_there(dataset):
    coordinates, styles = coordinates_of(dataset)
    clusters = find_clusters(dataset, coordinates)
    assert {cluster.name for cluster in clusters} == {"Sunday Folk", "Peak Techno", "late jazz"}
    assert {cluster.source for cluster in clusters} == {"title"}
    member = nearest_centre(np.array([(c.x, c.y) for c in clusters]), coordinates)
    named = ["Sunday Folk", "Peak Techno", "late jazz"]
    assert all(clusters[i].name == named[style] for i, style in zip(member, styles, strict=True))


def test_known_genres_name_regions_before_titles_do(make_dataset, dataset):
    genres = ("folk", "techno", None)
    tracks = {f"{s}-{i}": {"genre": genres[s]} for s in range(3) for i in range(EACH)}
    playlists = [
        [f"{s}-{i % EACH}" for i in range(start, start + 12)]
        for s in range(3)
        for start in range(0, EACH, 4)
    ]
    titles = [f"style {s}" for s in range(3) for _ in range(0, EACH, 4)]
    known = make_dataset(playlists, titles, tracks, name="genres")
    clusters = find_clusters(known, coordinates_of(known)[0])
    assert {(c.name, c.source) for c in clusters} == {
        ("folk", "genre"),
        ("techno", "genre"),
        ("style 2", "title"),
    }


def test_without_titles_artists_name_regions(make_dataset):
    artists = {
        f"{s}-{i}": {"artist": f"star {s}" if i < 20 else f"one of {s} {i}"}
        for s in range(3)
        for i in range(EACH)
    }
    playlists = [[f"{s}-{i}" for i in range(EACH)] for s in range(3)]
    plain = make_dataset(playlists, None, artists, name="untitled")
    clusters = find_clusters(plain, coordinates_of(plain)[0])
    assert {(c.name, c.source) for c in clusters} == {(f"star {s}", "artist") for s in range(3)}


def test_names_are_distinct_and_unplaced_tracks_count_for_nothing(dataset):
    coordinates, _ = coordinates_of(dataset, spread=0.5)
    coordinates[::3] = np.nan
    clusters = find_clusters(dataset, coordinates)
    names = [cluster.name.casefold() for cluster in clusters]
    assert len(set(names)) == len(names) == 2  # fewer tracks, fewer regions


def test_few_points_are_one_region(make_dataset):
    tiny = make_dataset([["a", "b"]], ["x y"], name="tiny-regions")
    (only,) = find_clusters(tiny, np.zeros((2, 2), np.float32))
    assert (only.x, only.y) == (0, 0)
    assert only.name


def test_concentration_asks_for_more_than_chance_and_doubts_what_is_rare():
    amounts = np.array([[50.0, 50], [9, 1], [90, 10], [1, 0], [0, 200]])
    score = concentration(amounts)
    assert score[2, 0] > score[1, 0] > score[3, 0] > 0
    assert score[4, 0] == 0
    assert (score[:, 0] > 0).tolist() == [True, True, True, True, False]
    assert (concentration(np.full((3, 2), 7.0)) == 0).all()


def test_hues_differ_between_neighbours():
    clusters = [Cluster(str(i), "number", float(i % 5), float(i // 5)) for i in range(25)]
    found = hues(clusters, 7).reshape(5, 5)
    assert set(found.ravel().tolist()) == set(range(7))
    assert (found[:, 1:] != found[:, :-1]).all()
    assert (found[1:] != found[:-1]).all()


def test_a_track_without_a_place_is_in_no_region():
    places = np.array([[0.9, 0], [np.nan, 0], [-0.8, 0.1]])
    assert nearest_centre(np.array([[-1, 0], [1, 0]]), places).tolist() == [1, -1, 0]
