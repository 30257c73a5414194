import numpy as np
import pyarrow.parquet as pq
import pytest

from core.dataset import build as build_module
from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources.base import Problem, batch_from_rows
from core.errors import SegueError

PROVENANCE = Provenance("tiny", "test", files=("tiny.json",))


def entry(playlist, position, **track):
    return {"playlist": playlist, "position": position} | track


def built(tmp_path, *batches):
    manifest = build(batches, tmp_path / "tiny", PROVENANCE)
    return Dataset(tmp_path / "tiny"), manifest


def changes(manifest):
    return {change["what"]: change["count"] for change in manifest["cleaning"]["changes"]}


def uris(dataset, playlist):
    return dataset.values("uri", dataset.playlists[playlist])


def test_playlists_come_back_in_order_across_batches(tmp_path):
    one = batch_from_rows(
        [{"title": "first"}, {"title": None}],
        [entry(0, 0, uri="b"), entry(0, 1, uri="a"), entry(1, 0, uri="a")],
    )
    two = batch_from_rows([{"title": "third"}], [entry(0, 0, uri="c"), entry(0, 1, uri="a")])
    dataset, manifest = built(tmp_path, one, two)
    assert manifest["counts"] == {"playlists": 3, "entries": 5, "tracks": 3, "artists": 3}
    assert [uris(dataset, row) for row in range(3)] == [["b", "a"], ["a"], ["c", "a"]]
    assert list(dataset.playlists.titles) == ["first", None, "third"]


def test_ids_fall_with_the_number_of_playlists(tmp_path):
    batch = batch_from_rows(
        [{}] * 3,
        [entry(row, 0, uri="often") for row in range(3)]
        + [entry(0, 1, uri="twice"), entry(1, 1, uri="twice"), entry(2, 1, uri="once")],
    )
    dataset, _ = built(tmp_path, batch)
    assert dataset.values("uri", range(3)) == ["often", "twice", "once"]
    np.testing.assert_array_equal(dataset.counts, [3, 2, 1])


def test_cleaning_counts_what_it_drops(tmp_path):
    batch = batch_from_rows(
        [{"source_id": "1"}, {"source_id": "2"}, {"source_id": "1"}, {}],
        [
            entry(0, 0, uri="a", title="A\x00\tsong", artist="X", duration_ms=-5),
            entry(0, 1, uri="b", duration_ms=10**12),
            entry(0, 2, uri="a", title="A song", artist="X"),
            entry(0, 3),
            entry(0, 4, title="no artist"),
            entry(2, 0, uri="a"),
        ],
        [Problem("bad rows", "tiny.json, playlist 9")],
    )
    dataset, manifest = built(tmp_path, batch)
    assert changes(manifest) == {
        "bad rows": 1,
        "rows without a track": 2,
        "repeats inside a playlist, first kept": 1,
        "playlists with the id of an earlier one, first kept": 1,
        "empty playlists": 2,
        "impossible durations, now unknown": 2,
        "names with control characters, now spaces": 1,
        "tracks without a title": 1,
    }
    assert manifest["cleaning"]["rows_read"] == 6
    assert uris(dataset, 0) == ["a", "b"]
    assert dataset.values("title", [0, 1]) == ["A song", None]
    assert dataset.values("duration_ms", [0, 1]) == [None, None]


def test_positions_decide_the_order_not_rows(tmp_path):
    batch = batch_from_rows([{}], [entry(0, 5, uri="late"), entry(0, 1, uri="early")])
    dataset, _ = built(tmp_path, batch)
    assert uris(dataset, 0) == ["early", "late"]


def test_without_uri_a_track_is_its_artist_and_title(tmp_path):
    one = batch_from_rows(
        [{}, {}],
        [
            entry(0, 0, title="Halo", artist="Beyoncé"),
            entry(1, 0, title="HALO ", artist="Beyonce"),
            entry(1, 1, title="Halo", artist="Starset"),
            entry(1, 2, uri="", title="Halo", artist="Depeche Mode"),
        ],
    )
    two = batch_from_rows([{}], [entry(0, 0, title="halo", artist="BEYONCÉ")])
    dataset, manifest = built(tmp_path, one, two)
    assert manifest["counts"]["tracks"] == 3
    assert dataset.counts[0] == 3
    assert dataset.values("uri", [0])[0].startswith("segue:track:")


def test_versions_share_a_song_only_with_the_same_artist(tmp_path):
    titles = ["Heroes", "Heroes - 2017 Remaster", "Heroes (Live)", "Heroes", "Sorrow"]
    artists = ["Bowie", "Bowie", "Bowie", "Motörhead", "Bowie"]
    rows = [
        entry(0, i, uri=f"u{i}", title=title, artist=artist)
        for i, (title, artist) in enumerate(zip(titles, artists, strict=True))
    ]
    dataset, _ = built(tmp_path, batch_from_rows([{}], rows))
    song = dict(zip(dataset.values("uri", range(5)), dataset.song, strict=True))
    assert song["u0"] == song["u1"] == song["u2"]
    assert len({song["u0"], song["u3"], song["u4"]}) == 3


