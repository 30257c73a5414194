"""Models beside peers over several splits: pooled figures, verdicts, records."""

import json
import shutil
from dataclasses import dataclass, replace
from itertools import count
from time import sleep
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.bench import contenders
from core.bench.app import AppReport, Served
from core.bench.contenders import Contender, our_contenders, peer_contenders
from core.bench.quality import _measured, quality
from core.bench.report import METRICS, render, verdict
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import System, measure
from core.evaluation.metrics import Figure, clustered_bootstrap
from core.ranking.ranker import RANKER
from core.recommender import FUSION
from core.retrieval import MODELS
from core.retrieval.popularity import Popularity
from tests.conftest import SMALL, in_this_process, style_of

HOLDOUT = 36
SEEDS = (0, 1)


class Blurred(Popularity):
    """Tracks of the first seed's style, blurred; counts how often it is fitted."""

    name = "blurred"
    label = "Blurred"
    fits: ClassVar[list[int]] = []

    @dataclass(frozen=True)
    class Params(Popularity.Params):
        noise: float = 0.0

    def _fit(self, dataset, seed, progress):
        self.fits.append(seed)
        super()._fit(dataset, seed, progress)

    def _restore(self, arrays, dataset):
        super()._restore(arrays, dataset)
        self._style = np.array(style_of(dataset, np.arange(dataset.n_tracks)))

    def _scores(self, queries):
        random = np.random.default_rng(0)
        scores = super()._scores(queries) / 1e4
        first = np.array([seeds[0] if len(seeds) else 0 for seeds in queries.seeds])
        scores += self._style[first][:, None] == self._style[None, :]
        return scores + self.params.noise * random.random(scores.shape, np.float32)


class Slow(Popularity):
    name = "slow"
    label = "Slow"

    def _fit(self, dataset, seed, progress):
        sleep(0.5)
        super()._fit(dataset, seed, progress)


class Uninstalled(Popularity):
    name = "uninstalled"

    def _fit(self, dataset, seed, progress):
        raise ModuleNotFoundError("No module named 'vinyl'")


def contender(model, name=None, *, family=None, peer=False, label=None, **params):
    name = name or model.name
    return Contender(name, label or model.label, model, model.Params(**params), family, peer)


GOOD = contender(Blurred, "good", label="Good", family="styles")
SAME = contender(Blurred, "same", label="Same", family="styles", peer=True)
POOR = contender(Blurred, "poor", label="Poor", family="styles", peer=True, noise=20.0)
FLOOR = contender(Popularity)


@pytest.fixture(scope="module", autouse=True)
def small_batch():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.bench.quality.BATCH", 40)
        yield


@pytest.fixture(scope="module")
def report(planted):
    return quality(planted, [FLOOR, GOOD], [POOR, SAME], HOLDOUT, SEEDS, isolated=False)


def row(report, name):
    return next(row for row in report.rows if row.name == name)


def test_figures_are_those_of_the_leaderboard_pooled_over_seeds(report, planted):
    pooled = []
    for seed in SEEDS:
        parts = split(planted, HOLDOUT, seed)
        model = Popularity().fit(parts.train)
        values = measure(System("a", "a", model.recommend), parts.test, parts.train).values
        for metric in METRICS:
            expected = pytest.approx(values[metric].mean())
            assert row(report, "popularity").by_seed[seed][metric] == expected
        pooled.append(np.stack([values[metric] for metric in METRICS]))
    for metric, expected in zip(METRICS, np.hstack(pooled).mean(axis=1), strict=True):
        figure = row(report, "popularity").overall[metric]
        assert figure.value == pytest.approx(expected)
        assert figure.low <= figure.value <= figure.high
    rows = [set(split(planted, HOLDOUT, seed).test.rows) for seed in SEEDS]
    assert report.playlists == len(rows[0] | rows[1]) < 2 * HOLDOUT


