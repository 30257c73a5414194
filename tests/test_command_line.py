"""The command line as a person meets it, in one process, on real files."""

import csv
import errno
import json
import os
import re
from dataclasses import asdict
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.__main__ import app, run
from core.dataset.dataset import Dataset
from core.evaluation.challenge import CATEGORIES, split, write_challenge
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.trained import cards
from core.training import train
from tests.conftest import QUICK, in_this_process
from tests.dataset.publisher import publishing


@pytest.fixture(scope="module", autouse=True)
def here():
    """Cross-fit in this process: starting others takes longer than their tasks."""
    with in_this_process():
        yield


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, slice_file):
    """A workspace with one dataset, imported and trained by the command line."""
    folder = tmp_path_factory.mktemp("workspace")
    call(folder, "import", "mpd", str(slice_file), "--name", "small")
    quick = [f"--set={m}.{name}={x}" for m, own in QUICK.items() for name, x in own.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "train", partial(train.train, map_method="pca"))  # UMAP takes its time
        call(folder, "train", "--dataset", "small", "--preset", "fast", *quick)
    return folder


@pytest.fixture(scope="module")
def slice_file(tmp_path_factory):
    """A slice of 200 playlists of two styles, long enough for all ten categories."""
    random = np.random.default_rng(0)

    def track(style, number):
        return {
            "track_uri": f"spotify:track:{style}x{number:020}",
            "track_name": f"Song {style} {number}",
            "artist_name": f"Artist {style} {number % 40}",
        }

    playlists = [
        {
            "pid": pid,
            "name": ("summer", "winter")[pid % 2],
            "tracks": [track(pid % 2, n) for n in random.choice(400, 110, replace=False)],
        }
        for pid in range(200)
    ]
    path = tmp_path_factory.mktemp("slices") / "mpd.slice.0-199.json"
    path.write_text(json.dumps({"playlists": playlists}))
    return path


