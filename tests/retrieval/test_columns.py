import numpy as np
import pytest

from core.retrieval.base import Queries
from core.retrieval.columns import Columns


def ids(dataset, *names):
    return dataset.ids_of([f"t:{name}" for name in names])


@pytest.fixture(scope="module")
def view(make_dataset):
    """Three playlists of a dataset; only the other holds "unheard" and "nobody"."""
    artists = {"a0": "first", "a1": "first", "unheard": "first", "b": "second", "nobody": "third"}
    dataset = make_dataset(
        [["a0", "b"], ["a1", "a0", "b"], ["b"], ["unheard", "nobody"]],
        ["rainy day", "Gym", None, "evening"],
        {name: {"artist": artist} for name, artist in artists.items()},
    )
    return dataset.select(np.arange(3))


def test_a_row_holds_tracks_artists_and_words(view):
    columns = Columns(view, artist_weight=0.3, title_weight=0.5)
    a0, a1, unheard, nobody = ids(view, "a0", "a1", "unheard", "nobody")
    seeds = [np.array([a0, a1, unheard, nobody]), np.empty(0, int)]
    rows = columns.rows(Queries(seeds, ["Gym, gym & RAINY whatever", None])).toarray()
    assert rows.shape == (2, 3 + 2 + 3)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(np.flatnonzero(rows[0] == 1), columns.track_column[[a0, a1]])
    artists = rows[0, 3:5]
    np.testing.assert_allclose(artists[artists > 0], [0.3 * np.sqrt(3)], rtol=1e-6)
    np.testing.assert_allclose(rows[0, 5:], [0.5, 0, 0.5])  # rainy, day, gym
    assert not rows[1].any()


def test_what_no_playlist_of_the_view_holds_has_no_column(view):
    columns = Columns(view, artist_weight=1.0, title_weight=1.0)
    heard = ids(view, "a0", "a1", "b")
    np.testing.assert_array_equal(columns.tracks, np.sort(heard))
    np.testing.assert_array_equal(columns.tracks[columns.track_column[heard]], heard)
    assert (columns.track_column[ids(view, "unheard", "nobody")] == -1).all()
    assert columns.artists_of.shape == (view.n_tracks, 2)
    assert columns.rows(Queries.single(ids(view, "nobody"), "evening")).nnz == 0
    assert columns.rows(Queries.single(ids(view, "unheard"))).nnz == 1


@pytest.mark.parametrize(("artists", "titles", "width"), [(0, 0, 3), (1, 0, 5), (0, 1, 6)])
def test_a_group_of_weight_0_has_no_columns(view, artists, titles, width):
    columns = Columns(view, float(artists), float(titles))
    rows = columns.rows(Queries.single(ids(view, "b"), "gym"))
    assert rows.shape == (1, width)
    assert rows.nnz == 1 + artists + titles


def test_playlists_are_rows_with_their_titles(view):
    columns = Columns(view, artist_weight=0.0, title_weight=2.0)
    rows = columns.rows_of(view.playlists).toarray()
    b = columns.track_column[ids(view, "b")[0]]
    np.testing.assert_array_equal(rows[:, b], 1)
    np.testing.assert_array_equal(rows.sum(axis=1), [2 + 4, 3 + 2, 1])
    np.testing.assert_array_equal(rows[:, 3:], [[2, 2, 0], [0, 0, 2], [0, 0, 0]])
