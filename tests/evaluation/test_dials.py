import json
from dataclasses import astuple, replace

import numpy as np
import pytest

from core.errors import SegueError
from core.evaluation import dials as dials_module
from core.evaluation.challenge import split
from core.evaluation.dials import LABELS, SETTINGS, DialReport, dial_lists, dial_report, render
from core.evaluation.leaderboard import System, evaluate
from core.ordering import Dials, filter_candidates, order
from core.retrieval.base import Recommendations, unit
from tests.conftest import style_of

NOTHING = np.empty(0, np.int32)
STYLES, TRACKS_A_STYLE = 4, 300


def measure_dials(scored, challenge, train, directions):
    lists = dial_lists(scored, challenge, train, directions)
    return dial_report(lists, challenge, train, directions)


@pytest.fixture(scope="module")
def wide(make_dataset):
    """Playlists of one style each, of more tracks than a list holds, some heard more often."""
    random = np.random.default_rng(5)
    weight = 1 / (10 + np.arange(TRACKS_A_STYLE))
    playlists = [
        [
            f"{row % STYLES}-{track:03}"
            for track in random.choice(TRACKS_A_STYLE, 20, False, weight / weight.sum())
        ]
        for row in range(280)
    ]
    tracks = {
        f"{style}-{track:03}": {"artist": f"{style}-{track % 9}", "energy": random.uniform()}
        for style in range(STYLES)
        for track in range(TRACKS_A_STYLE)
    }
    return make_dataset(playlists, [f"{row % STYLES}" for row in range(280)], tracks, "wide")


@pytest.fixture(scope="module")
def parts(wide):
    return split(wide, holdout=40, seed=1)


@pytest.fixture(scope="module")
def styles(wide):
    return np.array(style_of(wide, np.arange(wide.n_tracks)))


@pytest.fixture(scope="module")
def scored(wide, styles):
    """Every track of a query's style before the others, in an order of chance."""

    def answer(queries):
        found = []
        for seeds in queries.seeds:
            chance = np.random.default_rng(len(seeds)).random(wide.n_tracks)
            likely = 2 * np.isin(styles, styles[seeds])
            found.append((np.arange(wide.n_tracks, dtype=np.int32), likely + chance))
        return found

    return answer


@pytest.fixture(scope="module")
def directions(styles):
    """Unit rows: styles at right angles, and as much of each track's own."""
    own = np.random.default_rng(9).normal(size=(len(styles), 6)) / 3
    return unit(np.hstack([np.eye(STYLES)[styles], own])).astype(np.float32).__getitem__


@pytest.fixture(scope="module")
def report(parts, scored, directions):
    return measure_dials(scored, parts.test, parts.train, directions)


def change(report, dial, value, metric):
    (row,) = (row for row in report.rows if (row.dial, row.value) == (dial, value))
    difference = row.difference[metric].value
    assert difference == pytest.approx(row.figures[metric].value - report.default[metric].value)
    return difference


def test_every_setting_is_measured_by_every_metric(report):
    assert [(row.dial, row.value) for row in report.rows] == list(SETTINGS)
    for row in report.rows:
        assert row.figures.keys() == row.difference.keys() == LABELS.keys()
        assert row.difference["ndcg"].low <= row.difference["ndcg"].high


def test_the_default_is_measured_as_on_the_leaderboard(report, parts, scored):
    def recommend(queries, k):
        ids = np.full((len(queries), k), -1, np.int32)
        for row, (candidates, scores) in enumerate(scored(queries)):
            allowed = filter_candidates(
                candidates, queries.seeds[row], NOTHING, parts.train, Dials()
            )
            best = order(candidates[allowed], scores[allowed], parts.train, Dials())
            ids[row, : len(best[:k])] = candidates[allowed][best[:k]]
        scores = np.where(ids >= 0, np.arange(k, 0, -1), -np.inf)
        return Recommendations(ids, scores.astype(np.float32))

    board = evaluate([System("x", "x", recommend)], parts.test, parts.train)
    for metric in ("r_precision", "ndcg", "clicks", "coverage", "novelty", "popularity_lift"):
        here, there = report.default[metric], board.rows[0].overall[metric]
        assert astuple(here) == pytest.approx(astuple(there)), metric


def test_the_popularity_dial_lifts_and_lowers(report):
    settings = (-1, -0.5, 0.5, 1)
    lifts = [change(report, "popularity", dial, "popularity_lift") for dial in settings]
    assert lifts == sorted(lifts)
    assert lifts[1] < -0.1 < 0.1 < lifts[2]
    # Within a style the scores are chance, so what is heard often is also the better guess.
    ndcg = [change(report, "popularity", dial, "ndcg") for dial in (-1, 1)]
    novelty = [change(report, "popularity", dial, "novelty") for dial in (-1, 1)]
    assert ndcg[0] < 0 < ndcg[1]
    assert novelty[1] < 0 < novelty[0]