def call(workspace, *arguments, code=0):
    result = CliRunner().invoke(app, ["--workspace", str(workspace), *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_import_says_what_it_read(tmp_path, slice_file):
    said = call(tmp_path, "import", "auto", str(slice_file), "--name", "small")
    assert "small: 200 playlists, 22,000 entries, 800 tracks, 80 artists" in said


def test_lists_of_datasets_and_models(workspace):
    assert "small" in call(workspace, "datasets")
    trained = json.loads(call(workspace, "models", "--dataset", "small", "--json"))
    names = [card["model"] for card in trained["small"]]
    assert names == [*MODELS, RANKER]


def test_continue_stays_in_the_style(workspace):
    answer = json.loads(
        call(
            workspace, "continue", "--dataset", "small", "-k", "10", "--json",
            "--seed-track", "Artist 1 7 - Song 1 7",
            "--seed-track", f"spotify:track:1x{8:020}",
        )
    )  # fmt: skip
    assert len(answer["seeds"]) == 2
    assert [row["title"].split()[1] for row in answer["tracks"]] == ["1"] * 10


def test_continue_for_a_person(workspace):
    said = call(workspace, "continue", "--dataset", "small", "--title", "Winter", "-k", "5")
    assert said.startswith("Made from the title alone")
    assert said.count("Song 1") == 5


def continued(workspace, *options):
    """Titles and artists that follow one seed of style 1."""
    seed = ("--seed-track", "Artist 1 7 - Song 1 7")
    command = ("continue", "--dataset", "small", "-k", "20", "--json", *seed, *options)
    answer = json.loads(call(workspace, *command))
    return answer, [row["title"] for row in answer["tracks"]], {
        row["artist_name"] for row in answer["tracks"]
    }  # fmt: skip


def test_continue_obeys_the_dials(workspace):
    _, titles, artists = continued(workspace)
    assert len(artists) < 20
    _, _, of_one = continued(workspace, "--per-artist", "1")
    assert len(of_one) == 20
    first = sorted(artists)[0]
    _, _, others = continued(workspace, "--block-artist", first.upper())
    assert first not in others
    for options in (
        ("--adventure", "1"), ("--popularity", "-1"), ("--variety", "0.75"),
        ("--dislike", f"Artist 1 {int(titles[0].split()[2]) % 40} - {titles[0]}"),
        ("--like", "Artist 0 3 - Song 0 3"),
    ):  # fmt: skip
        answer, changed, _ = continued(workspace, *options)
        assert len(changed) == 20
        assert changed != titles, options
        assert not answer["not_found"]
    _, liked, _ = continued(workspace, "--like", "Artist 0 3 - Song 0 3")
    assert any(title.startswith("Song 0") for title in liked)
    _, undated, _ = continued(workspace, "--years", "1990-")
    assert undated == []


def test_continue_explains_what_it_answered(workspace):
    options = ("--like", "Artist 0 3 - Song 0 3", "--adventure", "0.5", "--why")
    answer, _, _ = continued(workspace, *options)
    names = [each["name"] for each in answer["tracks"][0]["why"]["seeds"]["each"]]
    assert names == ["Artist 1 7 - Song 1 7", "Artist 0 3 - Song 0 3"]
    assert [row["why"]["seeds"]["place"] for row in answer["tracks"]] == list(range(1, 21))


def test_continue_says_why(workspace):
    command = (
        "continue",
        "--dataset",
        "small",
        "-k",
        "3",
        "--why",
        "--seed-track",
        "Artist 1 7 - Song 1 7",
    )
    tracks = json.loads(call(workspace, *command, "--json"))["tracks"]
    reasons = [row["why"]["sentences"] for row in tracks]
    assert all(said[0].startswith("Proposed by ") for said in reasons)
    assert all("Artist 1 7 - Song 1 7" in said[1] for said in reasons)
    said = call(workspace, *command)
    assert [line.strip() for line in said.splitlines() if line.startswith("    ")] == [
        sentence for of_track in reasons for sentence in of_track
    ]


def test_continue_names_what_it_does_not_know(workspace):
    said = call(workspace, "continue", "--dataset", "small", "--seed-track", "Nobody - Nothing")
    assert "1 of 1 seeds are not in this dataset" in said
    assert "Not found: Nobody - Nothing" in said
    said = call(workspace, "continue", "--dataset", "small", "--like", "No one - None")
    assert "Not found: No one - None" in said
    assert "seeds are not in this dataset" not in said


def test_evaluate_prints_and_stores_the_leaderboard(workspace, tmp_path):
    out = tmp_path / "board.json"
    said = call(workspace, "evaluate", "--dataset", "small", "--holdout", "20", "--json", str(out))
    assert "R-precision" in said
    names = {row["name"] for row in json.loads(out.read_text())["rows"]}
    assert {"fusion", "popularity", "track2vec", "track2vec_defaults"} <= names
    stored = (workspace / "small" / "leaderboard.json").read_text()
    assert json.loads(stored) == json.loads(out.read_text())


def test_grid_lists_points_best_first_and_stores_them(workspace):
    command = (
        "grid", "--dataset", "small", "--model", "playlist_knn", "--set", "neighbours=1,50",
        "--metric", "hit@10", "--holdout", "20", "--validation", "20", "--jobs", "2",
    )  # fmt: skip
    said = call(workspace, *command).splitlines()
    assert said[0].startswith("playlist_knn on small: 20 validation playlists, 160 to learn from")
    assert said[1].split()[:2] == ["neighbours", "hit@10"]
    rows = json.loads(call(workspace, *command, "--json"))["rows"]
    assert [line.split()[0] for line in said[2:]] == [
        str(row["settings"]["neighbours"]) for row in rows
    ]
    better, worse = (row["figures"]["hit@10"]["value"] for row in rows)
    assert better >= worse
    assert len([*(workspace / "small" / "grids" / "playlist_knn").glob("*.json")]) == 2


def test_a_trial_is_compared_kept_and_made_the_default(workspace):
    model = ("--dataset", "small", "playlist_knn")
    said = call(
        workspace, "train", "--dataset", "small", "--models", "playlist_knn", "--preset", "fast",
        "--set", "playlist_knn.neighbours=3", "--trial",
    )  # fmt: skip
    assert "models keep --dataset small" in said
    assert re.search(r"playlist_knn +R-precision +0\.\d{3} \[.*\] +0\.\d{3} \[", said)
    dataset = Dataset(workspace / "small")
    assert params(dataset, "playlist_knn")["neighbours"] != 3
    call(workspace, "models", "keep", *model)
    assert params(dataset, "playlist_knn")["neighbours"] == 3
    assert "answered by playlist_knn" in call(workspace, "models", "default", *model)
    listed = call(workspace, "continue", "--dataset", "small", "--title", "summer")
    call(workspace, "models", "default", "--dataset", "small", "auto")
    assert listed != call(workspace, "continue", "--dataset", "small", "--title", "summer")
    call(workspace, "models", "delete", *model)
    assert "playlist_knn" not in call(workspace, "models", "--dataset", "small")
    call(workspace, "train", "--dataset", "small", "--models", "playlist_knn", "--preset", "fast")


def params(dataset, model):
    (card,) = [card for card in cards(dataset) if card.model == model]
    return card.params


def test_submit_writes_500_distinct_known_tracks_for_every_category(workspace, tmp_path):
    dataset = Dataset(workspace / "small")
    parts = split(dataset, 20)
    path = tmp_path / "challenge.json"
    write_challenge(path, dataset, parts.test)
    content = json.loads(path.read_text())
    unseen = [{"pos": i, "track_uri": f"spotify:track:unseen{i}"} for i in range(5)]
    content["playlists"].append({"pid": 999_999, "num_samples": 5, "tracks": unseen})
    path.write_text(json.dumps(content))
    out = tmp_path / "answers.csv"
    said = call(workspace, "submit", "--dataset", "small", str(path), str(out))
    assert "21 playlists" in said
    assert set(parts.test.category) == set(range(len(CATEGORIES)))
    first, *rows = list(csv.reader(out.open()))
    assert first == ["team_info", "segue", "segue@example.org"]
    known = set(dataset.values("uri", range(dataset.n_tracks)))
    seeds = {str(p["pid"]): {t["track_uri"] for t in p["tracks"]} for p in content["playlists"]}
    assert {row[0] for row in rows} == set(seeds)
    for pid, *uris in ([cell.strip() for cell in row] for row in rows):
        assert len(set(uris)) == len(uris) == 500
        assert set(uris) <= known
        assert not set(uris) & seeds[pid]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["continue", "--dataset", "absent"], "There is no dataset 'absent'"),
        (["import", "vinyl", "x.json", "--name", "x"], "'vinyl' with 1 paths cannot be imported"),
        (["import", "mpd", "absent.json", "--name", "x"], "absent.json: there is no such file"),
        (["import", "auto", "absent.json", "--name", "x"], "absent.json: cannot be read"),
        (["import", "mpd", "x", "--name", "../x"], "'../x' cannot name a dataset"),
        (["train", "--dataset", "small", "--models", "lstm"], "There is no model lstm"),
        (["train", "--dataset", "small", "--preset", "slow"], "There is no preset 'slow'"),
        (["evaluate", "--dataset", "small", "--holdout", "9999"], "hold out fewer"),
        (["grid", "--dataset", "small", "--model", "lstm"], "There is no model 'lstm'"),
        (["grid", "--dataset", "small", "--model", "titles", "--set", "x=1"], "no setting 'x'"),
        (["grid", "--dataset", "small", "--model", "titles", "--metric", "x"], "no metric 'x'"),
        (["grid", "--dataset", "small", "--model", "titles", "--holdout", "400"], "hold out fewer"),
        (["features", "absent.csv", "--dataset", "small"], "absent.csv"),
        (["fetch", "absent"], "There is no public set 'absent'"),
        (["fetch", "tidytuesday", "--name", "small"], "There is a dataset 'small' already"),
        (["delete", "absent", "--yes"], "There is no dataset 'absent'"),
        (["delete", "demo", "--yes"], "'demo' ships with Segue"),
        (["submit", "--dataset", "small", "absent.json", "o.csv"], "absent.json cannot be read"),
        (["continue", "--dataset", "small", "--model", "lstm"], "There is no model 'lstm'"),
        (["continue", "--dataset", "small", "--years", "90s"], "“90s” are no years: write 1990-"),
        (["continue", "--dataset", "small", "--years", "1999-90"], "“1999-90” are no years"),
        (["continue", "--dataset", "small", "--years", "1999-1990"], "which is before"),
        (["continue", "--dataset", "small", "--adventure", "2"], "adventure is 2.0, not from -1"),
        (["continue", "--dataset", "small", "--popularity", "nan"], "popularity is nan, not from"),
        (["continue", "--dataset", "small", "--variety", "-1"], "variety is -1.0, not from 0 to"),
        (["continue", "--dataset", "small", "--per-artist", "0"], "per_artist is 0, not 1 or more"),
        (["continue", "--dataset", "small", "--block-artist", "Nobody"], "has no artist “Nobody”"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    workspace, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.setattr("sys.argv", ["segue", "--workspace", str(workspace), *arguments])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 2
    *_, said = capsys.readouterr().err.strip().splitlines()
    assert sentence in said


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EACCES, "name another folder"), (errno.ENOSPC, "make room")]
)
def test_a_folder_that_cannot_be_written_to_is_one_sentence_too(
    tmp_path, monkeypatch, capsys, number, remedy
):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number), str(tmp_path / "x"))

    monkeypatch.setattr("tempfile.mkdtemp", refused)
    arguments = ["segue", "--workspace", str(tmp_path), "simulate", "--name", "new"]
    monkeypatch.setattr("sys.argv", [*arguments, "--playlists", "20", "--tracks", "40"])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 2
    *_, said = capsys.readouterr().err.strip().splitlines()
    assert said.startswith(f"{tmp_path / 'x'}: {os.strerror(number)}; ")
    assert remedy in said


