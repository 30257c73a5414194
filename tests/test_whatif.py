import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.whatif import changes

LISTS = st.lists(st.integers(0, 12), unique=True, max_size=10)


def test_changes_by_hand():
    found = changes(np.array([7, 3, 9, 4]), np.array([3, 5, 7, 4]))
    assert found.tracks.tolist() == [3, 5, 7, 4]
    assert found.before.tolist() == [2, 0, 1, 4]
    assert found.after.tolist() == [1, 2, 3, 4]
    assert found.moved.tolist() == [True, False, True, False]
    assert found.entered.tolist() == [5]
    assert (found.left.tolist(), found.left_from.tolist()) == ([9], [3])


@given(LISTS, LISTS)
def test_the_old_list_comes_back_from_the_changes(before, after):
    found = changes(np.array(before, np.int32), np.array(after, np.int32))
    places = [*found.before[found.before > 0].tolist(), *found.left_from.tolist()]
    tracks = [*found.tracks[found.before > 0].tolist(), *found.left.tolist()]
    assert [track for _, track in sorted(zip(places, tracks, strict=True))] == before
    assert found.tracks.tolist() == after
    assert set(found.entered.tolist()) == set(after) - set(before)


@given(LISTS)
def test_the_same_list_does_not_change(listed):
    found = changes(np.array(listed, np.int32), np.array(listed, np.int32))
    assert not found.moved.any()
    assert not len(found.entered)
    assert not len(found.left)
