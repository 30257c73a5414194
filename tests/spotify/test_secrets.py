"""No secret leaves the process: not in a log, an error, an address, a repr or a file."""

import base64
import http.client
import io
import logging
import threading
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import SegueError
from core.spotify.app_token import AppToken
from core.spotify.client import Client
from core.spotify.health import reset_health
from core.spotify.http import spotipy
from core.spotify.sign_in import arrive, begin
from tests.spotify.conftest import QUICK
from tests.spotify.fake_accounts import CLIENT_ID, CLIENT_SECRET

HASTY = replace(QUICK, attempts=2, timeout_s=0.1)
FAULTS = [
    (400, {}),
    (401, {}),
    (403, {}),
    (404, {}),
    (429, {"retry_after": 0}),
    (500, {}),
    ("timeout", {}),
    ("drop", {}),
    ("html", {}),
    ("html", {"status": 200}),
    ("html", {"status": 403}),
    ("truncated", {}),
    ("cut", {}),
    ("null", {}),
    ("null", {"fields": ["access_token"]}),
    ("missing", {"fields": ["access_token", "items"]}),
    ("missing", {"fields": ["expires_in", "id"]}),
]


def everything_at_debug(stream):
    """Loggers as somebody who looks for a fault might set them all."""
    handler = logging.StreamHandler(stream)
    for logger in (*loggers(), logging.getLogger("spotipy")):
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate, logger.handlers[:] = False, False, [handler]


def loggers():
    return [logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)]


@pytest.fixture
def log():
    """What any handler writes; afterwards the loggers are as they were."""
    before = [(one, one.level, one.disabled, one.propagate, one.handlers[:]) for one in loggers()]
    yield io.StringIO()
    for logger, level, disabled, propagate, handlers in before:
        logger.level, logger.disabled, logger.propagate = level, disabled, propagate
        logger.handlers[:] = handlers
    logging.root.manager._clear_cache()


def signed_in(settings):
    """A listener who agreed at the fake's consent page."""
    pending = begin(settings, "https://segue.example/spotify/callback", "this browser")
    parts = urlsplit(pending.address)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("POST", f"{parts.path}?{parts.query}")
    came_back = parse_qs(urlsplit(connection.getresponse().headers["Location"]).query)
    connection.close()
    arrive(pending.state, came_back["code"][0], "", "this browser")
    return pending, pending.collect()


def said(error):
    """All that an error can be printed as, its causes included."""
    text = "".join(traceback.format_exception(error))
    while error is not None:
        text += f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


def signing_in(settings):
    pending, person = signed_in(settings)
    yield f"{pending!r} {person!r} {person.name}"


def asking(fake, settings):
    """What an app and a listener may ask."""
    song = fake.add_track("Song")
    key = fake.add_playlist("Mine", [song])
    app = Client(settings, patience=HASTY)
    listener = Client(settings, fake.listener_token, HASTY, refused=lambda _: None)
    yield f"{app!r} {listener!r} {settings!r} {app.playlist(key)}"
    yield repr(app.playlist_items(key))
    yield repr(listener.create_playlist("Mine", False, ""))
    listener.add_items(key, [f"spotify:track:{song}"], 0)


def outlived(fake, settings):
    """A sign-in that is renewed, and then withdrawn."""
    _, person = signed_in(settings)
    fake.expire_tokens()
    yield repr(person.client().me())
    fake.expire_tokens()
    fake.revoke()
    yield repr(person.client().me())


def told(steps):
    """What the steps tell, the error that ends them included."""
    try:
        yield from steps
    except SegueError as error:
        yield said(error)


def leaks(fake, text):
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert len(fake.secrets) > 2
    return [secret for secret in (*fake.secrets, basic) if secret in text]


def test_no_secret_is_logged_printed_or_written_whatever_fails(
    fake, settings, log, capfd, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    spotipy()
    everything_at_debug(log)
    printed = [*told(asking(fake, settings)), *told(outlived(fake, settings))]
    for kind, details in FAULTS:
        for path in ("^/v1/", "^/v1/playlists/.*/items", "^/api/token"):
            fake.fault(kind, path=path, times=None, **details)
            reset_health()
            fake.expire_tokens()
            printed += told(asking(fake, settings))
            if path == "^/api/token" and kind != "timeout":
                printed += told(signing_in(settings))
            fake.heal()
    out, err = capfd.readouterr()
    assert "GET /v1/" in log.getvalue()
    assert "ExpiredError" in " ".join(printed)
    assert not leaks(fake, log.getvalue())
    assert not leaks(fake, " ".join(printed) + out + err)
    assert not leaks(fake, " ".join(f"{call.path} {call.query}" for call in fake.requests))
    assert list(tmp_path.iterdir()) == []


def test_spotipy_would_log_secrets_if_it_were_heard(fake, settings, log, monkeypatch):
    """What the test above rests on: where nothing silences spotipy, its secrets are found."""
    token = AppToken(settings.accounts, CLIENT_ID, CLIENT_SECRET, HASTY, lambda _: None)
    everything_at_debug(log)
    monkeypatch.setattr(logging.getLogger("spotipy.oauth2"), "filters", [])
    fake.listener_token()
    token()
    assert leaks(fake, log.getvalue())


def test_what_is_posted_is_not_passed_on_to_where_an_answer_redirects(fake, settings):
    listener = Client(settings, fake.listener_token, HASTY)
    elsewhere = {"Location": f"{fake.address}/elsewhere"}
    fake.fault("instead", method="POST", body={}, status=307, headers=elsewhere)
    listener.create_playlist("Mine", False, "")
    assert [call.path for call in fake.requests] == ["/v1/me/playlists"]


def test_a_token_is_not_passed_on_to_another_server(fake, settings):
    heard = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        headers = {"Location": f"http://127.0.0.1:{server.server_port}/"}
        fake.fault("instead", body={}, status=302, headers=headers)
        Client(settings, fake.listener_token, HASTY).me()
    (sent,) = heard
    assert "Authorization" not in sent


def test_a_token_of_impossible_letters_is_not_shown(settings):
    for token in ("plänted", "planted\nHost: x"):
        with pytest.raises(SegueError, match="impossible letters") as caught:
            Client(settings, lambda token=token: token, HASTY).me()
        assert token not in said(caught.value)
