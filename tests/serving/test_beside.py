"""The API on the app's own port, over sockets, without a browser."""

import pytest
import requests
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from core.query import Query, answer
from core.serving.beside import api_routes
from core.serving.opened import opened
from core.workspace import Workspace
from tests.browser.conftest import serving
from tests.serving.conftest import listening

SESSION = """
import streamlit as st
from pages.common import session

version = session.version_of("planted")
st.session_state.same = [
    id(session.recommender(version)), id(session.matcher(version)), id(session.dataset(version))
]
"""


@pytest.fixture(scope="module")
def app(served: Workspace):
    """The address of the running app."""
    with serving(served.folder) as address:
        yield address


def get(address: str) -> requests.Response:
    return requests.get(address, timeout=60)


def test_the_api_answers_beside_the_pages(app, served):
    assert get(f"{app}/ping").json() == {"status": "ok", "dataset": "planted"}
    asked = {"title": "style three", "k": 3}
    found = requests.post(f"{app}/invocations", json=asked, timeout=60).json()
    here = opened(served, "planted")
    expected = answer(here.recommender, Query(**asked))
    assert [track["uri"] for track in found["tracks"]] == expected.columns()["uri"]
    assert get(f"{app}/api/search?q=2-07").json()["results"][0]["uri"] == "t:2-07"
    assert get(f"{app}/api/models").json()["dataset"] == "planted"
    assert "/invocations" in get(f"{app}/openapi.json").json()["paths"]
    assert 'segue_requests_total{route="/ping",status="200"}' in get(f"{app}/metrics").text
    assert requests.head(f"{app}/ping", timeout=60).ok
    elsewhere = get(f"{app}/api/elsewhere")
    assert elsewhere.status_code == 404
    assert elsewhere.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("page", ["", "/map", "/training?dataset=planted"])
def test_the_pages_are_where_they_were(app, page):
    shown = get(app + page)
    assert shown.ok
    assert "text/html" in shown.headers["content-type"]
    assert "<title>Streamlit" in shown.text


def test_below_a_path_it_answers_below_it(served, monkeypatch):
    monkeypatch.setenv("SEGUE_WORKSPACE", str(served.folder))
    with listening(Starlette(routes=api_routes("/below/this"))) as address:
        assert get(f"{address}/below/this/ping").json()["dataset"] == "planted"
        assert get(f"{address}/below/this/api/search?q=2-07").ok
        described = get(f"{address}/below/this/openapi.json").json()
        assert described["servers"] == [{"url": "/below/this"}]
        assert get(f"{address}/ping").status_code == 404


def test_a_token_that_nobody_can_show_closes_the_api(served, monkeypatch):
    monkeypatch.setenv("SEGUE_WORKSPACE", str(served.folder))
    monkeypatch.setenv("SEGUE_API_TOKEN", "lét-me-in")
    with listening(Starlette(routes=api_routes())) as address:
        refused = get(f"{address}/api/models")
    assert refused.status_code == 503
    assert "SEGUE_API_TOKEN is no bearer token" in refused.json()["detail"]


def test_pages_and_api_share_one_copy_of_the_models(served, monkeypatch):
    monkeypatch.setenv("SEGUE_WORKSPACE", str(served.folder))
    at = AppTest.from_string(SESSION, default_timeout=60).run()
    assert not at.exception
    here = opened(served, "planted")
    assert at.session_state.same == [id(here.recommender), id(here.matcher), id(here.dataset)]