def test_tracks_without_artist_share_none(tmp_path):
    rows = [entry(0, 0, uri="a", title="x"), entry(0, 1, uri="b", title="x")]
    dataset, _ = built(tmp_path, batch_from_rows([{}], rows))
    assert dataset.artist[0] != dataset.artist[1]
    assert dataset.song[0] != dataset.song[1]


def test_the_first_batch_is_believed_and_fills_its_own_gaps(tmp_path):
    one = batch_from_rows([{}], [entry(0, 0, uri="a", title="first", artist="X", energy=0.5)])
    two = batch_from_rows([{}], [entry(0, 0, uri="a", title="second", artist="Y", energy=0.9)])
    dataset, _ = built(tmp_path, one, two)
    assert dataset.values("title", [0]) == ["first"]
    assert dataset.audio[0, 1] == np.float32(0.5)
    assert np.isnan(dataset.audio[0, 0])


def test_years_and_explicit_flags_say_what_is_missing(tmp_path):
    rows = [
        entry(0, 0, uri="a", year=1999, explicit=True),
        entry(0, 1, uri="b", explicit=False),
        entry(0, 2, uri="c", year=2020),
    ]
    dataset, _ = built(tmp_path, batch_from_rows([{}], rows))
    assert dataset.values("explicit", [0, 1, 2]) == [True, False, None]
    np.testing.assert_array_equal(dataset.explicit, [True, False, False])
    np.testing.assert_array_equal(dataset.year, np.array([1999, np.nan, 2020], np.float32))
    assert (dataset.explicit.dtype, dataset.year.dtype) == (np.bool_, np.float32)


def test_a_folder_written_without_a_field_has_nulls_for_it(tmp_path):
    dataset, _ = built(
        tmp_path, batch_from_rows([{}], [entry(0, i, uri=uri) for i, uri in enumerate("ab")])
    )
    tracks = dataset.folder / "tracks.parquet"
    pq.write_table(pq.read_table(tracks).drop_columns(["explicit"]), tracks)
    assert dataset.values("explicit", [1, 0]) == [None, None]
    np.testing.assert_array_equal(dataset.explicit, [False, False])
    with pytest.raises(KeyError):
        dataset.column("colour")


def test_look_up_by_uri(tmp_path):
    names = ["b", "a", "é", "Z", "日本"]
    rows = [entry(0, i, uri=uri) for i, uri in enumerate(names)]
    dataset, _ = built(tmp_path, batch_from_rows([{}], rows))
    ids = dataset.ids_of([*names, "missing", ""])
    assert dataset.values("uri", ids[:5]) == names
    np.testing.assert_array_equal(ids[5:], [-1, -1])


def test_nothing_to_import_is_one_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(SegueError, match=r"tiny\.json: no playlist with a track .*empty playlists"):
        built(tmp_path, batch_from_rows([{}], []))
    assert not list(tmp_path.iterdir())


def test_a_source_that_fails_leaves_the_previous_dataset(tmp_path):
    _, before = built(tmp_path, batch_from_rows([{}], [entry(0, 0, uri="a")]))

    def broken():
        yield batch_from_rows([{}], [entry(0, 0, uri="b")])
        raise SegueError("broken")

    with pytest.raises(SegueError, match="broken"):
        build(broken(), tmp_path / "tiny", PROVENANCE)
    assert Dataset(tmp_path / "tiny").manifest == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_the_same_rows_have_the_same_fingerprint(tmp_path):
    batch = batch_from_rows([{"title": "t"}], [entry(0, 0, uri="a"), entry(0, 1, uri="b")])
    retitled = batch_from_rows([{"title": "u"}], [entry(0, 0, uri="a"), entry(0, 1, uri="b")])
    fingerprints = [built(tmp_path, b)[1]["fingerprint"] for b in (batch, batch, retitled)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_chunked_entries_agree_with_one_chunk(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    batches = [
        batch_from_rows(
            [{"source_id": str(i % 7)} for i in range(20)],
            [entry(random.integers(20), i, uri=f"u{random.integers(30)}") for i in range(100)],
        )
        for _ in range(3)
    ]
    _, whole = built(tmp_path, *batches)
    monkeypatch.setattr(build_module, "CHUNK_ENTRIES", 7)
    dataset, chunked = built(tmp_path, *batches)
    assert whole["fingerprint"] == chunked["fingerprint"]
    table = pq.read_table(dataset.folder / "entries.parquet")
    np.testing.assert_array_equal(table["track"], dataset.playlists.tracks)
    np.testing.assert_array_equal(
        table["position"],
        np.concatenate([np.arange(n) for n in dataset.playlists.lengths]),
    )


def test_a_view_holds_only_its_playlists(planted):
    view = planted.select(np.array([3, 1]))
    assert view.n_playlists == 2
    assert view.n_tracks == planted.n_tracks
    np.testing.assert_array_equal(view.playlists[0], planted.playlists[3])
    np.testing.assert_array_equal(view.playlists[1], planted.playlists[1])
    assert view.counts.sum() == len(planted.playlists[3]) + len(planted.playlists[1])
    assert planted.n_playlists == 240