def test_the_adventure_dial_leads_away_from_the_seeds(report):
    settings = (-1, -0.5, 0.5, 1)
    alike = [change(report, "adventure", dial, "similarity") for dial in settings]
    precision = [change(report, "adventure", dial, "r_precision") for dial in settings]
    assert alike[0] > alike[1] > alike[2] > alike[3]
    assert alike[0] > 0 > alike[3]
    assert precision[3] < -0.02


def test_a_setting_is_found_by_dial_and_value(report):
    assert report.row("adventure", 0.5).value == 0.5
    assert report.row("smooth", True).dial == "smooth"
    assert report.row("adventure", 0.0) is None
    assert report.row("loudness", 1) is None


def test_a_report_from_before_the_adventure_dial_is_read(report, tmp_path):
    path = tmp_path / "dials.json"
    replace(report, rows=[row for row in report.rows if row.dial != "adventure"]).save(path)
    older = DialReport.load(path)
    assert older.row("adventure", 1.0) is None
    assert older.row("popularity", 1.0) == report.row("popularity", 1.0)
    assert "adventure" not in render(older)


def test_the_artist_cap_makes_every_artist_another(report):
    (row,) = (row for row in report.rows if (row.dial, row.value) == ("per_artist", 1))
    assert row.figures["artists"].value == 20
    gains = [change(report, "per_artist", cap, "artists") for cap in (1, 2, 3)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] >= 0


def test_variety_costs_precision_and_brings_other_tracks(report):
    settings = (0.25, 0.5, 0.75)
    alike = [change(report, "variety", dial, "similarity") for dial in settings]
    precision = [change(report, "variety", dial, "r_precision") for dial in settings]
    assert 0 > alike[0] > alike[1] > alike[2]
    assert precision[2] < -0.02
    assert precision[2] < precision[1]


def test_smooth_lists_hold_the_same_tracks(report):
    assert change(report, "smooth", True, "step") < -0.02
    for metric in ("coverage", "novelty", "popularity_lift", "similarity", "artists"):
        assert change(report, "smooth", True, metric) == pytest.approx(0, abs=1e-12)


def test_candidates_are_asked_for_once(parts, scored, directions, monkeypatch):
    asked = []

    def counted(queries):
        asked.append(len(queries))
        return scored(queries)

    monkeypatch.setattr(dials_module, "BATCH", 25)
    monkeypatch.setattr(dials_module, "SETTINGS", (("variety", 0.5), ("smooth", True)))
    report = measure_dials(counted, parts.test, parts.train, directions)
    assert asked == [25, 15]
    whole = measure_dials(scored, parts.test, parts.train, directions)
    assert report == whole


def test_tracks_of_no_training_playlist_are_struck_out(parts, scored, directions, monkeypatch):
    monkeypatch.setattr(dials_module, "SETTINGS", (("per_artist", 1),))
    train = parts.train.select(np.array([0, 70]))
    assert 0 < (train.counts > 0).sum() < 50

    def known_only(queries):
        return [
            (tracks[train.counts[tracks] > 0], scores[train.counts[tracks] > 0])
            for tracks, scores in scored(queries)
        ]

    assert measure_dials(scored, parts.test, train, directions) == measure_dials(
        known_only, parts.test, train, directions
    )


def test_similarity_and_steps_are_of_what_is_known():
    ids = np.array([[7, 2, -1], [2, 5, -1]])
    rows = np.zeros((8, 2), np.float32)
    rows[[2, 7]] = [[1, 0], [0.6, 0.8]]
    alike = dials_module._similarity(ids, rows.__getitem__)
    np.testing.assert_allclose(alike, [0.6, np.nan], rtol=1e-6)
    assert np.isnan(dials_module._similarity(ids, None)).all()
    audio = np.full((4, 11), np.nan)
    audio[[0, 2, 3], 1] = [0.2, 0.5, 0.4]
    assert dials_module._mean_step(audio) == pytest.approx(0.2)
    assert np.isnan(dials_module._mean_step(audio[:2]))
    np.testing.assert_array_equal(
        dials_module._distinct(np.array([[3, 0, 3], [-1, 0, -1], [-1, -1, -1]])), [2, 1, 0]
    )


def test_the_report_comes_back_as_it_was_saved(report, tmp_path):
    path = tmp_path / "dials.json"
    report.save(path)
    assert DialReport.load(path) == report
    stored = json.loads(path.read_text())
    del stored["rows"][0]["difference"]["ndcg"]
    path.write_text(json.dumps(stored))
    with pytest.raises(SegueError, match="does not fit this version"):
        DialReport.load(path)


def test_the_text_is_narrow_and_names_every_setting_and_metric(report):
    text = render(report)
    assert max(map(len, text.splitlines())) <= 100
    for label in LABELS.values():
        assert label in text
    lines = [line.split() for line in text.splitlines()]
    assert sum(line[:2] == ["variety", "0.5"] for line in lines) == 2
    assert sum(line[:2] == ["smooth", "True"] for line in lines) == 2
