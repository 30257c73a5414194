import numpy as np
import pytest

from core.evaluation.challenge import CATEGORIES
from core.ranking.routes import ROUTES, route
from core.retrieval.base import Queries


def label(seeds, title):
    return ROUTES[route(Queries.single(np.arange(seeds), title))[0]].label


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.label)
def test_each_category_has_the_route_of_its_title_and_seeds(category):
    title = "gym" if category.titled else None
    at = ROUTES[route(Queries.single(np.arange(category.seeds), title))[0]]
    assert (at.titled, at.seeds) == (category.titled, category.seeds)


def test_every_route_is_that_of_a_category_and_has_a_label_of_its_own():
    of_categories = {(category.titled, category.seeds) for category in CATEGORIES}
    assert {(one.titled, one.seeds) for one in ROUTES} == of_categories
    assert len({one.label for one in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    ("seeds", "title", "expected"),
    [
        (0, "gym", "title"),
        (1, "gym", "title + 1 seed"),
        (2, "gym", "title + 1 seed"),
        (3, "gym", "title + 5 seeds"),
        (7, None, "5 seeds"),
        (8, None, "10 seeds"),
        (1, None, "5 seeds"),
        (0, None, "5 seeds"),
        (0, "", "5 seeds"),
        (500, None, "10 seeds"),
        (40, "gym", "title + 25 seeds"),
        (60, "gym", "title + 100 seeds"),
        (9999, "gym", "title + 100 seeds"),
    ],
)
def test_other_numbers_of_seeds_take_the_nearest_route(seeds, title, expected):
    assert label(seeds, title) == expected


def test_a_batch_is_routed_query_by_query():
    seeds = [np.arange(n) for n in (0, 5, 5, 100)]
    titles = ["a", None, "b", "c"]
    assert [ROUTES[at].label for at in route(Queries(seeds, titles))] == [
        "title",
        "5 seeds",
        "title + 5 seeds",
        "title + 100 seeds",
    ]
    assert len(route(Queries([], []))) == 0