def test_differences_are_paired(report):
    by_peer = {one.peer: one for one in report.comparisons if one.model == "good"}
    assert set(by_peer) == {"poor", "same"}
    for metric in METRICS:
        figure = by_peer["same"].differences[metric]
        assert (figure.value, figure.low, figure.high) == (0, 0, 0)
        values = [row(report, name).overall[metric].value for name in ("good", "poor")]
        assert by_peer["poor"].differences[metric].value == pytest.approx(values[0] - values[1])
    assert all(one.same_family for one in by_peer.values())
    assert by_peer["poor"].differences["r_precision"].low > 0


def test_a_model_without_family_is_compared_with_the_best_peer_only(report):
    others = [one for one in report.comparisons if one.model == "popularity"]
    assert [(one.peer, one.same_family) for one in others] == [("same", False)]
    assert "Popularity has no peer of its family in this run." in report.verdicts


def test_verdicts_name_what_is_better_and_what_is_lost(report):
    assert any(
        said.startswith("Good is at least equal to its peer Poor: better in R-precision")
        for said in report.verdicts
    )
    assert (
        "Good is at least equal to its peer Same: no difference beyond the intervals."
        in report.verdicts
    )
    worse, better, equal = Figure(-0.1, -0.2, -0.05), Figure(0.1, 0.05, 0.2), Figure(0, -1, 1)
    mixed = {"r_precision": better, "ndcg": worse, "clicks": equal}
    assert verdict("A", "B", mixed) == "A loses to its peer B in NDCG, better in R-precision."
    fewer_clicks = {"r_precision": better, "ndcg": better, "clicks": worse}
    assert verdict("A", "B", fewer_clicks) == (
        "A is at least equal to its peer B: better in R-precision, NDCG and clicks."
    )
    more_clicks = {"r_precision": equal, "ndcg": worse, "clicks": better}
    assert verdict("A", "B", more_clicks) == "A loses to its peer B in NDCG and clicks."


def test_the_best_single_model_meets_the_best_peer_of_another_family(planted):
    stranger = replace(POOR, family="strangers")
    report = quality(planted, [GOOD], [SAME, stranger], HOLDOUT, (0,), isolated=False)
    (said,) = [line for line in report.verdicts if line.startswith("The best single model")]
    assert said.startswith(
        "The best single model, Good, is better than the best peer outside its family, Poor: "
        "R-precision +"
    )
    assert row(report, "good").overall["r_precision"].value > 0
    assert all(row.name != FUSION for row in report.rows)


def test_a_model_that_a_cheaper_one_beats_everywhere_is_not_worth_its_cost(planted, monkeypatch):
    monkeypatch.setattr("core.evaluation.verdict._SECONDS", 0.0)
    report = quality(planted, [contender(Slow), GOOD], [], HOLDOUT, SEEDS, isolated=False)
    (said,) = [line for line in report.verdicts if "not worth its cost" in line]
    assert said.startswith(
        "Slow alone is not worth its cost: Good is better in R-precision, NDCG and clicks, and "
        "cheaper ("
    )


def test_what_needs_more_than_a_laptop_has_is_named(planted, monkeypatch):
    def run():
        report = quality(planted, [FLOOR], [], HOLDOUT, (0,), isolated=False)
        return [said for said in report.verdicts if " needs " in said]

    assert run() == []
    monkeypatch.setattr("core.bench.report._PEAK_MB", 1)
    (said,) = run()
    assert said.startswith("Popularity needs ")
    assert said.endswith(" MB to fit: a model may need 300 s, 1 MB and 30 ms.")


def test_the_fusion_is_measured_with_the_sum_of_its_models_fits(report):
    fused = row(report, FUSION)
    ours = [row(report, name).fit_seconds for name in ("popularity", "good")]
    assert fused.fit_seconds == pytest.approx(sum(ours))
    assert fused.peak_mb is None
    assert not fused.peer


def test_what_is_recorded_is_not_fitted_again(planted, tmp_path):
    def run(models, peers, seeds=(0,)):
        Blurred.fits.clear()
        found = quality(planted, models, peers, HOLDOUT, seeds, records=tmp_path, isolated=False)
        return found, list(Blurred.fits)

    first, fits = run([FLOOR, GOOD], [POOR])
    assert fits == [0, 0]
    assert not any((tmp_path / "models").iterdir())
    again, fits = run([FLOOR, GOOD], [POOR])
    assert fits == []
    assert again.as_json() == first.as_json()
    assert run([FLOOR, GOOD], [POOR], (0, 1))[1] == [1, 1]
    louder = replace(POOR, params=Blurred.Params(noise=10.0))
    assert run([FLOOR, GOOD], [louder])[1] == [0]


