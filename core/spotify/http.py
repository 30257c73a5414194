"""Requests over HTTP as Spotify and its neighbours are asked: patient, bounded, silent.

This module loads requests, and `spotipy()` loads spotipy: import it where a request is made.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any

import requests

from core.spotify.errors import (
    BrokenAnswerError,
    OfflineError,
    RateLimitedError,
    RefusedError,
)
from core.spotify.health import Health, Patience

UNSAID_WAIT_S = 30.0
"""After a 429 that does not say for how long: the window over which Spotify counts requests,
https://developer.spotify.com/documentation/web-api/concepts/rate-limits."""
LONGEST_WAIT_S = 7 * 86400.0
"""A `Retry-After` beyond it is nonsense."""
_CODES = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
_TALKATIVE = ("spotipy.client", "spotipy.oauth2", "spotipy.util", "spotipy.cache_handler")


class Session(requests.Session):
    """A session whose requests end in a JSON object or in one of `core.spotify.errors`.

    What fails is tried again as patience and health allow: requests of a repeatable method after
    time-outs, lost connections, 5xx and unreadable answers; any request after 429, and once after
    401 with another token: both say that nothing was done. spotipy takes it as its own session;
    nothing of its error handling is reached, and it never sees the token.

    Parameters
    ----------
    service : str
        For sentences.
    health : Health
        Of the server that is asked.
    patience : Patience
    waiting : callable
        Sleeps so many seconds.
    repeatable : frozenset of str
        Methods that may be sent again where an answer was lost.
    token : callable, optional
        Gives the access token of each request.
    refused : callable, optional
        Told a token that was answered 401, so that `token` gives another one next.
    """

    def __init__(
        self,
        service: str,
        health: Health,
        patience: Patience,
        waiting: Callable[[float], None] = time.sleep,
        *,
        repeatable: frozenset[str] = frozenset({"GET"}),
        token: Callable[[], str] | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._service, self._health, self._patience = service, health, patience
        self._waiting, self._repeatable = waiting, repeatable
        self._token, self._refused = token, refused
        self.auth = _as_it_is

    def get_json(self, address: str, **params: str | int) -> dict[str, Any]:
        """The JSON object at an address."""
        answer: dict[str, Any] = self.request("GET", address, params=params).json()
        return answer

    def request(  # type: ignore[override]  # what spotipy passes, and no more
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        """Send a request until it is answered or patience ends.

        Returns
        -------
        requests.Response
            Of a status below 400; its body is a JSON object.

        Raises
        ------
        RateLimitedError, OfflineError, BrokenAnswerError, RefusedError
        """
        if self._token is None:
            return self._persist(method, url, options)
        token = self._token()
        try:
            return self._persist(method, url, self._with_token(options, token))
        except RefusedError as error:
            if error.status != 401 or self._refused is None:
                raise
        self._refused(token)
        return self._persist(method, url, self._with_token(options, self._token()))

    def _with_token(self, options: Mapping[str, Any], token: str) -> dict[str, Any]:
        if not (token.isascii() and token.isprintable()):  # or an error of codecs would show it
            raise BrokenAnswerError(self._service, "an access token of impossible letters")
        headers = {**(options.get("headers") or {}), "Authorization": f"Bearer {token}"}
        return {**options, "headers": headers}

    def _persist(self, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
        """Send a request again and again, within the bounds of patience."""
        sent, left = 0, self._patience.longest_wait_s
        while True:
            try:
                with self._health.asking():
                    sent += 1
                    return self._send_once(method, url, options)
            except (RateLimitedError, OfflineError, BrokenAnswerError) as error:
                problem = error
            if sent == self._patience.attempts:
                raise problem
            if problem.until is not None:
                seconds = max(problem.until - time.time(), 0.0)
                if seconds >= left:
                    raise problem
                left -= seconds
                self._waiting(seconds + self._pause(1))
            elif method in self._repeatable:
                self._waiting(self._pause(sent))
            else:
                raise problem

    def _pause(self, sent: int) -> float:
        return self._patience.pause_s * 2 ** (sent - 1) * random.uniform(0.5, 1.5)  # noqa: S311

    def _send_once(self, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
        settled = {
            "timeout": self._patience.timeout_s,
            "allow_redirects": method == "GET",  # a redirected POST would pass its body on
        }
        why = ""
        try:
            response = super().request(method, url, **{**options, **settled})
        except requests.exceptions.Timeout:
            why = f"none within {self._patience.timeout_s:g} s"
        except requests.exceptions.RequestException:
            why = "the connection failed"
        if why:  # outside of `except`: what requests raises holds the request, and so the token
            raise OfflineError(self._service, why)
        self._check(response)
        return response

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 429:
            wait = retry_after_s(response.headers.get("Retry-After"), time.time())
            raise RateLimitedError(self._service, time.time() + wait)
        if status >= 500:
            raise OfflineError(self._service, f"server error {status}")
        content = _json(response)
        if status >= 400:
            code = content.get("error") if isinstance(content, dict) else None
            known = isinstance(code, str) and code in _CODES
            raise RefusedError(self._service, status, str(code) if known else "")
        if not isinstance(content, dict):
            raise BrokenAnswerError(self._service, "no JSON object")


def retry_after_s(text: str | None, now: float) -> float:
    """Seconds to wait by a `Retry-After` header: a number of seconds or a date.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after. What is neither, or absurd, is
    `UNSAID_WAIT_S`.
    """
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = _seconds_to(text or "", now)
    return seconds if 0.0 <= seconds <= LONGEST_WAIT_S else UNSAID_WAIT_S


def spotipy() -> ModuleType:
    """spotipy, which from now on logs nothing: at DEBUG it would write down every token."""
    import spotipy

    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_drop)
    return spotipy


def _drop(_: logging.LogRecord) -> bool:
    return False


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication by the request's own header; without it a ~/.netrc would replace that."""
    return request


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _seconds_to(date: str, now: float) -> float:
    try:
        return max(parsedate_to_datetime(date).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return UNSAID_WAIT_S
