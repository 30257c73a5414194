"""The page that Spotify sends a person back to, and the cookie that tells browsers apart.

Both are below Streamlit: routes and middleware of app.py's ASGI app. The cookie is set with the
first document a browser loads, so that the session that opens next and the callback are sent the
same; Streamlit's own `_streamlit_xsrf` would do until a server turns it off, or masks it otherwise.
"""

import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.spotify.sign_in import CALLBACK, Outcome, arrive

COOKIE = "segue_browser"
_LETTERS = 32
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Segue – Spotify sign-in</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 1.5rem;
  box-sizing: border-box; font: 1rem/1.5 system-ui, sans-serif;
  color: light-dark(#16181d, #ece9e4); background: light-dark(#ffffff, #101217); }}
main {{ max-width: 30rem; padding: 1.5rem 2rem; border-radius: .5rem;
  border: 1px solid light-dark(#ddd9d1, #343945); background: light-dark(#f6f4f0, #1b1e26); }}
h1 {{ font: 600 1.6rem/1.3 Georgia, serif; margin: 0 0 .5rem; }}
p {{ margin: 0; }}
</style>
</head>
<body><main><h1>{heading}</h1><p>{said}</p></main></body>
</html>
"""


def callback_routes(prefix: str = "") -> list[Route]:
    """What app.py serves beside the pages; `prefix` is the path that all of the server is below."""
    return [Route(prefix + CALLBACK, callback)]


async def callback(request: Request) -> Response:
    """Take Spotify's answer, then show how it went at an address that says nothing of it."""
    asked = request.query_params
    if "outcome" in asked:
        return _page(asked["outcome"])
    outcome = arrive(
        asked.get("state", ""),
        asked.get("code", ""),
        asked.get("error", ""),
        request.cookies.get(COOKIE, ""),
    )
    return RedirectResponse(f"?outcome={outcome.name.lower()}", 303, _HEADERS)


def _page(name: str) -> Response:
    outcome = Outcome.__members__.get(name.upper(), Outcome.UNKNOWN)
    arrived = outcome is Outcome.ARRIVED
    heading = "Signed in with Spotify" if arrived else "Not signed in"
    page = _PAGE.format(heading=heading, said=f"{outcome.value} This tab can be closed.")
    return HTMLResponse(page, headers=_HEADERS)


class BrowserCookie:
    """ASGI middleware that gives each browser a random name of its own, with its first document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_nameless(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", _cookie(HTTPConnection(scope)))
            await send(message)

        await self._app(scope, receive, named)


def _is_nameless(asked: HTTPConnection) -> bool:
    """Whether a browser without a name asks for a document; the answer may well be a bare 304."""
    return COOKIE not in asked.cookies and "text/html" in asked.headers.get("accept", "")


def _cookie(asked: HTTPConnection) -> str:
    """A new browser's cookie; it ends with the browser's own session.

    Lax, because the callback is a visit from Spotify's site.
    """
    scheme = asked.headers.get("x-forwarded-proto", asked.url.scheme)
    secure = "; Secure" if scheme.startswith("https") else ""
    return f"{COOKIE}={secrets.token_urlsafe(_LETTERS)}; Path=/; HttpOnly; SameSite=Lax{secure}"
