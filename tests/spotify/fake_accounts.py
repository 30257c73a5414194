"""The fake accounts service: an app's own tokens, and listeners' by a code with PKCE (RFC 7636).

Every secret that is planted or given out is remembered, so that a test can look for it.
"""

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from tests.spotify.fake_http import AccountsError, Answer, Call, WebApiError

CLIENT_ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
CLIENT_SECRET = "planted-secret-5a1f0c9be7d24863"
SCOPES = (
    "playlist-modify-private playlist-modify-public playlist-read-private "
    "playlist-read-collaborative user-read-private"
)

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Authorize – fake Spotify</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>Fake Spotify</h1>
<p>An app asks {user} for: {scopes}</p>
<form method="post" action="{agree}"><button>Agree</button></form>
<p><a href="{cancel}">Cancel</a></p>
</body>
</html>
"""


@dataclass
class Token:
    """What an access token stands for; `user` is None for an app's own."""

    user: str | None
    scopes: frozenset[str]
    expired: bool = False


@dataclass(frozen=True)
class Grant:
    """What a listener agreed to, and what an authorization code is tied to."""

    user: str
    scope: str
    redirect_uri: str = ""
    challenge: str = ""


class Accounts:
    """Who may ask what.

    Attributes
    ----------
    listener : str
        The user who agrees next.
    token_life_s : int
        What access tokens say of how long they last; only `expire_tokens` ends them.
    secrets : set of str
        Every secret that was planted, given out or sent here.
    """

    def __init__(self) -> None:
        self.listener = "listener"
        self.token_life_s = 3600
        self.secrets = {CLIENT_SECRET}
        self._tokens: dict[str, Token] = {}
        self._codes: dict[str, Grant] = {}
        self._refreshing: dict[str, Grant] = {}

    def whose(self, authorization: str | None) -> Token:
        """What the Authorization header of a call to the Web API stands for."""
        if not authorization:
            raise WebApiError(401, "No token provided")
        token = self._tokens.get(authorization.removeprefix("Bearer "))
        if token is None:
            raise WebApiError(401, "Invalid access token")
        if token.expired:
            raise WebApiError(401, "The access token expired")
        return token

    def expire_tokens(self) -> None:
        """Let every access token that was given out be of the past."""
        for token in self._tokens.values():
            token.expired = True

    def revoke(self) -> None:
        """Take back what listeners agreed to: nothing can be refreshed any more."""
        self._refreshing.clear()

    def listener_token(self, scope: str) -> str:
        """An access token of the listener's, without the way through the browser."""
        return self._access_token(self.listener, scope)

    def ask(self, call: Call) -> Answer:
        """The page on which a listener agrees or not."""
        self._check_request(call.query)
        text = _PAGE.format(
            user=html.escape(self.listener),
            scopes=html.escape(call.query.get("scope", "nothing")),
            agree=html.escape(f"/authorize?{urlencode(call.query)}"),
            cancel=html.escape(_back(call.query, error="access_denied")),
        )
        return Answer(text)

    def agree(self, call: Call) -> Answer:
        """Send the listener back to the app with a code."""
        query = call.query
        self._check_request(query)
        code = self._secret("code")
        self._codes[code] = Grant(
            self.listener, query.get("scope", ""), query["redirect_uri"], query["code_challenge"]
        )
        return Answer("", 303, {"Location": _back(query, code=code)})

    def token(self, call: Call) -> Answer:
        """Exchange an app's secret, a code or a refresh token for an access token."""
        form = call.body if isinstance(call.body, dict) else {}
        grants = {
            "client_credentials": self._of_the_app,
            "authorization_code": self._of_a_code,
            "refresh_token": self._refreshed,
        }
        kind = form.get("grant_type", "")
        if kind not in grants:
            raise AccountsError("unsupported_grant_type", "grant_type parameter is missing")
        self._check_app(form, call.authorization, kind == "client_credentials")
        return Answer(grants[kind](form))

    def _of_the_app(self, form: Mapping[str, str]) -> dict[str, object]:
        return self._answer(self._access_token(None, ""))

    def _of_a_code(self, form: Mapping[str, str]) -> dict[str, object]:
        verifier = form.get("code_verifier", "")
        self.secrets |= {verifier} - {""}
        grant = self._codes.pop(form.get("code", ""), None)  # RFC 6749, 4.1.2: used once
        if grant is None:
            raise AccountsError("invalid_grant", "Invalid authorization code")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise AccountsError("invalid_grant", "Invalid redirect URI")
        if not _VERIFIER.fullmatch(verifier) or _challenge(verifier) != grant.challenge:
            raise AccountsError("invalid_grant", "code_verifier was incorrect")
        return self._granted(grant)

    def _refreshed(self, form: Mapping[str, str]) -> dict[str, object]:
        grant = self._refreshing.pop(form.get("refresh_token", ""), None)
        if grant is None:
            raise AccountsError("invalid_grant", "Refresh token revoked")
        return self._granted(grant)

    def _granted(self, grant: Grant) -> dict[str, object]:
        refresh = self._secret("refresh")
        self._refreshing[refresh] = grant
        answer = self._answer(self._access_token(grant.user, grant.scope))
        return answer | {"refresh_token": refresh, "scope": grant.scope}

    def _answer(self, token: str) -> dict[str, object]:
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.token_life_s}

    def _access_token(self, user: str | None, scope: str) -> str:
        text = self._secret("access")
        self._tokens[text] = Token(user, frozenset(scope.split()))
        return text

    def _secret(self, kind: str) -> str:
        number = f"{kind} {len(self.secrets)}".encode()
        text = f"planted-{kind}-{hashlib.sha256(number).hexdigest()[:32]}"
        self.secrets.add(text)
        return text

    @staticmethod
    def _check_app(form: Mapping[str, str], authorization: str | None, needs_secret: bool) -> None:
        basic = (authorization or "").removeprefix("Basic ")
        given = base64.b64decode(basic).decode().partition(":")
        name, secret = given[0] or form.get("client_id"), given[2] or form.get("client_secret")
        if name != CLIENT_ID:
            raise AccountsError("invalid_client", "Invalid client")
        if secret != CLIENT_SECRET and (needs_secret or secret):
            raise AccountsError("invalid_client", "Invalid client secret")

    @staticmethod
    def _check_request(query: Mapping[str, str]) -> None:
        redirect = urlsplit(query.get("redirect_uri", ""))
        on_loopback = (redirect.scheme, redirect.hostname) == ("http", "127.0.0.1")
        if query.get("client_id") != CLIENT_ID:
            raise AccountsError("invalid_client", "Invalid client")
        if redirect.scheme != "https" and not on_loopback:
            raise AccountsError("invalid_client", "Insecure redirect URI")
        if query.get("response_type") != "code":
            raise AccountsError("invalid_request", "response_type must be code")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise AccountsError("invalid_request", "code_challenge_method must be S256")


def _back(query: Mapping[str, str], **told: str) -> str:
    """The app's own address, with the state it gave."""
    state = {"state": query["state"]} if "state" in query else {}
    joint = "&" if urlsplit(query["redirect_uri"]).query else "?"
    return f"{query['redirect_uri']}{joint}{urlencode(told | state)}"


def _challenge(verifier: str) -> str:
    """S256 (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
