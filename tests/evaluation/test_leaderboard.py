"""Systems side by side on one challenge."""

import dataclasses
import json
import time

import numpy as np
import pytest

from core.errors import SegueError
from core.evaluation import metrics
from core.evaluation.challenge import complete, split
from core.evaluation.leaderboard import LABELS, Leaderboard, System, evaluate, render
from core.progress import Progress
from core.retrieval.base import Recommendations


def answers(lists, k, scores=None):
    """Recommendations of ragged lists, scored by place unless told."""
    ids = np.full((len(lists), k), -1, np.int32)
    values = np.full((len(lists), k), -np.inf, np.float32)
    for row, tracks in enumerate(lists):
        ids[row, : len(tracks)] = tracks[:k]
        values[row, : len(tracks)] = -np.arange(len(tracks[:k])) if scores is None else scores
    return Recommendations(ids, values)


@pytest.fixture(scope="module")
def parts(make_dataset):
    """80 playlists of 110 of 700 tracks, 20 of them held out; the others hold every track."""
    random = np.random.default_rng(0)
    playlists = [[f"{t:03}" for t in random.choice(700, 110, replace=False)] for _ in range(80)]
    return split(make_dataset(playlists, [f"t {i}" for i in range(80)], name="random"), 20)


@pytest.fixture(scope="module")
def systems(parts):
    """One that knows the answer, one that says nothing, one that lists tracks by id."""
    truth = {
        (title, tuple(seeds)): hidden
        for title, seeds, hidden in zip(
            parts.test.queries.titles, parts.test.queries.seeds, parts.test.hidden, strict=True
        )
    }

    def oracle(queries, k):
        keys = zip(queries.titles, map(tuple, queries.seeds), strict=True)
        return answers([truth[key] for key in keys], k)

    def silent(queries, k):
        return answers([[]] * len(queries), k)

    def by_id(queries, k):
        every = np.arange(parts.train.n_tracks)
        return answers([np.setdiff1d(every, seeds) for seeds in queries.seeds], k)

    return [
        System("silent", "Says nothing", silent),
        System(
            "oracle",
            "Knows the answer",
            oracle,
            fit_seconds=1.5,
            peak_bytes=3_000_000,
            retrieves=True,
        ),
        System("by_id", "Lists tracks by their id", by_id, retrieves=True, reads_titles=True),
    ]


@pytest.fixture(scope="module")
def leaderboard(parts, systems):
    return evaluate(systems, parts.test, parts.train)


def test_known_systems_have_known_figures(leaderboard):
    assert leaderboard.rows[0].name == "oracle"
    assert leaderboard.training_playlists == 60
    assert set(leaderboard.playlists.values()) == {2}
    figures = leaderboard.rows[0].overall
    assert set(figures) == set(LABELS)
    for name in ("r_precision", "track_r_precision", "ndcg", "hit@10", "recall@200", "recall@1000"):
        assert (figures[name].value, figures[name].low, figures[name].high) == (1, 1, 1)
    assert figures["clicks"].value == 0
    assert (leaderboard.rows[0].fit_seconds, leaderboard.rows[0].peak_bytes) == (1.5, 3_000_000)
    assert leaderboard.rows[0].milliseconds >= 0


def test_short_lists_are_completed_by_popularity_but_not_for_candidate_recall(leaderboard, parts):
    row = next(row for row in leaderboard.rows if row.name == "silent")
    empty = np.empty((len(parts.test), 0), np.int32)
    full = complete(empty, parts.test.queries, parts.train.by_popularity)
    judged = metrics.judge(full, parts.test.hidden)
    assert row.overall["r_precision"].value == pytest.approx(
        metrics.r_precision(judged, parts.train.artist).mean()
    )
    assert row.overall["hit@500"].value > 0
    assert row.overall["recall@1000"].value == 0


