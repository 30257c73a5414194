"""What a leaderboard says in words."""

import csv
import io

import pytest

from core.evaluation.candidates import DEPTHS, Pool, Union, recall_at, size_at
from core.evaluation.export import to_csv
from core.evaluation.leaderboard import LABELS, Leaderboard, Row
from core.evaluation.metrics import Figure
from core.evaluation.verdict import headline, in_words, losses, summed_up

NOISE = 0.01


def near(value):
    return Figure(value, value - NOISE, value + NOISE)


def board(systems, added=None, leads=None):
    """A leaderboard of (name, R-precision, fit seconds); models with what they add alone."""
    systems = sorted(systems, key=lambda system: -system[1])
    precision = {name: value for name, value, _ in systems}
    rows = [
        Row(
            name=name,
            label=name.title(),
            overall=dict.fromkeys(LABELS, near(value)),
            by_category={
                "first 5": dict.fromkeys(LABELS, near(value)),
                "title only": dict.fromkeys(LABELS, near((leads or {}).get(name, 0.0))),
            },
            against_best=dict.fromkeys(LABELS, near(value - systems[0][1])),
            against={other: near(value - precision[other]) for other in precision if other != name},
            milliseconds=0.0,
            milliseconds_alone=1.0,
            fit_seconds=seconds,
            peak_bytes=None,
            retrieves=name in (added or {}),
            reads_titles=False,
        )
        for name, value, seconds in systems
    ]
    together = {key(depth): near(0.5) for key in (recall_at, size_at) for depth in DEPTHS}
    pool = Pool(
        together,
        {
            name: {recall_at(depth): near(value) for depth in DEPTHS}
            for name, value in (added or {}).items()
        },
    )
    union = Union(list(added), pool, {"first 5": pool}) if added else None
    return Leaderboard("open", 100, {"first 5": 10, "title only": 10}, rows, union)


def test_the_best_and_what_it_beats():
    said = headline(board([("a", 0.3, 1.0), ("b", 0.2, 1.0), ("c", 0.1, 1.0)]))
    assert said == [
        "A is best: R-precision 0.300 [0.290, 0.310].",
        "It beats every other system; the nearest is B, 0.100 [0.090, 0.110] behind on the same "
        "playlists.",
    ]


def test_systems_that_cannot_be_told_apart():
    said = headline(board([("a", 0.3, 1.0), ("b", 0.295, 1.0), ("c", 0.1, 1.0)]))
    assert said[0].endswith("cannot tell it from B.")
    assert "C, 0.200" in said[1]


def test_the_best_single_model_where_a_blend_wins():
    said = headline(board([("blend", 0.3, 9.0), ("a", 0.2, 1.0)], added={"a": 0.1}))
    assert said[-1] == "The best single model is A, 0.200 [0.190, 0.210]."


def test_one_system_alone():
    assert len(headline(board([("a", 0.3, 1.0)]))) == 1


def test_losing_to_the_best_of_those_that_cost_less():
    found = losses(board([("a", 0.3, 9.0), ("b", 0.2, 2.0), ("c", 0.15, 1.0), ("d", 0.1, 30.0)]))
    assert [(loss.loser.name, loss.winner.name) for loss in found] == [("d", "a")]
    assert in_words(found[0]) == (
        "D is 0.200 [0.190, 0.210] below A and costs more: 30 s against 9.0 s to fit and to "
        "answer 1,000 queries."
    )


def test_losses_in_one_sentence():
    systems = [("a", 0.3, 1.0), ("b", 0.2, 9.0), ("c", 0.1, 9.0)]
    assert summed_up(losses(board(systems[:2]))) == "B loses to a cheaper system."
    assert summed_up(losses(board(systems))) == "B and C lose to a cheaper system."


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0.295, 90.0), (0.1, 9.5), (0.1, None), (0.1, 11.0)],
    ids=["equal", "as cheap", "unknown", "hardly dearer"],
)
def test_no_loss_within_the_interval_or_at_about_the_same_cost(value, seconds):
    assert losses(board([("a", 0.3, 9.0), ("b", value, seconds)])) == []


def test_a_second_of_fit_is_nothing():
    assert losses(board([("a", 0.3, 0.1), ("b", 0.1, 0.9)])) == []


def test_merits_of_a_loser_are_said():
    (loss,) = losses(
        board(
            [("a", 0.3, 1.0), ("b", 0.1, 30.0)],
            added={"a": 0.005, "b": 0.042},
            leads={"b": 0.2},
        )
    )
    assert in_words(loss).endswith(
        "Yet it is the best for title only and alone finds 4.2 % of the hidden tracks."
    )
    (loss,) = losses(board([("a", 0.3, 1.0), ("b", 0.1, 30.0)], added={"a": 0.1, "b": 0.005}))
    assert "Yet" not in in_words(loss)


def test_a_csv_holds_every_figure_and_runs_no_formula():
    some = board([("=a", 0.3, 9.0), ("b", 0.2, 2.0)], added={"=a": 0.1, "b": 0.05})
    lines = list(csv.DictReader(io.StringIO(to_csv(some))))
    assert {line["system"] for line in lines} == {"'=a", "b", "union"}

    def value(system, playlists, measure):
        (line,) = [
            line
            for line in lines
            if (line["system"], line["playlists"], line["measure"]) == (system, playlists, measure)
        ]
        return float(line["value"])

    assert value("b", "first 5", "ndcg") == 0.2
    assert value("b", "all", "behind_best:r_precision") == pytest.approx(-0.1)
    assert value("b", "first 5", "alone:recall@200") == 0.05
    assert value("'=a", "all", "fit_seconds") == 9
    assert value("union", "all", "recall@1000") == 0.5
