"""What models tell while they learn: it is true, and it changes nothing."""

import numpy as np
import pytest
from scipy import sparse

from core.progress import Progress
from core.retrieval import MODELS
from core.retrieval.factorization import sampled_loss

SMALL = {
    "als": {"factors": 8, "iterations": 4},
    "lightgcn": {"vector_size": 8, "layers": 1, "steps": 6},
    "track2vec": {"vector_size": 8, "epochs": 5, "window": 5},
    "two_tower": {"dimensions": 8, "epochs": 3, "patience": 9, "negatives": 64},
}
CURVES = {
    "als": ("Loss", 4),
    "lightgcn": ("Loss", 6),
    "track2vec": (None, 5),
    "two_tower": (None, 3),
}


class Listener(Progress):
    def __init__(self):
        self.curves = {}

    def figure(self, name, step, value):
        self.curves.setdefault(name, []).append((step, value))


def fitted(name, dataset, progress):
    return MODELS[name](MODELS[name].Params(**SMALL[name])).fit(dataset, 3, progress)


@pytest.mark.parametrize("name", SMALL)
def test_a_curve_has_a_finite_value_for_every_step(planted, name):
    if MODELS[name].missing_packages():
        pytest.skip("it cannot be fitted here")
    listener = Listener()
    listened = fitted(name, planted, listener)
    wanted, steps = CURVES[name]
    curves = [points for label, points in listener.curves.items() if wanted in (None, label)]
    assert any([step for step, _ in points] == list(range(1, steps + 1)) for points in curves)
    assert all(np.isfinite([value for _, value in points]).all() for points in curves)
    unheard = fitted(name, planted, Progress())
    for key, array in listened._state().items():
        np.testing.assert_array_equal(array, unheard._state()[key])


def test_the_loss_of_a_factorisation_falls(planted):
    listener = Listener()
    fitted("als", planted, listener)
    losses = [value for _, value in listener.curves["Loss"]]
    assert losses == sorted(losses, reverse=True)


def test_next_tracks_are_found_better_while_vectors_learn(planted):
    listener = Listener()
    params = MODELS["track2vec"].Params(**SMALL["track2vec"] | {"epochs": 30})
    MODELS["track2vec"](params).fit(planted, 3, listener)
    ((_, points),) = listener.curves.items()
    assert points[-1][1] > points[0][1]
    assert 0 <= min(value for _, value in points) <= max(value for _, value in points) <= 1


def test_the_sampled_loss_is_the_sum_over_all_columns():
    random = np.random.default_rng(0)
    rows, columns = random.normal(size=(4, 3)), random.normal(size=(9, 3))
    held = random.random((4, 9)) < 0.4
    confidence = np.where(held, random.uniform(1, 5, (4, 9)), 0)
    expected = 0.0
    for row in range(4):
        for column in range(9):
            product = rows[row] @ columns[column]
            weight = confidence[row, column] if held[row, column] else 1.0
            expected += weight * (held[row, column] - product) ** 2
    found = sampled_loss(rows, columns, sparse.csr_array(confidence))
    assert found == pytest.approx(expected / 4)