def test_tracks_that_only_held_out_playlists_hold_are_struck_out(make_dataset):
    playlists = [[f"{row}-{track}" for track in range(4)] + ["common"] for row in range(4)]
    parts = split(make_dataset(playlists, ["t"] * 4, name="unheard"), 1)
    unheard = np.flatnonzero(parts.train.counts == 0)
    assert len(unheard)

    def recommend(queries, k):
        common = int(parts.train.by_popularity[0])
        every = [np.setdiff1d([*unheard, common], seeds) for seeds in queries.seeds]
        return answers(every, k)

    row = evaluate([System("knows", "Knows", recommend)], parts.test, parts.train).rows[0]
    shown = parts.test.queries.seeds[0]
    hidden = parts.test.hidden[0]
    found = np.isin(hidden, np.setdiff1d(parts.train.by_popularity[:1], shown))
    assert row.overall["recall@1000"].value == pytest.approx(found.mean())


def test_overall_is_the_mean_over_playlists(leaderboard):
    for row in leaderboard.rows:
        for name in ("r_precision", "ndcg", "clicks", "recall@500", "novelty"):
            parts = [figures[name].value for figures in row.by_category.values()]
            assert row.overall[name].value == pytest.approx(np.mean(parts))


def test_intervals_hold_values_and_the_best_differs_from_itself_by_nothing(leaderboard):
    best, *others = leaderboard.rows
    assert all(
        figure.value == figure.low == figure.high == 0 for figure in best.against_best.values()
    )
    for row in others:
        for name, figure in row.against_best.items():
            expected = row.overall[name].value - best.overall[name].value
            assert figure.value == pytest.approx(expected)
            assert figure.low <= figure.value <= figure.high
            assert row.overall[name].low <= row.overall[name].value <= row.overall[name].high
        assert row.against_best["r_precision"].high < 0


def test_every_two_systems_are_compared_on_the_same_playlists(leaderboard):
    rows = {row.name: row for row in leaderboard.rows}
    for name, row in rows.items():
        assert row.against.keys() == rows.keys() - {name}
        for other, figure in row.against.items():
            lead = row.overall["r_precision"].value - rows[other].overall["r_precision"].value
            assert figure.value == pytest.approx(lead)
            back = rows[other].against[name]
            assert (back.low, back.high) == pytest.approx((-figure.high, -figure.low))


def test_those_that_retrieve_are_united(leaderboard, parts):
    union = leaderboard.union
    assert union.models == ["oracle", "by_id"]
    assert union.by_category.keys() == leaderboard.playlists.keys()
    assert union.overall.together["recall@200"].value == 1
    # Whatever one lists, the oracle lists too; 500 of 700 tracks by id hold most of the truth.
    added = {name: union.overall.added[name]["recall@500"].value for name in union.models}
    assert added["by_id"] == 0
    rows = {row.name: row for row in leaderboard.rows}
    missed = 1 - rows["by_id"].overall["recall@500"].value
    assert added["oracle"] == pytest.approx(missed)
    assert rows["by_id"].reads_titles
    assert not rows["silent"].retrieves


def test_a_single_retriever_has_no_union(parts, systems):
    board = evaluate(systems[:2], parts.test, parts.train)
    assert board.union is None
    assert "Candidates of all" not in render(board)


def test_a_query_is_timed_alone_and_in_batches(parts):
    asked = []

    def slow(queries, k):
        asked.append((len(queries), k))
        time.sleep(0.002)
        return answers([[]] * len(queries), k)

    (row,) = evaluate([System("slow", "Slow", slow)], parts.test, parts.train).rows
    assert row.milliseconds_alone >= 2
    assert row.milliseconds < row.milliseconds_alone
    assert {k for _, k in asked} == {1000}
    assert [count for count, _ in asked].count(1) == 1 + len(parts.test)


