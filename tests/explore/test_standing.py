"""Ranks and percentiles of popularity, with ties."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from core.explore.standing import Standing


def test_known_ranks_and_percentiles():
    standing = Standing(np.array([9, 5, 5, 1], np.int32))
    everything = np.arange(4)
    assert standing.ranks(everything).tolist() == [1, 2, 2, 4]
    assert standing.percentiles(everything).tolist() == [0.75, 0.25, 0.25, 0.0]


@given(arrays(np.int32, some.integers(1, 40), elements=some.integers(0, 9)))
def test_both_count_what_they_say(counts):
    standing = Standing(counts)
    for track, count in enumerate(counts):
        assert standing.ranks(np.array([track]))[0] == (counts > count).sum() + 1
        assert standing.percentiles(np.array([track]))[0] == (counts < count).mean()
