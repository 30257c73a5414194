import numpy as np
import pytest

from core.ranking.fusion import CONSTANT, WEIGHTS, fuse, weights
from core.retrieval import MODELS
from core.retrieval.base import Recommendations


def answer(*ids):
    return Recommendations(np.array([ids], np.int32), np.zeros((1, len(ids)), np.float32))


def test_fused_scores_are_those_of_the_paper():
    answers = {"a": answer(5, 7, -1), "b": answer(7, 9, 5)}
    candidates, scores = fuse(answers, 0, {"a": 1.0, "b": 2.0})
    by_track = dict(zip(candidates.tolist(), scores, strict=True))
    assert by_track == pytest.approx(
        {
            5: 1 / (CONSTANT + 1) + 2 / (CONSTANT + 3),
            7: 1 / (CONSTANT + 2) + 2 / (CONSTANT + 1),
            9: 2 / (CONSTANT + 2),
        }
    )


def test_a_model_without_weight_proposes_nothing():
    candidates, _ = fuse({"a": answer(5), "b": answer(7)}, 0, {"a": 1.0})
    assert candidates.tolist() == [5]
    assert len(fuse({"b": answer(7)}, 0, {"a": 1.0})[0]) == 0


def test_weights_cover_every_seed_count_and_only_known_models():
    assert {name for _, by_model in WEIGHTS for name in by_model} <= set(MODELS)
    for most, by_model in WEIGHTS:
        assert weights(most, MODELS) == by_model
    assert weights(10_000, MODELS) == WEIGHTS[-1][1]


def test_models_without_any_weight_count_equally():
    assert weights(0, ["popularity", "titles"]) == {"titles": WEIGHTS[0][1]["titles"]}
    assert weights(0, ["popularity", "item_knn"]) == {"popularity": 1.0, "item_knn": 1.0}
