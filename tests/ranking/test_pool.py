import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ranking.candidates import heard, measured_quotas, pool
from core.retrieval.base import Recommendations

N_TRACKS = 12


def answer(rows, k=6):
    """Answers of these tracks, with scores that fall from 100."""
    ids = np.full((len(rows), k), -1, np.int32)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
    scores = np.broadcast_to(100 - np.arange(k, dtype=np.float32), ids.shape)
    return Recommendations(ids, np.where(ids >= 0, scores, -np.inf).astype(np.float32))


def test_a_pool_is_the_union_of_each_source_s_first():
    answers = {"b": answer([[3, 1, 2], [5]]), "a": answer([[1, 4], [5, 0]])}
    found = pool(answers, np.array([[2, 1], [1, 1]]), N_TRACKS)
    assert found.sources == ("b", "a")
    assert found.indptr.tolist() == [0, 2, 3]
    assert found.tracks.tolist() == [1, 3, 5]
    assert found.rows.tolist() == [0, 0, 1]
    assert (len(found), found.n_queries) == (3, 2)
    np.testing.assert_array_equal(found.ranks, [[2, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(found.scores, [[99, 100], [100, np.nan], [100, 100]])


def test_ranks_and_scores_beyond_a_quota_are_kept():
    answers = {"a": answer([[7]]), "b": answer([[1, 2, 3, 7]])}
    found = pool(answers, np.array([[1, 0]]), N_TRACKS)
    assert found.tracks.tolist() == [7]
    assert found.ranks.tolist() == [[1, 4]]
    assert found.scores.tolist() == [[100, 97]]


def test_quotas_may_exceed_a_list():
    found = pool({"a": answer([[2, 3]]), "b": answer([[]])}, np.array([[99, 99]]), N_TRACKS)
    assert found.tracks.tolist() == [2, 3]
    assert found.ranks[:, 1].tolist() == [0, 0]


def test_queries_without_candidates_and_no_queries_are_in_order():
    answers = {"a": answer([[], [4], []]), "b": answer([[], [], []])}
    found = pool(answers, np.full((3, 2), 5), N_TRACKS)
    assert found.indptr.tolist() == [0, 0, 1, 1]
    nothing = pool({"a": answer([[], []])}, np.full((2, 1), 5), N_TRACKS)
    assert nothing.indptr.tolist() == [0, 0, 0]
    assert nothing.ranks.shape == nothing.scores.shape == (0, 1)
    none = pool({"a": answer([])}, np.empty((0, 1), int), N_TRACKS)
    assert (none.n_queries, len(none)) == (0, 0)


lists = st.lists(st.permutations(range(N_TRACKS)).map(lambda row: row[:6]), min_size=2, max_size=2)


@settings(max_examples=60, deadline=None)
@given(lists, lists, st.lists(st.integers(0, 7), min_size=4, max_size=4))
def test_a_pool_agrees_with_sets(first, second, quotas):
    quotas = np.array(quotas).reshape(2, 2)
    found = pool({"a": answer(first), "b": answer(second)}, quotas, N_TRACKS)
    for row in range(2):
        part = slice(found.indptr[row], found.indptr[row + 1])
        rights = zip((first, second), quotas[row], strict=True)
        wanted = set().union(*(rows[row][:quota] for rows, quota in rights))
        assert found.tracks[part].tolist() == sorted(wanted)
        for column, rows in enumerate((first, second)):
            places = [rows[row].index(t) + 1 if t in rows[row] else 0 for t in sorted(wanted)]
            assert found.ranks[part, column].tolist() == places
    assert (np.isnan(found.scores) == (found.ranks == 0)).all()


def test_taken_candidates_are_those_of_the_queries_alone():
    rows = [[1, 2, 3], [], [4, 5], [6]]
    quotas = np.array([[2], [1], [2], [1]])
    whole = pool({"a": answer(rows)}, quotas, N_TRACKS)
    order = np.array([3, 0, 1, 0])
    taken = whole.take(order)
    alone = pool({"a": answer([rows[row] for row in order])}, quotas[order], N_TRACKS)
    for name in ("indptr", "tracks", "ranks", "scores", "rows"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(alone, name))
    assert taken.sources == whole.sources
    assert len(whole.take(np.empty(0, int))) == 0


def test_tracks_that_nobody_holds_leave_the_answers_to_some_queries():
    answers = {"a": answer([[3, 1, 2], [3, 1, 2]]), "b": answer([[1], []])}
    counts = np.ones(N_TRACKS, int)
    counts[[1, N_TRACKS - 1]] = 0
    found = heard(answers, counts, np.array([True, False]))
    assert found["a"].ids[:, :4].tolist() == [[3, -1, 2, -1], [3, 1, 2, -1]]
    assert not (found["b"].ids >= 0).any()
    candidates = pool(found, np.full((2, 2), 5), N_TRACKS)
    assert candidates.tracks.tolist() == [2, 3, 1, 2, 3]
    # The others keep their places.
    assert candidates.ranks[:, 0].tolist() == [3, 1, 2, 3, 1]


def proposed(*sources, k=100):
    """Lists of each source for each query, shape (n_sources, n_queries, k)."""
    stacked = np.full((len(sources), len(sources[0]), k), -1, np.int32)
    for at, rows in enumerate(sources):
        for row, tracks in enumerate(rows):
            stacked[at, row, : len(tracks)] = tracks
    return stacked


RIGHT, OTHER, WRONG = np.arange(10), np.arange(10, 20), np.arange(100, 200)


def test_a_source_that_finds_everything_needs_no_other():
    found = proposed([WRONG], [RIGHT], [WRONG])
    assert measured_quotas(found, [RIGHT], 500).tolist() == [0, 25, 0]


def test_sources_that_complement_each_other_both_get_a_quota():
    found = proposed([RIGHT], [OTHER])
    assert measured_quotas(found, [np.concatenate([RIGHT, OTHER])], 500).tolist() == [25, 25]


def test_two_equal_sources_get_one_quota():
    found = proposed([RIGHT], [RIGHT])
    assert sorted(measured_quotas(found, [RIGHT], 500).tolist()) == [0, 25]


def test_nothing_found_is_no_quota():
    assert measured_quotas(proposed([WRONG], [[]]), [RIGHT], 500).tolist() == [0, 0]


def test_quotas_stay_within_lists_that_are_no_multiple_of_a_step():
    late = [*WRONG[:20], *RIGHT]
    assert measured_quotas(proposed([late], k=30), [RIGHT], 500).tolist() == [30]


def test_each_query_counts_equally_however_much_it_hides():
    """Two queries' only track each weigh more than nine of ten of a third's."""
    few = [[500], [500], []]
    many = [[], [], RIGHT[:9]]
    hidden = [np.array([500]), np.array([500]), RIGHT]
    # A budget of one track a query lets the first step in only: 2 of 2 against 0.9 of 9.
    assert measured_quotas(proposed(few, many), hidden, 0).tolist() == [0, 0]
    assert measured_quotas(proposed(few, many), hidden, 1).tolist()[0] == 25
    assert measured_quotas(proposed(many, few), hidden, 1).tolist()[1] == 25


@pytest.fixture(scope="module")
def noisy():
    """Forty queries; the first source finds most, the second others, the third nearly nothing."""
    random = np.random.default_rng(0)
    hidden = [random.choice(2000, 30, replace=False) for _ in range(40)]
    chances = (0.6, 0.4, 0.02)
    found = np.empty((3, 40, 400), np.int32)
    for source, chance in enumerate(chances):
        for row, right in enumerate(hidden):
            shown = right[random.random(30) < chance]
            wrong = np.setdiff1d(np.arange(2000), right)
            tracks = np.concatenate([shown, random.choice(wrong, 400 - len(shown), replace=False)])
            # What is right tends to be early.
            key = random.random(400) * np.where(np.arange(400) < len(shown), 0.5, 1)
            found[source, row] = tracks[np.argsort(key)]
    return found, hidden


def pooled(found, quotas):
    """For each query, the set of tracks that the quotas let in."""
    return [
        set().union(*(found[source, row, : quotas[source]].tolist() for source in range(3)))
        for row in range(found.shape[1])
    ]


def recall(found, hidden, quotas):
    pools = pooled(found, quotas)
    return np.mean(
        [len(one & set(h.tolist())) / len(h) for one, h in zip(pools, hidden, strict=True)]
    )


@pytest.mark.parametrize("size", [60, 200, 400])
def test_the_pool_has_about_the_size_that_was_asked_for(noisy, size):
    quotas = measured_quotas(*noisy, size)
    mean = np.mean([len(one) for one in pooled(noisy[0], quotas)])
    assert size <= mean < size + 25


def test_measured_quotas_find_more_than_equal_ones(noisy):
    found, hidden = noisy
    quotas = measured_quotas(found, hidden, 300)
    equal = np.full(3, 100)
    assert np.mean([len(one) for one in pooled(found, equal)]) > 250
    assert recall(found, hidden, quotas) > 1.1 * recall(found, hidden, equal)
    assert quotas[0] >= quotas[1] > quotas[2]


def test_quotas_depend_on_neither_the_order_of_queries_nor_chance(noisy):
    found, hidden = noisy
    order = np.random.default_rng(1).permutation(40)
    quotas = measured_quotas(found, hidden, 300)
    assert quotas.tolist() == measured_quotas(found, hidden, 300).tolist()
    shuffled = measured_quotas(found[:, order], [hidden[row] for row in order], 300)
    assert quotas.tolist() == shuffled.tolist()
