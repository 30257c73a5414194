import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.retrieval import MODELS
from core.training import maps as module
from core.training.maps import STEP, embeds, load_map, make_map, maps, require_map
from core.training.train import train

D = 8


@pytest.fixture
def dataset(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    return Dataset(tmp_path / "planted")


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(120, D)).astype(np.float32)


def test_maps_of_any_model_and_method_are_kept_beside_each_other(dataset, vectors):
    assert maps(dataset) == []
    assert load_map(dataset) is None
    cards = {
        (model, method): make_map(dataset, model, vectors * sign, method, seed=2)
        for model, sign in (("als", 1), ("track2vec", -1))
        for method in ("pca", "tsne")
    }
    assert maps(dataset) == [
        cards[key]
        for key in (
            ("track2vec", "tsne"),
            ("track2vec", "pca"),
            ("als", "tsne"),
            ("als", "pca"),
        )
    ]
    assert load_map(dataset).card == cards["track2vec", "tsne"]
    assert load_map(dataset, "als").card == cards["als", "tsne"]
    assert load_map(dataset, method="pca").card == cards["track2vec", "pca"]
    assert load_map(dataset, "als", "pca").card == cards["als", "pca"]
    assert load_map(dataset, "als", "umap") is None
    assert load_map(dataset, "lightgcn") is None


def test_a_map_says_what_is_on_it_and_how_far_to_trust_it(dataset, vectors):
    vectors = vectors.copy()
    vectors[5] = 0
    card = make_map(dataset, "als", vectors, "pca", tracks=60, seed=4)
    assert (card.model, card.method, card.seed) == ("als", "pca", 4)
    assert (card.placed, card.laid_out) == (59, 59)
    assert 0.5 < card.trustworthiness < 1
    assert 0 < card.kept < 1
    found = load_map(dataset)
    assert found.coordinates.shape == (60, 2)
    assert found.coordinates.dtype == np.float32
    assert np.flatnonzero(np.isnan(found.coordinates).any(axis=1)).tolist() == [5]
    member = found.membership()
    assert member[5] == -1
    assert set(member.tolist()) - {-1} == set(range(len(card.clusters)))


def test_rounding_is_a_hundredth_of_a_pixel_and_a_map_takes_four_bytes_a_track(dataset, vectors):
    from core.explore.projection import project

    make_map(dataset, "als", vectors, "pca")
    exact = project(vectors, "pca")
    np.testing.assert_allclose(load_map(dataset).coordinates, exact, atol=STEP / 2 + 1e-7)
    file = dataset.folder / "maps" / "als-pca" / "coordinates.npy"
    assert file.stat().st_size < 4 * 120 + 200


def test_strays_are_moved_in_and_not_wrapped_round(dataset):
    steps = module._to_steps(np.array([[9.0, -9.0], [0.5, 0], [np.nan, 0]]))
    places = module._from_steps(steps)
    assert places[0] == pytest.approx([3.2767, -3.2767])
    assert places[1] == pytest.approx([0.5, 0])
    assert np.isnan(places[2]).any()


def test_the_tail_is_placed_among_what_is_laid_out(dataset, vectors, monkeypatch):
    monkeypatch.setattr(module, "LAID_OUT", 80)
    real = module.project
    monkeypatch.setattr(module, "project", lambda *a, **k: real(*a, laid_out=80, **k))
    card = make_map(dataset, "als", vectors, "tsne")
    assert (card.placed, card.laid_out) == (120, 80)


def test_maps_of_other_playlists_are_not_shown(dataset, vectors):
    make_map(dataset, "als", vectors, "pca")
    manifest = dataset.folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"fingerprint": "other"}))
    assert maps(Dataset(dataset.folder)) == []
    assert load_map(Dataset(dataset.folder)) is None


def test_the_one_map_of_an_earlier_segue_is_still_read(dataset, vectors):
    make_map(dataset, "track2vec", vectors, "pca")
    new, old = dataset.folder / "maps" / "track2vec-pca", dataset.folder / "map"
    card = json.loads((new / "card.json").read_text())
    old.mkdir()
    kept = ("model", "method", "seed", "trustworthiness", "fingerprint", "made")
    (old / "card.json").write_text(json.dumps({key: card[key] for key in kept}))
    coordinates = load_map(dataset).coordinates
    np.save(old / "coordinates.npy", coordinates)
    shutil.rmtree(new)
    found = load_map(dataset)
    np.testing.assert_array_equal(found.coordinates, coordinates)
    assert found.card.kept is None
    assert set(found.membership().tolist()) == {-1}
    make_map(dataset, "track2vec", -vectors, "pca")
    assert load_map(dataset).card.kept is not None  # the new one goes before it


def test_every_model_with_vectors_can_be_mapped_and_no_other(planted):
    mapped = {name for name in MODELS if embeds(name)}
    assert {"track2vec", "als", "lightgcn", "two_tower"} <= mapped
    for name in ("popularity", "titles", "item_knn"):
        assert name not in mapped
        with pytest.raises(SegueError, match="choose a model with vectors, one of"):
            require_map(name, "pca")
    with pytest.raises(SegueError, match="no map method 'mds': choose one of umap, tsne, pca"):
        require_map("als", "mds")
    require_map("als", "umap")


def test_the_command_line_lays_out_another_map(dataset):
    train(dataset, ["als", "popularity"], "fast")
    asked = ["--workspace", str(dataset.folder.parent), "map", "--dataset", "planted"]
    done = CliRunner().invoke(app, [*asked, "--model", "als", "--method", "pca", "--tracks", "50"])
    assert done.exit_code == 0, done.output
    assert "planted, als by pca: 50 tracks, 50 of them laid out." in done.output
    card = load_map(dataset, "als", "pca").card
    assert f"Trustworthiness {card.trustworthiness:.3f}" in done.output
    for more, sentence in (
        (["--model", "track2vec"], "No model 'track2vec' is trained on 'planted'"),
        (["--model", "titles"], "choose a model with vectors"),
        (["--model", "als", "--method", "mds"], "no map method 'mds'"),
    ):
        refused = CliRunner().invoke(app, [*asked, *more])
        assert sentence in str(refused.exception)
