"""Sign-in of a listener: the authorization code flow with PKCE (RFC 7636), in two browser tabs.

The session that wants a listener calls `begin` and offers the address in a new tab. Whoever agrees
there is sent back to this server, whose callback route calls `arrive`. The session, which looks
now and then, takes the listener with `collect`: the code is exchanged there, and the tokens stay
in the `Listener` that it holds. Nothing of it is written anywhere.

A pending sign-in is known by its state, is answered once, within minutes, and by the browser that
began it: passing its address on to another person does not bring that person's account into this
session (https://www.rfc-editor.org/rfc/rfc9700#section-4.7).
"""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.errors import SegueError
from core.spotify.client import Client, Settings
from core.spotify.errors import (
    CLIENT_ID,
    BrokenAnswerError,
    ExpiredError,
    NoCredentialsError,
    RefusedError,
    SpotifyError,
)
from core.spotify.health import PAGE, health_of
from core.spotify.objects import text

if TYPE_CHECKING:
    from spotipy import SpotifyPKCE

SCOPES = (
    "playlist-modify-private playlist-modify-public "
    "playlist-read-private playlist-read-collaborative"
)
CALLBACK = "/spotify/callback"
"""Where Spotify sends people back to, below the app's own address."""
LIFE_S = 600.0
"""Seconds in which a sign-in may be answered; for as long again it is remembered as too late."""
MOST_PENDING = 1_000
"""Sign-ins that are remembered; the oldest are forgotten first."""
_SERVICE = "Spotify's sign-in"


class Outcome(Enum):
    """How a sign-in was answered; the value is what to tell the person."""

    ARRIVED = "Go back to Segue, which takes notice in a moment."
    CANCELLED = "The sign-in was cancelled at Spotify."
    REFUSED = "Spotify did not allow the sign-in; begin again, and check the app's settings there."
    UNKNOWN = "No sign-in waits for this answer; begin one in Segue."
    USED = "This sign-in was answered before; begin again in Segue if you are not signed in."
    EXPIRED = "The sign-in took too long; begin again in Segue."
    ELSEWHERE = "The sign-in was answered in another browser than it was begun in; begin again."


class OtherAddressError(SegueError):
    """The sign-in works at another address of the app.

    Attributes
    ----------
    address : str
    """

    def __init__(self, here: str, address: str) -> None:
        super().__init__(
            f"Spotify sends nobody back to {here}; open Segue at {urlsplit(address).netloc} to "
            "sign in."
        )
        self.address = address


class Listener:
    """A signed-in listener, and their tokens, which live in this object only.

    Attributes
    ----------
    name : str
        What Spotify shows of them.
    """

    def __init__(self, flow: "SpotifyPKCE", settings: Settings) -> None:
        self._flow: SpotifyPKCE | None = flow
        self._settings = settings
        self._renewing = threading.Lock()
        me = self.client().me()
        self.name = text(me.get("display_name")) or text(me.get("id")) or "a listener"

    @property
    def signed_in(self) -> bool:
        """Whether tokens can still be had, as far as is known."""
        return self._flow is not None

    def client(self) -> Client:
        """A client that asks in their name, until they sign out."""
        return Client(self._settings, self._token, refused=self._refused)

    def forget(self) -> None:
        """Sign out: no token is given any more."""
        with self._renewing:
            self._flow = None

    def _token(self) -> str:
        """An access token, renewed where it is about to end."""
        with self._renewing:
            if self._flow is None:
                raise ExpiredError
            held = self._flow.cache_handler.get_cached_token()
            if self._flow.is_token_expired(held):
                held = self._renewed(self._flow, held.get("refresh_token"))
            return str(held["access_token"])

    def _renewed(self, flow: "SpotifyPKCE", refresh_token: str | None) -> dict[str, Any]:
        """The tokens that follow; each refresh token is taken once."""
        try:
            if refresh_token:
                return _tokens(flow, lambda: flow.refresh_access_token(refresh_token))
        except RefusedError:
            pass
        self._flow = None
        raise ExpiredError

    def _refused(self, token: str) -> None:
        """Let the next token be another one than this."""
        with self._renewing:
            held = self._flow.cache_handler.get_cached_token() if self._flow else None
            if held and held["access_token"] == token:
                held["expires_at"] = 0


class Pending:
    """A sign-in that has begun.

    Attributes
    ----------
    address : str
        Of Spotify's consent page.
    state : str
        Names this sign-in in the address; of no use in another browser.
    """

    def __init__(self, settings: Settings, redirect_uri: str, browser: str, life_s: float) -> None:
        self.state = secrets.token_urlsafe(32)
        self._settings, self._browser = settings, browser
        self._flow: SpotifyPKCE | None = _flow(settings, redirect_uri)
        self.address: str = self._flow.get_authorize_url(self.state)
        self._ends = time.monotonic() + life_s
        self._outcome: Outcome | None = None
        self._code = ""

    @property
    def left_s(self) -> float:
        """Seconds in which it may still be answered."""
        return self._ends - time.monotonic()

    def collect(self) -> Listener | None:
        """The listener, once they have agreed; None while that is awaited.

        Raises
        ------
        SpotifyError
            If they did not, took too long, or Spotify takes the code no more: it is over then.
        """
        with _lock:
            if self._outcome is None and self.left_s < 0:
                self._outcome = Outcome.EXPIRED
            if self._outcome is None:
                return None
            if self._outcome is not Outcome.ARRIVED or self._flow is None:
                raise SpotifyError(self._outcome.value)
            # Tokens are not for who is remembered here: they go with the flow.
            flow, self._flow, self._outcome = self._flow, None, Outcome.USED
            code, self._code = self._code, ""
        try:
            _tokens(flow, lambda: flow.get_access_token(code, check_cache=False))
        except RefusedError as error:
            raise SpotifyError(
                f"Spotify did not complete the sign-in ({error.code or error.status}); begin again."
            ) from None
        return Listener(flow, self._settings)

    def _answer(self, code: str, error: str, browser: str) -> Outcome:
        if self._outcome is not None:
            return Outcome.USED
        if self.left_s < 0:
            self._outcome = Outcome.EXPIRED
        elif not secrets.compare_digest(browser.encode(), self._browser.encode()):
            self._outcome = Outcome.ELSEWHERE
        elif error == "access_denied":
            self._outcome = Outcome.CANCELLED
        elif error or not code:
            self._outcome = Outcome.REFUSED
        else:
            self._outcome, self._code = Outcome.ARRIVED, code
        return self._outcome


