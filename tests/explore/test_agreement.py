"""Rankings that agree, that disagree, and one of both."""

from itertools import permutations

import numpy as np
import pytest

from core.explore.agreement import (
    Merged,
    jaccard,
    matrix,
    merge,
    rank_biased_overlap,
)
from core.explore.figures import matrix_figure, places_figure


def ids(*tracks):
    return np.array(tracks, np.int32)


RANDOM = np.random.default_rng(0)
PAIRS = [(RANDOM.permutation(40)[:k], RANDOM.permutation(40)[:k]) for k in (1, 2, 7, 20, 40)]


# --- rank-biased overlap ---


@pytest.mark.parametrize("persistence", [0.1, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("k", [1, 2, 10, 100])
def test_the_same_ranking_overlaps_wholly_and_a_disjoint_one_not_at_all(k, persistence):
    one = np.arange(k)
    assert rank_biased_overlap(one, one, persistence) == pytest.approx(1)
    assert rank_biased_overlap(one, one + k, persistence) == 0


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_overlap_is_symmetric_and_between_nothing_and_all(one, other):
    for persistence in (0.5, 0.9):
        value = rank_biased_overlap(one, other, persistence)
        assert value == pytest.approx(rank_biased_overlap(other, one, persistence))
        assert 0 <= value <= 1


def test_overlap_by_hand():
    """<a b c d e f g> and <z c a v w x y> agree at 0, 0, 2/3, 2/4, 2/5, 2/6 and 2/7 of a depth."""
    one, other = ids(0, 1, 2, 3, 4, 5, 6), ids(25, 2, 0, 21, 22, 23, 24)
    agreed = [0, 0, 2 / 3, 2 / 4, 2 / 5, 2 / 6, 2 / 7]
    for p in (0.5, 0.9):
        seen = (1 - p) * sum(p ** (d - 1) * a for d, a in enumerate(agreed, 1))
        assert rank_biased_overlap(one, other, p) == pytest.approx(seen + p**7 * 2 / 7)


def test_overlap_of_two_swapped_tracks():
    p = 0.9
    assert rank_biased_overlap(ids(1, 2), ids(2, 1), p) == pytest.approx(p)
    assert rank_biased_overlap(ids(1, 2, 3), ids(1, 3, 2), p) == pytest.approx(1 - (1 - p) * p / 2)


def test_the_first_ten_places_carry_86_percent_of_the_weight():
    """As the paper says of p = 0.9: what agrees on ten places, and below on nothing, scores it."""
    k = 5_000
    one, other = np.arange(k), np.concatenate([np.arange(10), np.arange(k, 2 * k - 10)])
    assert rank_biased_overlap(one, other, 0.9) == pytest.approx(0.8556, abs=5e-4)


def test_what_lies_below_is_taken_to_agree_as_what_is_seen():
    """The extrapolation: a pair that goes on as it was keeps its value at every depth."""
    tens = np.arange(0, 2_000, 10)
    one = (tens[:, None] + [0, 1]).ravel()
    other = (tens[:, None] + [0, 2]).ravel()
    deep = rank_biased_overlap(one, other, 0.9)
    assert rank_biased_overlap(one[:60], other[:60], 0.9) == pytest.approx(deep, abs=1e-3)
    assert rank_biased_overlap(one[:2], other[:2], 0.9) == pytest.approx(
        0.1 + 0.1 * 0.9 / 2 + 0.81 / 2
    )


def test_an_early_agreement_counts_for_more_than_a_late_one():
    base = np.arange(10)
    early = np.where(base < 3, base, base + 100)
    late = np.where(base >= 7, base, base + 100)
    assert rank_biased_overlap(base, early) > rank_biased_overlap(base, late) > 0
    assert jaccard(base, early) == jaccard(base, late)


def test_what_cannot_be_compared():
    assert np.isnan(rank_biased_overlap(ids(), ids()))
    with pytest.raises(ValueError, match="3 and 2"):
        rank_biased_overlap(ids(1, 2, 3), ids(1, 2))
    for persistence in (0, 1):
        with pytest.raises(ValueError, match="persistence"):
            rank_biased_overlap(ids(1), ids(1), persistence)


# --- Jaccard ---


def test_jaccard():
    assert jaccard(ids(1, 2, 3), ids(3, 1, 2)) == 1
    assert jaccard(ids(1, 2), ids(3, 4)) == 0
    assert jaccard(ids(1, 2, 3), ids(3, 4)) == pytest.approx(1 / 4)
    assert np.isnan(jaccard(ids(), ids()))


def test_a_matrix_of_every_two():
    rankings = [ids(1, 2), ids(2, 3), ids(1, 2)]
    third = 1 / 3
    assert matrix(rankings, jaccard) == pytest.approx(
        np.array([[1, third, 1], [third, 1, third], [1, third, 1]])
    )


# --- merged ---


def test_merged_by_reciprocal_ranks():
    merged = merge([ids(10, 11, 12), ids(12, 10, 13)])
    assert merged.tracks.tolist() == [10, 12, 11, 13]
    assert merged.places.tolist() == [[1, 2], [3, 1], [2, 0], [0, 3]]
    assert merged.found_by.tolist() == [2, 2, 1, 1]
    assert merged.scores == pytest.approx([1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62, 1 / 63])


def test_equal_scores_are_told_apart_by_the_first_ranking():
    assert merge([ids(8, 9), ids(4, 5)]).tracks.tolist() == [8, 4, 9, 5]
    assert merge([ids(4, 5), ids(8, 9)]).tracks.tolist() == [4, 8, 5, 9]


def test_what_only_one_ranking_holds_in_its_order():
    merged = merge([ids(5, 1, 9, 2), ids(1, 7), ids(2, 8, 7)])
    assert [merged.tracks[merged.only_in(at)].tolist() for at in range(3)] == [[5, 9], [], [8]]


def test_merging_does_not_depend_on_the_order_of_the_rankings_where_scores_differ():
    rankings = [RANDOM.permutation(30)[:12] for _ in range(3)]
    merged = merge(rankings)
    assert (np.diff(merged.scores) <= 0).all()
    for order in permutations(range(3)):
        again = merge([rankings[at] for at in order])
        assert dict(zip(again.tracks.tolist(), again.scores, strict=True)) == pytest.approx(
            dict(zip(merged.tracks.tolist(), merged.scores, strict=True))
        )


def test_nothing_merged():
    merged = merge([ids(), ids()])
    assert len(merged.tracks) == 0
    assert merged.only_in(0).tolist() == []


# --- figures ---


def three() -> Merged:
    return merge([ids(1, 2, 3), ids(2, 1, 4), ids(1, 5, 3)])


NAMES = ["<b>One</b>", "Two", "Three", "Four", "Five"]


@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_places_are_drawn_once_each_and_joined(phone, dark):
    merged = three()
    names = [NAMES[track - 1] for track in merged.tracks]
    figure = places_figure(merged, ["A", "B", "C"], names, phone=phone, dark=dark)
    lines, (marks, *named) = figure.data[:4], figure.data[4:]
    drawn = set(zip(marks.x, marks.y, strict=True))
    assert drawn == {(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)}

    def joins(dash):
        return {
            ((trace.x[at], trace.y[at]), (trace.x[at + 1], trace.y[at + 1]))
            for trace in lines
            if trace.line.dash == dash
            for at in range(0, len(trace.x), 3)
        }

    # track 1 is in all, 2 in the first two, 3 passes the second
    assert joins("solid") == {((0, 1), (1, 2)), ((1, 2), (2, 1)), ((0, 2), (1, 1))}
    assert joins("dot") == {((0, 3), (2, 3))}
    hollow = {
        (x, y)
        for x, y, symbol in zip(marks.x, marks.y, marks.marker.symbol, strict=True)
        if symbol == "diamond-open"
    }
    assert hollow == {(1, 3), (2, 2)}
    assert "<b>One</b>" not in figure.to_json().replace("\\u003c", "<")
    assert [len(trace.text) for trace in named] == ([] if phone else [3, 3])


def test_long_rankings_have_no_names():
    merged = merge([np.arange(50), np.arange(50)[::-1]])
    figure = places_figure(merged, ["A", "B"], [str(track) for track in merged.tracks])
    assert not [trace for trace in figure.data if trace.mode == "text"]
    assert list(figure.layout.yaxis.tickvals)[:2] == [1, 5]


@pytest.mark.parametrize("phone", [False, True])
def test_the_matrix_says_each_number_and_leaves_the_diagonal_clear(phone):
    values = np.array([[1, 0.25], [0.25, 1]])
    figure = matrix_figure(values, ["Matrix <i>x</i>", "Two"], "Jaccard", phone=phone)
    (heat,) = figure.data
    assert [list(row) for row in heat.text] == [["", "0.25"], ["0.25", ""]]
    assert np.isnan(np.diag(heat.z)).all()
    assert "<i>" not in "".join(figure.layout.yaxis.ticktext)
    assert ("<b>A</b>" in figure.layout.xaxis.ticktext) == phone
