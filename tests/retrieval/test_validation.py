import numpy as np
import pytest

from core.retrieval.base import Recommendations
from core.retrieval.validation import hit_share, set_aside


def test_what_is_set_aside_is_shown_in_part_and_learnt_from_no_more(planted):
    rest, queries, hidden = set_aside(planted, 0.25, seed=3)
    assert len(queries) == len(hidden) == planted.n_playlists // 4
    assert rest.n_playlists == planted.n_playlists - len(queries)
    whole = {tuple(planted.playlists[row]) for row in range(planted.n_playlists)}
    kept = {tuple(rest.playlists[row]) for row in range(rest.n_playlists)}
    for seeds, ends in zip(queries.seeds, hidden, strict=True):
        assert len(seeds) in (1, 5, 10)
        assert len(ends)
        playlist = (*seeds.tolist(), *ends.tolist())
        assert playlist in whole
        assert playlist not in kept
    assert sum(title is None for title in queries.titles) == len(queries) // 2


def test_the_seed_decides_what_is_set_aside(planted):
    first, again, other = (set_aside(planted, 0.1, seed)[1].seeds for seed in (0, 0, 1))
    assert [s.tolist() for s in first] == [s.tolist() for s in again]
    assert [s.tolist() for s in first] != [s.tolist() for s in other]


def test_playlists_of_one_track_are_not_set_aside(make_dataset):
    dataset = make_dataset([["a"], ["b"], ["a", "b"]])
    _, queries, hidden = set_aside(dataset, 1.0, seed=0)
    assert [len(seeds) for seeds in queries.seeds] == [1]
    assert [len(ends) for ends in hidden] == [1]


def test_the_hit_share_by_hand():
    ids = np.array([[4, 2, 9], [7, 8, -1]], np.int32)
    answer = Recommendations(ids, np.zeros(ids.shape, np.float32))
    hidden = [np.array([2, 5]), np.array([9])]
    assert hit_share(answer, hidden) == pytest.approx((1 / 2 + 0) / 2)
    assert hit_share(Recommendations(ids[:0], np.zeros((0, 3), np.float32)), []) == 0
