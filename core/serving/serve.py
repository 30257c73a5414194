"""The HTTP API alone, without pages."""

import socket
from collections.abc import Callable

import uvicorn

from core.errors import SegueError
from core.serving.api import create_api
from core.serving.limits import MOST_REQUESTS
from core.serving.opened import first_dataset, opened
from core.workspace import Workspace

_BACKLOG = 2048
"""Connections that wait; Python's own default is far fewer than clients that come at once."""
CONNECTIONS = 4 * MOST_REQUESTS
"""That are open; more are answered 503 and closed, whatever they ask."""


def serve(
    workspace: Workspace,
    dataset: str | None,
    host: str,
    port: int,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Answer over HTTP until interrupted; models are loaded before the first request is taken.

    Parameters
    ----------
    workspace : Workspace
    dataset : str or None
        Whose models answer; None for `first_dataset`.
    host : str
        Address to listen on.
    port : int
        0 for any that is free.
    on_ready : callable, optional
        Told the address as soon as connections are taken.

    Raises
    ------
    SegueError
        If there is no such dataset, no model is trained on it, the token of the environment is
        none, or nothing can listen there.
    """
    name = dataset or first_dataset(workspace)
    if name is None:
        raise SegueError(f"There is no dataset in {workspace.folder}: import one first.")
    api = create_api(workspace, name)
    opened(workspace, name).warm()
    with _listening(host, port) as taken:
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{taken.getsockname()[1]}")
        config = uvicorn.Config(
            api, log_level="warning", lifespan="off", limit_concurrency=CONNECTIONS
        )
        uvicorn.Server(config).run(sockets=[taken])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]  # then the address once more
        raise SegueError(f"Nothing can listen on {host}:{port} ({why}).") from error
    except (TypeError, UnicodeError) as error:
        raise SegueError(f"{host!r} cannot name a host.") from error
