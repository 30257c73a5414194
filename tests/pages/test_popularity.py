"""The popularity page."""

import json
import os
import shutil

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.dataset.library import simulate_dataset
from core.evaluation.lean import LEVELS, SETTINGS, Lean, LeanReport
from core.evaluation.metrics import gini_coefficient
from core.explore.goodness import goodness
from core.explore.power_law import PowerLawFit, fit_power_law
from core.workspace import Workspace
from tests.pages.conftest import link, texts

TINY = "Too few to fit"


@pytest.fixture(scope="module")
def spread(tmp_path_factory) -> Dataset:
    """Enough tracks for a tail."""
    folder = tmp_path_factory.mktemp("spread")
    simulate_dataset(Workspace(folder), "spread", playlists=150, tracks=800)
    return Dataset(folder / "spread")


@pytest.fixture
def with_spread(workspace, spread):
    shutil.copytree(spread.folder, workspace / "spread")
    return workspace / "spread"


def charts(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def legend(at):
    return [trace.get("name") for chart in charts(at) for trace in chart["data"]]


def metrics(at):
    return {metric.label: (metric.value, metric.delta) for metric in at.metric}


def test_seeds_and_continuation_are_marked(open_page):
    at = open_page("popularity", seed=["t:1-00"])
    assert legend(at).count("Seeds") == legend(at).count("Continuation") == 2
    assert "are marked on the curves" not in texts(at)


def test_without_a_playlist_it_says_how_to_mark(open_page):
    at = open_page("popularity")
    assert "Start a playlist, and its tracks are marked" in texts(at)
    assert "Seeds" not in legend(at)


def test_the_link_opens_artists_and_marks_each_once(open_page):
    # Tracks 00 and 06 of style 1 are by one artist.
    seeds = ["t:1-00", "t:1-06", "t:2-01"]
    at = open_page("popularity", seed=seeds, **{"popularity.of": "artist"})
    marked = [t for t in charts(at)[0]["data"] if t.get("name") == "Seeds"]
    said = sorted(text.split("<br>")[0] for text in marked[0]["customdata"])
    assert said == ["artist 1-0", "artist 2-1"]
    assert "An artist has one entry in a playlist" in texts(at)
    assert "most popular artist" in charts(at)[0]["layout"]["xaxis"]["title"]["text"]


def test_the_switch_writes_the_link(open_page):
    at = open_page("popularity")
    control = next(group for group in at.get("button_group") if "popularity" in group.proto.id)
    control.set_value("artist").run()
    assert not at.exception
    assert link(at)["popularity.of"] == ["artist"]


def test_a_word_that_is_no_choice_is_named(open_page):
    at = open_page("popularity", **{"popularity.of": "albums"})
    assert "popularity\\.of=albums, which is no choice" in texts(at)
    assert "All tracks" in legend(at)


def test_too_little_to_fit_is_no_error(open_page):
    at = open_page("popularity", dataset="signs")
    assert TINY in texts(at)
    assert metrics(at)["A power law?"][0] == "No fit"
    assert metrics(at)["Gini coefficient"][0] == "0.00"
    assert len(charts(at)) == 4


@pytest.mark.parametrize("kind", ["track", "artist"])
def test_the_figures_are_those_of_core(open_page, with_spread, spread, kind):
    counts = spread.counts
    if kind == "artist":
        pairs = {
            (row, int(artist))
            for row in range(spread.n_playlists)
            for artist in spread.artist[spread.playlists[row]]
        }
        counts = np.bincount([artist for _, artist in pairs], minlength=len(spread.artists))
    fit = fit_power_law(counts)
    at = open_page("popularity", dataset="spread", **{"popularity.of": kind})
    shown = metrics(at)
    assert shown["Gini coefficient"][0] == f"{gini_coefficient(counts):.2f}"
    if not isinstance(fit, PowerLawFit):
        assert fit.reason in texts(at).replace("\\", "")
        return
    good = goodness(counts, fit, 100)
    assert shown["Exponent of the tail"] == (
        f"{fit.exponent:.2f}",
        f"95 %: {good.low:.2f} to {good.high:.2f}",
    )
    answer, p_value = shown["A power law?"]
    assert answer == ("Possible" if good.plausible else "Ruled out")
    assert p_value == ("p < 0.01" if good.p_value == 0 else f"p = {good.p_value:.2f}")
    (table,) = at.table
    assert list(table.value["Compared with"]) == [
        "Exponential",
        "Lognormal",
        "Truncated power law",
    ]


def test_samples_of_the_link_are_drawn(open_page, with_spread):
    at = open_page("popularity", dataset="spread", **{"popularity.samples": "400"})
    assert "Of 400 samples drawn from the fitted law" in texts(at)
    assert link(at)["popularity.samples"] == ["400"]


def test_what_models_recommend_is_drawn_or_the_command_given(open_page, workspace):
    at = open_page("popularity")
    assert "not measured on “planted” yet" in texts(at).replace("\\", "")
    assert [code.value for code in at.code] == ["python -m core evaluate --dataset planted"]
    rows = np.outer([2, 4, 8, 16, 32], [0.25, 0.5, 1, 2, 4])
    models = [
        Lean("popularity", "Popular *ones*", rows.tolist()),
        Lean("als", "Factors", (rows / 2).tolist()),
    ]
    report = LeanReport("planted", 1_234, (1, 2, 6, 8, 9), (1, 2, 5, 8, 9), models)
    report.save(workspace / "planted" / "lean.json")
    os.utime(workspace / "planted" / "manifest.json", ns=(1, 1))  # a new version of the dataset
    at = open_page("popularity")
    said = texts(at)
    assert "Half of what listeners put into playlists is in 6 or more" in said
    assert "half of what Popular \\*ones\\* recommends is in 8 or more, of Factors in 4" in said
    assert "1,234 held-out playlists" in said
    assert legend(at).count("Recommended tracks") == 2 * 2  # wide and phone
    figures = at.dataframe[-1].value
    assert figures.shape == (2, 1 + len(SETTINGS))
    assert figures.iloc[0, 1:].tolist() == rows[::-1, LEVELS.index(0.5)].tolist()


def test_a_report_of_another_version_is_one_sentence(open_page, workspace):
    (workspace / "planted" / "lean.json").write_text('{"models": []}')
    at = open_page("popularity")
    assert "measured by another version of Segue" in texts(at)
