"""The callback route and the browser's cookie, over a socket."""

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from core.spotify.sign_in import CALLBACK, Outcome
from pages.spotify.callback import COOKIE, BrowserCookie, callback_routes
from tests.spotify.consent import BROWSER, agreed, began

DOCUMENT = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The routes of app.py, and a document and a script beside them."""
    documents = [
        Route("/", lambda _: HTMLResponse("a document")),
        Route("/cached", lambda _: Response(status_code=304)),
        Route("/script.js", lambda _: Response("1", media_type="text/javascript")),
    ]
    app = Starlette(routes=[*callback_routes(), *documents], middleware=[Middleware(BrowserCookie)])
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False)
        )
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def cookie(answer: requests.Response) -> str:
    return answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("path", ["/", "/cached"])
def test_a_browser_is_named_with_its_first_document(address, path):
    first, second = (requests.get(address + path, headers=DOCUMENT, timeout=5) for _ in range(2))
    said = re.fullmatch(rf"{COOKIE}=([\w-]{{43}}); Path=/; HttpOnly; SameSite=Lax", cookie(first))
    assert said
    assert said[1] not in cookie(second)


def test_a_browser_keeps_its_name(address):
    with requests.Session() as browser:
        browser.headers.update(DOCUMENT)
        browser.get(address, timeout=5)
        named = browser.cookies[COOKIE]
        assert not cookie(browser.get(address, timeout=5))
        assert browser.cookies[COOKIE] == named


def test_only_documents_name_a_browser(address):
    assert not cookie(requests.get(f"{address}/script.js", headers={"Accept": "*/*"}, timeout=5))


def test_behind_a_proxy_with_https_the_cookie_is_for_https_only(address):
    headers = DOCUMENT | {"X-Forwarded-Proto": "https"}
    assert cookie(requests.get(address, headers=headers, timeout=5)).endswith("; Secure")


def answered(address: str, browser: str, **told: str) -> requests.Response:
    return requests.get(address + CALLBACK, told, cookies={COOKIE: browser}, timeout=5)


def test_an_answer_arrives_and_is_not_kept_in_the_address(address, settings):
    pending = began(settings)
    said = agreed(pending)
    page = answered(address, BROWSER, **said)
    assert pending.collect() is not None
    assert page.url == f"{address}{CALLBACK}?outcome=arrived"
    assert [step.status_code for step in page.history] == [303]
    for step in (page, *page.history):
        assert step.headers["Cache-Control"] == "no-store"
        assert step.headers["Referrer-Policy"] == "no-referrer"
        assert {"default-src 'none'", "frame-ancestors 'none'"} <= {
            *step.headers["Content-Security-Policy"].split("; ")
        }
        assert not [part for part in said.values() if part in step.text + str(step.headers)]
    assert "Signed in with Spotify" in page.text
    assert "script" not in page.text


@pytest.mark.parametrize(
    ("told", "browser", "outcome"),
    [
        ({"error": "access_denied"}, BROWSER, Outcome.CANCELLED),
        ({"code": "a code"}, "another", Outcome.ELSEWHERE),
        ({"code": "a code", "state": "unheard of"}, BROWSER, Outcome.UNKNOWN),
    ],
)
def test_why_nobody_is_signed_in_is_said(address, settings, told, browser, outcome):
    pending = began(settings)
    page = answered(address, browser, **{"state": pending.state} | told)
    assert "Not signed in" in page.text
    assert outcome.value in page.text


def test_the_page_repeats_nothing_of_its_address(address):
    page = answered(address, BROWSER, outcome="<script>alert(1)</script>")
    assert Outcome.UNKNOWN.value in page.text
    assert "alert" not in page.text