def test_equal_scores_are_ordered_by_training_popularity_not_by_id(parts):
    def all_equal(queries, k):
        every = np.arange(parts.train.n_tracks)
        lists = [np.setdiff1d(every, seeds)[:k] for seeds in queries.seeds]
        return answers(lists, k, scores=0)

    def silent(queries, k):
        return answers([[]] * len(queries), k)

    found = evaluate(
        [System("equal", "Equal", all_equal), System("silent", "Silent", silent)],
        parts.test,
        parts.train,
    )
    equal, silent_row = found.rows
    # 700 tracks, all listed: put in order of popularity they are the completed empty list.
    for name in ("r_precision", "ndcg", "clicks", "coverage"):
        assert equal.overall[name] == silent_row.overall[name]


def test_saved_leaderboard_comes_back(leaderboard, tmp_path):
    path = tmp_path / "leaderboard.json"
    leaderboard.save(path)
    assert Leaderboard.load(path) == leaderboard
    alone = dataclasses.replace(leaderboard, union=None)
    alone.save(path)
    assert Leaderboard.load(path) == alone


def test_a_file_of_before_the_union_gets_the_same_sentence(leaderboard, tmp_path):
    path = tmp_path / "leaderboard.json"
    stored = leaderboard.as_json()
    del stored["union"]
    path.write_text(json.dumps(stored), "utf-8")
    with pytest.raises(SegueError, match="evaluate again"):
        Leaderboard.load(path)
    stored = leaderboard.as_json()
    del stored["rows"][0]["against"]
    path.write_text(json.dumps(stored), "utf-8")
    with pytest.raises(SegueError, match="evaluate again"):
        Leaderboard.load(path)


def test_foreign_and_missing_files_get_one_sentence(tmp_path):
    path = tmp_path / "leaderboard.json"
    for content in ("{}", "[]", '{"rows": [{}]}', '{"rows": 3}'):
        path.write_text(content, "utf-8")
        with pytest.raises(SegueError, match="evaluate again"):
            Leaderboard.load(path)
    with pytest.raises(SegueError, match="cannot be read"):
        Leaderboard.load(tmp_path / "none.json")


def test_rendered_tables_fit_100_columns_and_show_the_figures(leaderboard):
    text = render(leaderboard)
    assert max(map(len, text.splitlines())) <= 100
    assert "Lists tracks by their…" in text
    first = text.splitlines()[2]
    assert first.startswith("Knows the answer")
    assert "1.000 [1.000, 1.000]" in first
    assert "0.00 [0.00, 0.00]" in first
    assert "t+r100" in text
    assert "Candidates of all 2 models together" in text
    union = next(line for line in text.splitlines() if line.startswith("union"))
    assert union.count("1.000 [1.000, 1.000]") == 3
    assert "–" in text  # fit seconds of a system that has none


def test_one_system_alone_has_no_table_of_differences(parts, systems):
    text = render(evaluate(systems[:1], parts.test, parts.train))
    assert "Paired" not in text


def test_progress_names_systems_and_ends_at_one(parts, systems):
    steps = []

    class Recorder(Progress):
        def update(self, label, fraction=None):
            steps.append((label, fraction))

    evaluate(systems, parts.test, parts.train, Recorder())
    labels, fractions = zip(*steps, strict=True)
    assert labels[0].startswith("Says nothing")
    assert fractions[-1] == pytest.approx(1)
    assert list(fractions) == sorted(fractions)


@pytest.mark.parametrize(
    ("tracks", "sentence"),
    [
        (lambda seeds, n: [min({*range(n)} - {*seeds})] * 2, "twice"),
        (lambda seeds, n: seeds[:1], "recommends a seed"),
        (lambda seeds, n: [n], "tracks of the dataset"),
    ],
)
def test_lists_that_break_the_contract_are_refused(parts, tracks, sentence):
    def wrong(queries, k):
        return answers([tracks(seeds.tolist(), parts.train.n_tracks) for seeds in queries.seeds], k)

    with pytest.raises(ValueError, match=sentence):
        evaluate([System("wrong", "Wrong", wrong)], parts.test, parts.train)
