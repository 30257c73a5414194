"""The shipped demo, and the command that makes it at a small size."""

import json

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.trained import cards, load_recommender
from core.training import demo
from core.training.evaluate import stored_leaderboard
from core.training.maps import load_map, maps
from core.workspace import DEMO
from tests.conftest import QUICK, in_this_process

SMALL = {"playlists": 400, "tracks": 1_200, "holdout": 10}
SMALL_FINGERPRINT = "58fcd81a05998c12466191914757903c0293c7de7971b58706e2e98774c8eb28"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "small"
    with in_this_process(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SETTINGS", QUICK)
        patch.setattr(demo, "MAPS", (("als", "pca"),))
        return demo.build_demo(folder, preset="fast", map_method="pca", **SMALL)


def layout(folder):
    """Files below a folder, but those of the search index, named at random, and of maps."""
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in paths if not path.startswith(("search/", "maps/"))}


def test_the_command_makes_the_same_playlists_every_time(small):
    assert small.manifest["fingerprint"] == SMALL_FINGERPRINT


def test_the_command_lays_out_more_maps(small):
    assert {(card.model, card.method) for card in maps(small)} == {
        ("track2vec", "pca"),
        ("als", "pca"),
    }


def test_the_shipped_demo_has_what_the_command_writes(small):
    assert layout(DEMO) == layout(small.folder)
    shipped = json.loads((DEMO / "manifest.json").read_text())
    assert shipped.keys() == small.manifest.keys()
    assert shipped["simulated"] is True
    assert shipped["counts"]["playlists"] == pytest.approx(demo.PLAYLISTS, rel=0.05)
    assert shipped["counts"]["tracks"] == pytest.approx(demo.TRACKS, rel=0.05)


def test_the_shipped_models_are_all_there_and_fit_the_playlists():
    dataset = Dataset(DEMO)
    assert [card.model for card in cards(dataset)] == [*MODELS, RANKER]
    recommender = load_recommender(dataset)
    assert recommender.choices[0] == RANKER
    assert not recommender.notes
    found = recommender.continue_playlist(dataset.playlists[0][:5], k=20)
    assert len(set(found.tracks.tolist())) == 20
    found = [(card.model, card.method) for card in maps(dataset)]
    assert found[0] == ("track2vec", "umap")
    assert {*found[1:]} == {*demo.MAPS}
    assert load_map(dataset).coordinates.shape[1] == 2
    assert np.isfinite(load_map(dataset).coordinates).mean() > 0.9
    assert {row.name for row in stored_leaderboard(dataset).rows} >= {RANKER, "fusion", *MODELS}


def test_the_shipped_demo_is_small():
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) < 15e6
