import numpy as np

from core.retrieval.base import Queries
from core.retrieval.popularity import Popularity


def test_tracks_are_ranked_by_playlists_of_the_view(make_dataset):
    dataset = make_dataset([["a", "b"], ["a", "b"], ["a", "b"], ["c", "b"], ["c", "d"]])
    a, b, c, d = dataset.ids_of(["t:a", "t:b", "t:c", "t:d"])
    model = Popularity().fit(dataset)
    answer = model.recommend(Queries.single([a]), 4)
    np.testing.assert_array_equal(answer.ids, [[b, c, d, -1]])
    np.testing.assert_array_equal(answer.scores, [[4, 2, 1, -np.inf]])
    narrow = Popularity().fit(dataset.select([3, 4]))
    np.testing.assert_array_equal(narrow.recommend(Queries.single([]), 1).ids, [[c]])
