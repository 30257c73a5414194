import numpy as np
import pyarrow.parquet as pq
import pytest

from core.dataset import training_table
from core.dataset.schema import AUDIO_FEATURES
from core.dataset.training_table import export_training_table
from core.errors import SegueError
from core.progress import Progress

FACTS = {"a": {"duration_ms": 200_000, "energy": 0.5}, "b": {"artist": None, "tempo": 120.0}}


@pytest.fixture
def dataset(make_dataset):
    return make_dataset([["a", "b", "c"], ["c"], ["b", "a"]], ["One", None, None], FACTS)


def rows_of(path):
    return pq.read_table(path).to_pylist()


def test_a_row_is_a_candidate_and_the_tracks_before_it(dataset, tmp_path):
    path = tmp_path / "table.parquet"
    assert export_training_table(dataset, path, previous=2) == 3
    rows = rows_of(path)
    places = ("playlist", "position", "playlist_title", "candidate_uri")
    assert [tuple(row[name] for name in places) for row in rows] == [
        (0, 1, "One", "t:b"),
        (0, 2, "One", "t:c"),
        (2, 1, None, "t:a"),
    ]
    before = [(row["previous_1_uri"], row["previous_2_uri"]) for row in rows]
    assert before == [("t:a", None), ("t:b", "t:a"), ("t:b", None)]


def test_features_are_those_of_each_track_and_missing_is_null(dataset, tmp_path):
    path = tmp_path / "table.parquet"
    export_training_table(dataset, path, previous=2)
    row = rows_of(path)[1]
    assert row["previous_2_title"] == "a"
    assert row["previous_2_artist"] == "artist a"
    assert row["previous_2_duration_ms"] == 200_000
    assert row["previous_2_energy"] == 0.5
    assert row["previous_2_count"] == 2
    assert row["previous_1_artist"] is None
    assert row["previous_1_tempo"] == 120.0
    assert row["candidate_energy"] is None
    [candidate] = dataset.ids_of(["t:c"])
    assert row["candidate_id"] == candidate
    first = rows_of(path)[0]
    assert all(first[name] is None for name in first if name.startswith("previous_2_"))


def test_columns_are_the_same_for_every_place(dataset, tmp_path):
    path = tmp_path / "table.parquet"
    export_training_table(dataset, path)
    names = pq.read_schema(path).names
    features = {"id", "uri", "title", "artist", "duration_ms", "count", *AUDIO_FEATURES}
    for place in ("candidate_", *(f"previous_{back}_" for back in range(1, 6))):
        assert {name.removeprefix(place) for name in names if name.startswith(place)} == features


def test_only_the_view_is_written_and_counted(dataset, tmp_path):
    path = tmp_path / "table.parquet"
    assert export_training_table(dataset.select(np.array([2])), path, previous=1) == 1
    [row] = rows_of(path)
    assert (row["playlist"], row["previous_1_uri"], row["candidate_uri"]) == (0, "t:b", "t:a")
    assert row["candidate_count"] == 1


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_chunks_change_nothing(planted, chunk, tmp_path, monkeypatch):
    view = planted.select(np.arange(8))
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    n_rows = export_training_table(view, whole, previous=3)
    monkeypatch.setattr(training_table, "_CHUNK_ENTRIES", chunk)
    assert export_training_table(view, parts, previous=3) == n_rows == 8 * 11
    assert pq.read_table(whole).equals(pq.read_table(parts))


def test_rows_are_the_playlists_steps(planted, tmp_path):
    path = tmp_path / "table.parquet"
    export_training_table(planted, path, previous=5)
    for row in rows_of(path)[::97]:
        tracks = planted.playlists[row["playlist"]]
        before = [row[f"previous_{back}_id"] for back in range(1, 6)]
        expected = tracks[: row["position"]][::-1][:5].tolist()
        assert row["candidate_id"] == tracks[row["position"]]
        assert before == expected + [None] * (5 - len(expected))


def test_playlists_of_one_track_leave_no_rows(make_dataset, tmp_path):
    path = tmp_path / "table.parquet"
    assert export_training_table(make_dataset([["a"], ["b"]]), path) == 0
    assert pq.read_table(path).num_rows == 0


def test_a_failure_leaves_the_previous_table(dataset, tmp_path):
    class Full(Progress):
        def update(self, label, fraction=None):
            if fraction:
                raise OSError(28, "No space left on device")

    path = tmp_path / "table.parquet"
    path.write_text("before")
    with pytest.raises(SegueError, match=r"table\.parquet cannot be written .*No space left"):
        export_training_table(dataset, path, progress=Full())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_row_needs_a_previous_track(dataset, tmp_path):
    with pytest.raises(SegueError, match="at least 1 previous track, not 0"):
        export_training_table(dataset, tmp_path / "table.parquet", previous=0)