def test_the_list_of_commands_is_the_contract():
    _, said = CliRunner().invoke(app, ["--help"]).stdout.split("Commands:\n")
    assert re.findall(r"^  (\w+) ", said, re.MULTILINE) == [
        "import", "simulate", "fetch", "crawl", "delete", "features", "enrich", "datasets",
        "train", "map", "table", "evaluate", "grid", "submit", "continue", "serve", "deploy",
        "check", "undeploy", "flow", "models", "bench",
    ]  # fmt: skip


def test_a_training_table_holds_a_row_for_each_candidate(workspace, tmp_path):
    out = tmp_path / "table.parquet"
    dataset = Dataset(workspace / "small")
    assert "rows of a candidate" in call(workspace, "table", "--dataset", "small", str(out))
    candidates = int((dataset.playlists.lengths - 1).sum())
    assert pq.read_metadata(out).num_rows == candidates


def test_public_sets_are_listed_and_one_is_fetched(tmp_path, monkeypatch):
    table = (
        b"track_id,track_name,track_artist,playlist_id,playlist_name\n"
        b"0RhGFlknkTRsaTHfQzNE01,One,A,p,Mine\n0RhGFlknkTRsaTHfQzNE02,Two,B,p,Mine\n"
    )
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with publishing(table) as publisher:
        (tmp_path / "sets.json").write_text(json.dumps([asdict(publisher.set())]))
        monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
        said = call(tmp_path, "fetch")
        for fact in ("tidytuesday", "8.0 MB", "MIT (TidyTuesday", "little", "CC0 1.0"):
            assert fact in said
        assert [each["name"] for each in json.loads(call(tmp_path, "fetch", "--json"))] == [
            "tidytuesday",
            "little",
        ]
        said = call(tmp_path, "fetch", "little", "--name", "mine")
    assert "mine: 1 playlists, 2 entries, 2 tracks" in said
    assert "CC0 1.0" in call(tmp_path, "datasets")


def test_a_dataset_is_deleted_when_that_is_confirmed(tmp_path):
    call(tmp_path, "simulate", "--name", "mine", "--playlists", "100", "--tracks", "600")
    arguments = ["--workspace", str(tmp_path), "delete", "mine"]
    for answer, code, there in (("n\n", 1, True), ("", 1, True), ("y\n", 0, False)):
        assert CliRunner().invoke(app, arguments, input=answer).exit_code == code
        assert (tmp_path / "mine").exists() == there
