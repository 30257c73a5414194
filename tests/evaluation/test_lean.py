import numpy as np
import pytest

from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.lean import LEVELS, SETTINGS, LeanReport, lean_lists, lean_report, spread


def measure_lean(models, challenge, train):
    scored = {name: answer for name, (_, answer) in models.items()}
    labels = {name: label for name, (label, _) in models.items()}
    return lean_report(labels, lean_lists(scored, challenge, train), challenge, train)


@pytest.fixture(scope="module")
def parts(planted):
    return split(planted, 20, seed=0)


def popular_first(train):
    """A model that proposes every track there is, the popular ones first."""

    def scored(queries):
        tracks = train.by_popularity.astype(np.int32)
        return [(tracks, np.arange(len(tracks), 0, -1.0))] * len(queries)

    return scored


def test_a_spread_is_the_quantiles_of_playlist_counts():
    assert spread(np.arange(101)) == pytest.approx([100 * level for level in LEVELS])
    assert spread(np.array([], int)) == (0.0,) * len(LEVELS)


def test_training_is_weighted_by_entries_and_hidden_by_what_is_hidden(parts):
    report = measure_lean({}, parts.test, parts.train)
    counts = parts.train.counts
    assert report.training == pytest.approx(np.quantile(np.repeat(counts, counts), LEVELS).tolist())
    assert report.hidden == pytest.approx(
        np.quantile(np.concatenate([counts[ids] for ids in parts.test.hidden]), LEVELS).tolist()
    )
    assert report.playlists == len(parts.test)


def test_a_model_of_the_most_popular_tracks_is_more_popular_than_what_was_hidden(parts):
    models = {"top": ("Top", popular_first(parts.train))}
    report = measure_lean(models, parts.test, parts.train)
    as_scored = report.models[0].spreads[SETTINGS.index(0.0)]
    assert as_scored[-1] <= parts.train.counts.max()
    assert all(np.greater(as_scored, report.hidden))


def test_the_dial_leads_from_deep_cuts_to_hits(parts):
    models = {"any": ("Any", popular_first(parts.train))}
    (model,) = measure_lean(models, parts.test, parts.train).models
    medians = [spreads[LEVELS.index(0.5)] for spreads in model.spreads]
    assert medians == sorted(medians)
    assert medians[0] < medians[-1]


def test_a_report_survives_its_file(parts, tmp_path):
    models = {"top": ("Top", popular_first(parts.train))}
    report = measure_lean(models, parts.test, parts.train)
    report.save(tmp_path / "lean.json")
    again = LeanReport.load(tmp_path / "lean.json")
    assert again.models[0].label == "Top"
    assert again.models[0].spreads == [list(one) for one in report.models[0].spreads]
    (tmp_path / "lean.json").write_text('{"models": 3}')
    with pytest.raises(SegueError, match="evaluate again"):
        LeanReport.load(tmp_path / "lean.json")
