import numpy as np
import pytest

from core.ranking.candidates import pool
from core.ranking.fusion import CONSTANT, WEIGHTS, blend, weights
from core.retrieval import MODELS
from core.retrieval.base import Recommendations

ALL = 1000


def answer(*rows):
    ids = np.array(rows, np.int32)
    return Recommendations(ids, np.where(ids >= 0, 0.0, -np.inf).astype(np.float32))


def pooled(answers, quota=ALL):
    n_queries = len(next(iter(answers.values())))
    return pool(answers, np.full((n_queries, len(answers)), quota), 10)


def test_blended_scores_are_those_of_the_paper():
    candidates = pooled({"a": answer([5, 7, -1]), "b": answer([7, 9, 5])})
    scores = blend(candidates, [{"a": 1.0, "b": 2.0}])
    assert dict(zip(candidates.tracks.tolist(), scores, strict=True)) == pytest.approx(
        {
            5: 1 / (CONSTANT + 1) + 2 / (CONSTANT + 3),
            7: 1 / (CONSTANT + 2) + 2 / (CONSTANT + 1),
            9: 2 / (CONSTANT + 2),
        }
    )


def test_each_query_has_its_own_weights():
    candidates = pooled({"a": answer([1], [1]), "b": answer([2], [2])})
    scores = blend(candidates, [{"a": 1.0}, {"b": 3.0}])
    assert candidates.tracks.tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(scores * (CONSTANT + 1), [1, 0, 0, 3])


def test_a_rank_beyond_the_quota_counts_too():
    answers = {"a": answer([1, 2, 3]), "b": answer([3, 2, 1])}
    candidates = pooled(answers, quota=1)
    assert candidates.tracks.tolist() == [1, 3]
    both = 1 / (CONSTANT + 1) + 1 / (CONSTANT + 3)
    np.testing.assert_allclose(blend(candidates, [{"a": 1.0, "b": 1.0}]), both)


def test_a_weight_of_a_model_that_does_not_answer_is_passed_over():
    scores = blend(pooled({"a": answer([1])}), [{"a": 1.0, "absent": 5.0}])
    np.testing.assert_allclose(scores, 1 / (CONSTANT + 1))


def test_nothing_is_blended_to_nothing():
    assert blend(pooled({"a": answer([-1, -1])}), [{"a": 1.0}]).shape == (0,)


def test_weights_cover_every_seed_count_and_only_models_that_retrieve():
    known = {name for _, by_model in WEIGHTS for name in by_model}
    assert known <= {name for name, model in MODELS.items() if model.retrieves}
    for most, by_model in WEIGHTS:
        assert weights(most, MODELS) == by_model
    assert weights(10_000, MODELS) == WEIGHTS[-1][1]


def test_models_without_any_weight_count_equally():
    assert weights(0, ["popularity", "titles"]) == {"titles": WEIGHTS[0][1]["titles"]}
    assert weights(0, ["popularity", "item_knn"]) == {"popularity": 1.0, "item_knn": 1.0}