_waiting: dict[str, Pending] = {}
_lock = threading.Lock()


def cannot_begin(settings: Settings) -> NoCredentialsError | None:
    """What a sign-in lacks: of an app's credentials it takes the id alone; None for nothing."""
    if settings.client_id:
        return None
    return NoCredentialsError(CLIENT_ID, doing="Signing in with Spotify")


def begin(settings: Settings, redirect_uri: str, browser: str, life_s: float = LIFE_S) -> Pending:
    """Begin a sign-in.

    Parameters
    ----------
    settings : Settings
    redirect_uri : str
        Of the callback route; see `callback_address`.
    browser : str
        What tells this person's browser from others, to this server alone: the value of a cookie
        that the session and the callback route both are sent.
    life_s : float
        Seconds after which it is over.

    Raises
    ------
    NoCredentialsError
        Without the id of an app.
    SegueError
        If nothing tells the browser from others.
    """
    if problem := cannot_begin(settings):
        raise problem
    if not browser:
        raise SegueError(
            "Your browser keeps no cookie of this page, which a sign-in needs; allow it, open "
            "Segue in a tab of its own, and load it again."
        )
    pending = Pending(settings, redirect_uri, browser, life_s)
    with _lock:
        _make_room()
        _waiting[pending.state] = pending
    return pending


def _make_room() -> None:
    """Forget the sign-ins that ended long ago, with the codes that nobody has collected."""
    while _waiting:
        oldest = next(iter(_waiting.values()))
        if len(_waiting) < MOST_PENDING and oldest.left_s > -LIFE_S:
            return
        del _waiting[oldest.state]


def arrive(state: str, code: str, error: str, browser: str) -> Outcome:
    """Take what Spotify sent a person back with; for the callback route.

    Parameters
    ----------
    state, code, error : str
        Of the address; empty where it has none.
    browser : str
        As for `begin`, of the browser that was sent back.
    """
    with _lock:
        pending = _waiting.get(state)
        return pending._answer(code, error, browser) if pending else Outcome.UNKNOWN


def callback_address(settings: Settings, app: str) -> str:
    """Where Spotify may send a person back to.

    It takes https, or http on 127.0.0.1, and nothing else
    (https://developer.spotify.com/documentation/web-api/concepts/redirect_uri).

    Parameters
    ----------
    settings : Settings
    app : str
        The app's address in the person's browser, without a page.

    Raises
    ------
    OtherAddressError
        If the sign-in works at another address of the app.
    SegueError
        If Spotify sends nobody back to this host, or the settings lead past the callback route.
    """
    here = urlsplit(app)
    if settings.redirect_uri:
        if not settings.redirect_uri.endswith(CALLBACK):
            raise SegueError(f"SPOTIFY_REDIRECT_URI must end with {CALLBACK}; correct it.")
        there = urlsplit(settings.redirect_uri)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise OtherAddressError(here.netloc, settings.redirect_uri.removesuffix(CALLBACK))
        return settings.redirect_uri
    if here.scheme == "http" and here.hostname == "localhost":
        raise OtherAddressError(here.netloc, app.replace("localhost", "127.0.0.1", 1))
    if here.scheme != "https" and here.hostname != "127.0.0.1":
        raise SegueError(
            f"Spotify sends people back to https addresses only, and this is {app or 'none'}: "
            "serve Segue over https to sign in here."
        )
    return app.rstrip("/") + CALLBACK


def _flow(settings: Settings, redirect_uri: str) -> "SpotifyPKCE":
    from core.spotify.http import Session, spotipy

    library = spotipy()
    flow: SpotifyPKCE = library.SpotifyPKCE(
        client_id=settings.client_id,
        redirect_uri=redirect_uri,
        scope=SCOPES,
        cache_handler=library.MemoryCacheHandler(),
        requests_session=Session(_SERVICE, health_of(settings.accounts, _SERVICE), PAGE),
        open_browser=False,
    )
    flow.OAUTH_AUTHORIZE_URL = f"{settings.accounts}/authorize"
    flow.OAUTH_TOKEN_URL = f"{settings.accounts}/api/token"
    return flow


def _tokens(flow: "SpotifyPKCE", ask: Callable[[], object]) -> dict[str, Any]:
    """What the flow holds after it has asked; what it held before, if that is of no use."""
    before = flow.cache_handler.get_cached_token()
    with suppress(KeyError, TypeError):  # of spotipy, where an answer is not as documented
        ask()
        held: dict[str, Any] = flow.cache_handler.get_cached_token()
        if isinstance(held["access_token"], str):
            return held
    flow.cache_handler.save_token_to_cache(before)
    raise BrokenAnswerError(_SERVICE, "no token in it")
