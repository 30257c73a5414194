"""The API beside pages, on one port: made when it is first asked, for pages need none of it."""

import threading

import anyio
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import SegueError
from core.workspace import Workspace

PATHS = ("/ping", "/invocations", "/metrics", "/openapi.json", "/api/{rest:path}")
"""What the API answers."""


def api_routes(prefix: str = "") -> list[Route]:
    """Routes of `PATHS` to the API.

    Parameters
    ----------
    prefix : str
        Path that all of the server is below, such as "/segue"; empty for the root.
    """
    api = _WhenAsked(prefix)
    return [Route(prefix + path, api) for path in PATHS]


class _WhenAsked:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._api: ASGIApp | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._api
        if api is None:
            api = await anyio.to_thread.run_sync(self._make)
        root = scope.get("root_path", "") + self._prefix
        await api({**scope, "root_path": root}, receive, send)

    def _make(self) -> ASGIApp:
        from core.serving.api import create_api
        from core.serving.problems import problem

        try:
            with self._lock:
                self._api = self._api or create_api(Workspace())
                return self._api
        except SegueError as mistake:
            return problem(503, str(mistake))
