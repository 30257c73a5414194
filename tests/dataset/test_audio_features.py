import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import workspace
from core.dataset import joins
from core.dataset.artists import join_artists
from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.dataset.joins import coverage, provenance
from core.dataset.schema import AUDIO_FEATURES
from core.dataset.search import SearchIndex
from core.errors import SegueError

A = "spotify:track:6f807x0ima9a1j3VPbc7VN"
ENERGY, KEY, TEMPO = (AUDIO_FEATURES.index(name) for name in ("energy", "key", "tempo"))


@pytest.fixture(scope="module")
def original(make_dataset):
    tracks = {
        "a": {"uri": A, "energy": 0.1, "tempo": 100.0},
        "b": {"title": "Halo", "artist": "Beyoncé", "year": 2008},
        "c": {"title": "Halo - Live", "artist": "Beyoncé"},
    }
    return make_dataset([["a", "b", "c"], ["a", "b"], ["a"]], tracks=tracks)


@pytest.fixture
def dataset(original, tmp_path):
    shutil.copytree(original.folder, tmp_path / "tiny")
    return Dataset(tmp_path / "tiny")


@pytest.fixture
def table(tmp_path):
    def write(text, name="features.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def column(dataset, name):
    return [dataset.values(name, [i])[0] for i in range(dataset.n_tracks)]


def test_by_id_then_by_name(dataset, table):
    path = table(
        f"Track_ID,Track_Name,Artists,Energy,key,year,genre\n{A[-22:]},x,y,0.9,5,1999,rock\n"
        "other,Halo (feat. Someone),BEYONCE & JAY-Z,0.7,,1999,pop\n"
    )
    report = join_features(dataset, path)
    assert (report.rows, report.by_id, report.by_name) == (2, 1, 1)
    assert report.before == pytest.approx(1 / 3)
    assert report.after == pytest.approx(2 / 3)
    assert report.features["energy"] == pytest.approx(2 / 3)
    assert report.features["key"] == report.features["tempo"] == pytest.approx(1 / 3)
    joined = Dataset(dataset.folder)
    np.testing.assert_allclose(joined.audio[:, ENERGY], [0.9, 0.7, np.nan], rtol=1e-6)
    np.testing.assert_allclose(joined.audio[:, KEY], [5, np.nan, np.nan])
    np.testing.assert_allclose(joined.audio[:, TEMPO], [100, np.nan, np.nan])
    assert column(joined, "year") == [1999, 2008, None]
    assert column(joined, "genre") == ["rock", "pop", None]


@pytest.mark.parametrize("link", [A, f"https://open.spotify.com/track/{A[-22:]}?si=1", A[-22:]])
def test_ids_may_be_links(dataset, table, link):
    assert join_features(dataset, table(f"url;ENERGY\n{link};0.5\n")).by_id == 1


def test_other_uris_are_compared_as_they_are(dataset, table):
    assert join_features(dataset, table("uri\tenergy\nt:b\t0.5\n")).by_id == 1


def test_a_match_by_name_fills_gaps_only(dataset, table):
    report = join_features(dataset, table("title,artist,energy,key\na,artist a,0.9,3\n"))
    assert report.by_name == 1
    joined = Dataset(dataset.folder)
    assert joined.audio[0, [ENERGY, KEY]] == pytest.approx([0.1, 3])


@pytest.mark.parametrize(
    ("feature", "bad", "kind"),
    [
        ("energy", "loud", "not a number"),
        ("energy", "1.01", "out of range"),
        ("energy", "inf", "out of range"),
        ("valence", "-0.1", "out of range"),
        ("key", "12", "out of range"),
        ("key", "2.5", "out of range"),
        ("key", "C#", "not a number"),
        ("mode", "2", "out of range"),
        ("loudness", "-61", "out of range"),
        ("tempo", "0", "out of range"),
        ("tempo", "301", "out of range"),
    ],
)
def test_bad_values_are_unknown_and_counted_with_row_and_field(dataset, table, feature, bad, kind):
    other = "liveness" if feature != "liveness" else "energy"
    path = table(f"id,{feature.upper()},{other}\nt:c,{bad},0.5\nt:b,,\n")
    report = join_features(dataset, path)
    (change,) = report.problems["changes"]
    assert change["what"] == f"{feature} is {kind}, now unknown"
    assert change["count"] == 1
    assert change["examples"] == [f"features.csv, row 1, {feature.upper()}"]
    joined = Dataset(dataset.folder)
    assert column(joined, feature)[1:] == [None, None]
    assert column(joined, other)[2] == 0.5


def explicit(dataset):
    return dataset.values("explicit", [0, 1, 2])


def test_explicit_fills_gaps_and_what_is_no_flag_is_counted(dataset, table):
    first = table("id,energy,Explicit\nt:b,0.5,TRUE\nt:c,0.5,maybe\n")
    (change,) = join_features(dataset, first).problems["changes"]
    assert change["what"] == "explicit is neither true nor false, now unknown"
    assert change["examples"] == ["features.csv, row 2, Explicit"]
    assert explicit(Dataset(dataset.folder)) == [None, True, None]
    join_features(dataset, table("id,energy,is_explicit\nt:b,0.5,false\nt:c,0.5,0\n"))
    assert explicit(Dataset(dataset.folder)) == [None, True, False]


def test_a_dataset_written_without_the_flag_gets_it(dataset, table):
    tracks = dataset.folder / "tracks.parquet"
    before = pq.read_table(tracks)
    pq.write_table(before.drop_columns(["explicit"]), tracks)
    join_features(dataset, table("id,energy,explicit\nt:c,0.5,yes\n"))
    joined = Dataset(dataset.folder)
    assert explicit(joined) == [None, None, True]
    assert joined.audio[2, ENERGY] == 0.5
    assert set(pq.read_schema(tracks).names) == set(before.schema.names)


@pytest.mark.parametrize("missing", ["", "NA", "nan", "null", " "])
def test_missing_values_are_no_problem(dataset, table, missing):
    report = join_features(dataset, table(f"id,energy\nt:b,{missing}\n"))
    assert report.problems["changes"] == []


def test_the_first_of_repeated_ids_is_kept(dataset, table):
    report = join_features(dataset, table("id,energy\nt:b,0.2\nt:b,0.3\nt:b,0.4\n,0.5\n"))
    assert [(c["what"], c["count"]) for c in report.problems["changes"]] == [
        ("rows with the id of an earlier one, skipped", 2),
        ("rows without an id or a title and an artist, skipped", 1),
    ]
    assert Dataset(dataset.folder).audio[1, ENERGY] == pytest.approx(0.2)


def test_parquet_of_any_number_type(dataset, tmp_path):
    path = tmp_path / "it's [1].parquet"
    columns = {"ID": ["t:b", "t:c"], "energy": [0.25, None], "key": pa.array([3, 99], pa.int8())}
    pq.write_table(pa.table(columns), path)
    report = join_features(dataset, path)
    assert [c["what"] for c in report.problems["changes"]] == ["key is out of range, now unknown"]
    assert Dataset(dataset.folder).audio[1, [ENERGY, KEY]] == pytest.approx([0.25, 3])


def test_nothing_but_the_features_changes(dataset, original, table):
    join_features(dataset, table("id,energy,danceability\nt:b,0.2,0.3\n"))
    joined = Dataset(dataset.folder)
    before = pq.read_table(original.folder / "tracks.parquet")
    after = pq.read_table(joined.folder / "tracks.parquet")
    assert after.schema.names == before.schema.names
    assert after.schema.types == before.schema.types
    kept = [name for name in before.schema.names if name not in ("energy", "danceability")]
    assert after.select(kept).to_pylist() == before.select(kept).to_pylist()
    assert {path.name for path in joined.folder.iterdir()} == {
        path.name for path in original.folder.iterdir()
    }
    assert {k: v for k, v in joined.manifest.items() if k != "features"} == {
        k: v for k, v in original.manifest.items() if k != "features"
    }


def test_provenance_grows_with_each_join(dataset, table):
    join_features(dataset, table("id,energy\nt:b,0.2\n", "it's first.csv"))
    join_features(dataset, table("id,energy\nt:c,0.2\n", "second.csv"))
    joins = provenance(dataset.folder)
    assert [join["table"] for join in joins] == ["it's first.csv", "second.csv"]
    assert [join["after"] for join in joins] == pytest.approx([2 / 3, 1])
    assert Dataset(dataset.folder).manifest["features"] == joins


def test_a_crash_between_the_two_files_loses_nothing(dataset, table, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(joins, "write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        join_features(dataset, table("id,energy\nt:b,0.2\n", "first.csv"))
    assert Dataset(dataset.folder).audio[1, ENERGY] == pytest.approx(0.2)
    assert [join["table"] for join in provenance(dataset.folder)] == ["first.csv"]
    monkeypatch.setattr(joins, "write_json", workspace.write_json)
    join_features(dataset, table("id,energy\nt:c,0.2\n", "second.csv"))
    manifest = Dataset(dataset.folder).manifest
    assert [join["table"] for join in manifest["features"]] == ["first.csv", "second.csv"]


def test_an_album_fills_a_gap_and_is_found(dataset, table):
    assert not SearchIndex(dataset.folder / "search").tracks("sasha fierce")
    join_features(dataset, table("id,energy,Album_Name\nt:b,,I Am... Sasha Fierce\n"))
    assert column(Dataset(dataset.folder), "album") == [None, "I Am... Sasha Fierce", None]
    assert SearchIndex(dataset.folder / "search").tracks("sasha fierce") == [1]
    join_features(dataset, table("id,energy,Album_Name\nt:b,,Other\n"))
    assert column(Dataset(dataset.folder), "album")[1] == "I Am... Sasha Fierce"


def test_an_index_whose_replacement_was_killed_is_found_again(dataset):
    search = dataset.folder / "search"
    search.rename(dataset.folder / ".replaced-search")
    assert SearchIndex(search).tracks("halo")


def test_what_does_not_come_from_the_user_only_fills_gaps(dataset, table):
    origin = joins.Origin("A service", "Look, do not copy.")
    path = table(f"uri,energy,tempo,key\n{A},0.9,,4\nt:c,0.3,,\n")
    join_features(dataset, path, origin=origin)
    joined = Dataset(dataset.folder)
    assert joined.audio[0, [ENERGY, TEMPO, KEY]] == pytest.approx([0.1, 100, 4])
    assert joined.audio[2, ENERGY] == pytest.approx(0.3)
    (join,) = joined.manifest["features"]
    assert (join["table"], join["licence"]) == ("A service", "Look, do not copy.")
    before = (dataset.folder / "tracks.parquet").stat().st_mtime_ns
    join_features(joined, path, origin=origin)
    assert (dataset.folder / "tracks.parquet").stat().st_mtime_ns == before
    assert Dataset(dataset.folder).manifest["features"] == [join]


def artist_table(tmp_path, rows):
    names = ("uri", "genres", "followers", "popularity")
    path = tmp_path / "it's artists.parquet"
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), path)
    return path


def test_facts_of_artists_fill_gaps(dataset, tmp_path):
    ids = {artist["name"]: artist["uri"] for artist in dataset.artists.to_pylist()}
    first = artist_table(tmp_path, [(ids["Beyoncé"], "r&b", 7, None), ("nobody", "x", 1, 1.0)])
    report = join_artists(dataset, first, joins.Origin("One", "Free."))
    assert report.by_id == 1
    assert report.artist_facts == {"genres": 0.5, "followers": 0.5, "popularity": 0.0}
    second = artist_table(
        tmp_path, [(ids["Beyoncé"], None, 8, 99.0), (ids["artist a"], "a", 0, None)]
    )
    join_artists(Dataset(dataset.folder), second, joins.Origin("Two", "Free."))
    known = {
        artist["name"]: [artist[name] for name in joins.ARTIST_FACTS]
        for artist in Dataset(dataset.folder).artists.to_pylist()
    }
    assert known == {"Beyoncé": ["r&b", 7, 99.0], "artist a": ["a", 0, None]}
    assert [join["table"] for join in Dataset(dataset.folder).manifest["features"]] == [
        "One",
        "Two",
    ]


def test_nothing_but_the_facts_of_artists_changes(dataset, original, tmp_path):
    uri = dataset.artists["uri"][0].as_py()
    join_artists(dataset, artist_table(tmp_path, [(uri, "pop", 1, 2.0)]), joins.Origin("x", "y"))
    before, after = (pq.read_table(each.folder / "artists.parquet") for each in (original, dataset))
    assert after.schema.names == before.schema.names
    assert after.schema.types == before.schema.types
    kept = [name for name in before.schema.names if name not in joins.ARTIST_FACTS]
    assert after.select(kept).to_pylist() == before.select(kept).to_pylist()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "features.csv: the file is empty"),
        (b"\0\1\2\3" * 99, "features.csv: the file is binary"),
        (b"PAR1rest", "features.csv: cannot be read as a table"),
        (b"title,energy\na,1\n", "features.csv: tracks need an id"),
        (b"id,colour\na,1\n", "features.csv: none of the audio features"),
        (b"id,energy\nt:b,0.5\nt:c\n", "features.csv, line 3: 1 fields where the header has 2"),
        (b'id,energy\nt:b,0.5\n"t:c,0.5\nt:d,0.5\n', "features.csv, line 3: a quote"),
        (b"id,energy\nt:b,0.5\n\xe9,0.5\n", "features.csv, line 3: the text is not UTF-8"),
    ],
)
def test_bad_tables_are_one_sentence_and_leave_the_dataset_alone(dataset, table, content, sentence):
    path = table("")
    path.write_bytes(content)
    before = (dataset.folder / "tracks.parquet").read_bytes()
    with pytest.raises(SegueError) as error:
        join_features(dataset, path)
    assert str(error.value).startswith(sentence)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    assert (dataset.folder / "tracks.parquet").read_bytes() == before
    assert Dataset(dataset.folder).manifest["features"] == []


def test_the_columns_found_are_named(dataset, table):
    with pytest.raises(SegueError, match="the columns are name, energy"):
        join_features(dataset, table("name,energy\na,1\n"))


def test_coverage_is_the_share_of_tracks_that_have_each_feature(dataset, table):
    before = coverage(dataset.folder)
    assert list(before) == list(AUDIO_FEATURES)
    assert before["energy"] == before["tempo"] == pytest.approx(1 / 3)
    assert before["key"] == 0.0
    report = join_features(dataset, table("title,artist,energy,key\nHalo,Beyoncé,0.5,1\n"))
    assert report.features_before == before
    assert coverage(dataset.folder) == pytest.approx(report.features)
    assert report.features["energy"] == pytest.approx(2 / 3)
