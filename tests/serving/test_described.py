"""The API's own description, and requests made up from it, right ones and wrong ones."""

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def described(address, planted):
    """The description, where tracks, artists and models of a query are some that there are."""
    document = requests.get(f"{address}/openapi.json", timeout=30).json()
    parts = document["components"]["schemas"]
    tracks = range(12)
    for field in ("seeds", "likes", "dislikes"):
        parts["QueryIn"]["properties"][field]["items"] = {"enum": planted.values("uri", tracks)}
    parts["QueryIn"]["properties"]["model"] = {"enum": ["fusion", "item_knn", "titles", None]}
    artists = sorted(set(planted.values("artist_name", tracks)))
    parts["DialsIn"]["properties"]["blocked_artists"]["items"] = {"enum": artists}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=address)
    return schema


@pytest.mark.parametrize(
    ("method", "path", "mode", "examples"),
    [
        ("GET", "/ping", "positive", 1),
        ("GET", "/api/models", "positive", 1),
        ("GET", "/api/search", "positive", 10),
        ("GET", "/api/search", "negative", 10),
        ("POST", "/invocations", "positive", 20),
        ("POST", "/invocations", "negative", 20),
    ],
)
def test_requests_made_up_from_it_find_no_fault(described, method, path, mode, examples):
    statuses = []

    @given(case=described[path][method].as_strategy(GenerationMode(mode)))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case):
        response = case.call(timeout=30)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    holds()
    assert mode == "negative" or 200 in statuses


def test_problems_are_described_where_they_can_be(address):
    document = requests.get(f"{address}/openapi.json", timeout=30).json()
    statuses = {
        (method, path): " ".join(sorted(set(operation["responses"]) - {"200"}))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert statuses == {
        ("get", "/ping"): "500 503",
        ("post", "/invocations"): "400 408 413 415 422 500 503",
        ("get", "/api/search"): "422 500 503",
        ("get", "/api/models"): "500 503",
    }