def test_an_interrupted_run_goes_on_where_it_stopped(planted, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    Blurred.fits.clear()
    with monkeypatch.context() as patched:
        patched.setattr("core.bench.quality.Recommender", stop)
        with pytest.raises(KeyboardInterrupt):
            quality(planted, [FLOOR, GOOD], [], HOLDOUT, (0,), records=tmp_path, isolated=False)
    assert Blurred.fits == [0]
    report = quality(planted, [FLOOR, GOOD], [], HOLDOUT, (0,), records=tmp_path, isolated=False)
    assert Blurred.fits == [0]
    assert row(report, FUSION).overall["r_precision"].value > 0


def test_code_that_changes_during_a_run_is_not_recorded(planted, tmp_path, monkeypatch):
    versions = count()
    monkeypatch.setattr("core.bench.quality._code", lambda _: str(next(versions)))
    with pytest.raises(SegueError, match="The code of Popularity changed while others"):
        quality(planted, [FLOOR], [], HOLDOUT, (0,), records=tmp_path, isolated=False)
    assert not any(tmp_path.iterdir())


def test_a_peer_without_its_library_is_reported_and_left_out(planted):
    missing = contender(Uninstalled, label="Vinyl", peer=True)
    report = quality(planted, [GOOD], [missing, POOR], HOLDOUT, (0,), isolated=False)
    assert {row.name for row in report.rows} == {"good", "poor"}
    assert report.skipped["uninstalled"].startswith(
        "Vinyl was not measured, because its library is missing (No module named 'vinyl')"
    )
    assert report.skipped["uninstalled"] in " ".join(render(report).split())


def test_a_process_of_its_own_finds_the_same(planted, report):
    alone = quality(planted, [FLOOR], [], HOLDOUT, (0,))
    found = row(alone, "popularity")
    assert found.by_seed[0] == row(report, "popularity").by_seed[0]
    assert found.peak_mb > 10


def test_the_report_is_plain_json_and_fits_a_terminal(report, tmp_path):
    report.save(tmp_path / "quality.json")
    stored = json.loads((tmp_path / "quality.json").read_text())
    assert stored["rows"][0]["settings"] == {"noise": 0.0}
    assert stored["comparisons"][0]["differences"]["ndcg"]["low"] is not None
    text = render(report)
    assert max(map(len, text.splitlines())) <= 100
    for one in report.rows:
        assert f"{one.label} *" in text or not one.peer
    assert all(sentence in " ".join(text.split()) for sentence in report.verdicts)


def test_contenders_by_name(monkeypatch):
    assert [one.name for one in our_contenders("item_knn,popularity")] == ["popularity", "item_knn"]
    assert our_contenders("track2vec", "fast")[0].params.vector_size == 48
    assert our_contenders("item_knn")[0].family == "track neighbours"
    monkeypatch.setattr(contenders, "chosen_models", lambda _: list(MODELS))
    assert [one.name for one in our_contenders()] == list(MODELS)
    assert peer_contenders("none") == []
    assert [one.name for one in peer_contenders("same_title, implicit_als")] == [
        "same_title",
        "implicit_als",
    ]
    assert all(one.peer for one in peer_contenders())
    with pytest.raises(SegueError, match="There is no peer tape; there are"):
        peer_contenders("tape")


def test_whole_playlists_are_drawn():
    random = np.random.default_rng(0)
    values = random.random((80, 2))
    single = clustered_bootstrap(values, np.arange(80))
    np.testing.assert_allclose(single[0], values.mean(axis=0))
    assert (single[1] < single[0]).all()
    assert (single[0] < single[2]).all()
    # The same playlist twice is no more evidence than once.
    twice = clustered_bootstrap(np.repeat(values, 2, axis=0), np.repeat(np.arange(80), 2))
    np.testing.assert_allclose(twice, single)


def test_values_that_are_not_there_are_left_out():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    mean, low, high = clustered_bootstrap(values, np.array([4, 4, 9])).T[0]
    assert (mean, low, high) == (2, 2, 2)
    assert np.isnan(clustered_bootstrap(values, np.arange(3))[:, 1]).all()


@pytest.fixture
def bench(planted, tmp_path, monkeypatch):
    """The command line over a copy of the planted dataset, all in this process."""
    shutil.copytree(planted.folder, tmp_path / "planted")
    monkeypatch.setattr("core.bench.quality._alone", _measured)

    def call(*arguments):
        result = CliRunner().invoke(app, ["--workspace", str(tmp_path), "bench", *arguments])
        if result.exception:
            raise result.exception
        return result.stdout

    return call


def test_the_command_keeps_its_records_and_report_beside_the_models(bench, tmp_path):
    said = bench(
        "quality", "--dataset", "planted", "--holdout", str(HOLDOUT), "--seeds", "0, 1",
        "--models", "popularity,playlist_knn", "--peers", "same_title",
        "--json", str(tmp_path / "out.json"),
    )  # fmt: skip
    assert "planted: 36 held-out playlists a seed" in said
    assert "Same title *" in said
    written = json.loads((tmp_path / "out.json").read_text())
    folder = tmp_path / "planted" / "bench"
    assert json.loads((folder / "quality.json").read_text()) == written
    assert {row["name"] for row in written["rows"]} == {
        "popularity", "playlist_knn", "same_title", "fusion"
    }  # fmt: skip
    assert len(list((folder / "quality").glob("*.json"))) == 2 * 4


@pytest.mark.parametrize("text", ["", "0,x", "1,1", "-1", "0,,1"])
def test_seeds_that_are_none(bench, text):
    with pytest.raises(SegueError, match="are no seeds: give distinct whole numbers"):
        bench("quality", "--dataset", "planted", "--seeds", text)


def test_without_a_command_all_benchmarks_run_and_print_one_report(bench, report, monkeypatch):
    monkeypatch.setattr("core.bench.imports.import_benchmark", lambda *_, **__: {"ratio": 3.0})
    monkeypatch.setattr("core.bench.search.search_benchmark", lambda *_, **__: {"p95_ms": 1.0})
    monkeypatch.setattr("core.bench.quality.small_quality", lambda *_: report)
    served = Served(7, 70, 90, 95, 80, 1, 10, 20, 60, 5)
    monkeypatch.setattr(
        "core.bench.app.app_benchmark", lambda *_, **__: AppReport(served, served, 10, 2)
    )
    said = bench()
    assert said.index("ratio") < said.index("p95_ms") < said.index("Good is at least equal")
    assert set(json.loads(bench("--json"))) == {"import", "search", "quality", "app"}
    assert json.loads(bench("search", "--json")) == {"p95_ms": 1.0}
    assert "ratio" in bench("import")


def test_the_ranker_is_measured_and_what_each_part_of_it_brings(planted):
    models = our_contenders("popularity,playlist_knn,item_knn", "fast")
    with in_this_process():
        report = quality(
            planted, models, [], HOLDOUT, (0,), isolated=False, ranker=SMALL, ablations=True
        )
    rows = {row.name: row for row in report.rows}
    assert rows.keys() == {"popularity", "playlist_knn", "item_knn", FUSION, RANKER}
    assert rows[RANKER].fit_seconds > rows[FUSION].fit_seconds
    single = max((one.name for one in models), key=lambda n: rows[n].overall["r_precision"].value)
    assert [lead.against for lead in report.leads] == [single, FUSION]
    gap = rows[RANKER].overall["ndcg"].value - rows[FUSION].overall["ndcg"].value
    assert report.leads[1].differences["ndcg"].value == pytest.approx(gap)
    parts = {(one.part, one.covered): one.playlists for one in report.ablations}
    # Four of five planted tracks have audio features, so most playlists are well covered.
    assert parts.pop(("audio", True)) > HOLDOUT / 2
    assert parts == dict.fromkeys(
        [
            (part, False)
            for part in (*(one.name for one in models), "audio", "the ranking objective")
        ],
        HOLDOUT,
    )
    assert "without item_knn" in render(report)
