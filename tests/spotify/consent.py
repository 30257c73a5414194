"""A person who agrees on the fake's consent page, without a browser."""

from urllib.parse import parse_qsl, urlsplit

import requests

from core.spotify.client import Settings
from core.spotify.sign_in import Listener, Pending, arrive, begin

REDIRECT = "http://127.0.0.1:8501/spotify/callback"
BROWSER = "a browser"


def began(settings: Settings, **options: float) -> Pending:
    return begin(settings, REDIRECT, BROWSER, **options)


def agreed(pending: Pending) -> dict[str, str]:
    """What the person is sent back with: `state` and `code`."""
    answer = requests.post(pending.address, allow_redirects=False, timeout=5)
    sent_to = answer.headers["Location"]
    assert sent_to.startswith(REDIRECT)
    return dict(parse_qsl(urlsplit(sent_to).query))


def signed_in(settings: Settings) -> Listener:
    """A listener who has just signed in."""
    pending = began(settings)
    arrive(**agreed(pending), error="", browser=BROWSER)
    listener = pending.collect()
    assert listener is not None
    return listener
