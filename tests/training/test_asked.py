import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.dataset.dataset import Dataset
from core.dataset.library import SOURCES
from core.errors import SegueError
from core.training import asked as module
from core.training.asked import (
    Asked,
    AskedQueries,
    asked,
    asked_queries,
    meanings,
    require_reachable,
)
from core.training.train import train


@pytest.fixture(scope="module")
def store(planted, tmp_path_factory):
    """Address of a workspace with a dataset and its models."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copytree(planted.folder, folder / "planted")
    train(Dataset(folder / "planted"), ["popularity"])
    return str(folder)


@pytest.fixture
def right(store):
    return Asked("planted", "playlist_knn.neighbours=5,40", store=store)


@pytest.fixture
def queries(store, tmp_path):
    (tmp_path / "challenge.json").write_text("{}")
    return AskedQueries("planted", str(tmp_path / "challenge.json"), "out.csv", store)


def test_what_is_asked_for_becomes_a_plan(right):
    plan = asked(replace(right, also="popularity,playlist_knn,ranker", holdout=30, validation=20))
    assert plan.points == {"playlist_knn": [{"neighbours": 5}, {"neighbours": 40}]}
    assert list(plan.further) == ["popularity", "ranker"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"grid": ""}, "--grid names values to try"),
        ({"grid": "als.factors=few"}, "'few' is no value of factors"),
        ({"grid": "ranker.pool=100"}, "one model that proposes tracks, not of 'ranker'"),
        ({"also": "lstm"}, "no model lstm"),
        ({"also": "ranker"}, "A ranker needs two models"),
        ({"also": "ranker,rating"}, "A ranker needs two models"),  # which proposes none
        ({"preset": "slow"}, "no preset 'slow'"),
        ({"metric": "novelty"}, "no metric 'novelty'"),
        ({"holdout": -5}, "--holdout is a number of playlists"),
        ({"validation": -1}, "--validation is a number of playlists"),
        ({"holdout": 5_000}, "hold out fewer"),
        ({"parts": -3}, "--parts is a number of parts"),
        ({"source": "tape"}, "no source 'tape'; there are mpd"),
        ({"raw": "README.md,absent.zip"}, "absent.zip is not there"),
        ({"dataset": "absent"}, "no dataset 'absent'"),
        ({"dataset": "a/b"}, "cannot name a dataset"),
        ({"dataset": ""}, "--dataset names a dataset"),
        ({"target": "moon"}, "no target 'moon'"),
        ({"target": "sagemaker"}, "SageMaker needs to be told SEGUE_IMAGE, SEGUE_ROLE"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(right, wrong, sentence, monkeypatch):
    for name in ("SEGUE_IMAGE", "SEGUE_ROLE", "SEGUE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SegueError, match=sentence):
        asked(replace(right, **wrong))


def test_what_is_imported_need_not_be_there(right):
    assert asked(replace(right, dataset="new", raw="README.md", source="list", holdout=5)).points


def test_other_machines_see_nothing_of_this_one(right, queries, monkeypatch):
    with pytest.raises(SegueError, match="Other machines do not see /"):
        asked(right, elsewhere=True)
    with pytest.raises(SegueError, match=r"do not see .*challenge\.json"):
        asked_queries(queries, elsewhere=True)
    files = replace(queries, challenge="s3://bucket/c.json", out="s3://bucket/out.csv")
    with pytest.raises(SegueError, match="Other machines do not see /"):
        asked_queries(files, elsewhere=True)
    bucket = SimpleNamespace(exists=lambda name: name == "planted")
    monkeypatch.setattr(module, "shared", lambda address: bucket)
    monkeypatch.setattr(module, "require_writable", lambda address: None)
    asked_queries(replace(files, store="s3://bucket/prefix"), elsewhere=True)
    there = replace(right, store="s3://bucket/prefix")
    assert asked(there, elsewhere=True).points
    assert asked(replace(there, raw="s3://bucket/slices.zip"), elsewhere=True).points
    with pytest.raises(SegueError, match=r"do not see README\.md"):
        asked(replace(there, raw="README.md"), elsewhere=True)
    with pytest.raises(SegueError, match=r"no dataset 'demo' in s3://.*give files"):
        asked(replace(there, dataset="demo"), elsewhere=True)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"parts": 0}, "--parts is a number of parts"),
        ({"challenge": ""}, "--challenge names a file"),
        ({"challenge": "absent.json"}, "absent.json is not there"),
        ({"out": ""}, "--out names a file"),
        ({"dataset": "absent"}, "no dataset 'absent'"),
        ({"dataset": "../planted"}, "cannot name a dataset"),
        ({"model": "lstm"}, "'lstm' cannot answer on 'planted'"),
    ],
)
def test_a_file_of_queries_is_checked_as_well(queries, wrong, sentence):
    asked_queries(queries)
    asked_queries(replace(queries, model="fusion"))
    with pytest.raises(SegueError, match=sentence):
        asked_queries(replace(queries, **wrong))


def test_every_parameter_has_a_meaning():
    found = meanings(Asked)
    assert all(len(meaning) > 10 for meaning in found.values())
    assert found["parts"].endswith("[default: 4]")
    assert all(f"{source} |" in found["source"] for source in SOURCES)


def test_a_local_endpoint_needs_a_local_store(right):
    with pytest.raises(SegueError, match="serves a local folder"):
        asked(replace(right, target="local", store="s3://bucket"))
    require_reachable("sagemaker", "s3://bucket")
    require_reachable("local", "x")
    with pytest.raises(SegueError, match="serves a local folder"):
        require_reachable("local", "s3://bucket")
