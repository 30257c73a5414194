"""The HTTP API: what plays next, search, models; described by its own OpenAPI document.

`GET /ping` and `POST /invocations` are what SageMaker asks of a container
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html); a body of
`{"instances": [...]}` gets `{"predictions": [...]}`, as TensorFlow Serving's clients expect
(https://www.tensorflow.org/tfx/serving/api_rest). Errors are problem details (RFC 9457).
"""

import hmac
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import SegueError
from core.query import answer
from core.recommender import label_of, source_of
from core.serving.limits import Turns, body_of
from core.serving.metrics import Measured
from core.serving.opened import Opened, first_dataset, opened
from core.serving.problems import add_handlers, described, invalid_body
from core.serving.schema import (
    INVOCATION,
    MOST_LETTERS,
    TOKEN,
    BatchIn,
    Found,
    Matches,
    ModelOut,
    Models,
    Prediction,
    Predictions,
    QueryIn,
    bearer,
    body_schema,
    prediction,
)
from core.workspace import Workspace

MOST_FOUND = 50

_ALWAYS = (500, 503)
_JSON = re.compile(
    r"|application/(json|octet-stream|x-www-form-urlencoded)|[\w.-]+/[\w.-]+\+json", re.ASCII
)
"""What a body of JSON may be called: nothing, and what clients say who do not think of it."""
_BODY, _BODY_PARTS = body_schema("#/components/schemas/{model}")
_bearer = HTTPBearer(auto_error=False, description=f"Where the server has {TOKEN} set.")


def create_api(
    workspace: Workspace, dataset: str | None = None, token: str | None = None
) -> FastAPI:
    """The API as an ASGI application.

    Parameters
    ----------
    workspace : Workspace
    dataset : str, optional
        Whose models answer; by default the first of the workspace, at each request.
    token : str, optional
        What callers have to show as bearer (RFC 6750); by default the environment's
        SEGUE_API_TOKEN, and where there is none everyone may ask.

    Raises
    ------
    SegueError
        If nobody could show that token.
    """
    api = _Described(
        title="Segue",
        version="1",
        description="What should play next? Continues playlists by their tracks, title, or both. "
        "Whatever fails is answered by problem details (RFC 9457); 404 and 405 at other paths and "
        "by other methods, too.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_handlers(api)
    _add_routes(
        api,
        _answering(workspace, dataset),
        _admission(bearer(token or os.environ.get(TOKEN) or "")),
    )
    measured = Measured()
    api.add_middleware(measured.middleware)
    api.add_middleware(_HeadAsGet)
    api.add_route("/metrics", measured.report)
    return api


class _Described(FastAPI):
    """Describes also the body that is not read until the request has been let in."""

    def openapi(self) -> dict[str, Any]:
        said = super().openapi()
        said["components"]["schemas"] |= _BODY_PARTS
        return said


class _HeadAsGet:
    """ASGI middleware: servers leave out the body of what answers a HEAD (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope
        await self._app(asked, receive, send)


def _answering(workspace: Workspace, dataset: str | None) -> Callable[[], Opened]:
    def now() -> Opened:
        try:
            name = dataset or first_dataset(workspace)
            if name is None:
                raise SegueError("There is no dataset yet: import one, and train models on it.")
            here = opened(workspace, name)
            _ = here.recommender
            return here
        except SegueError as problem:  # not the caller's mistake
            raise HTTPException(503, str(problem)) from None

    return now


def _admission(token: str) -> list[Any]:
    """What a request has to pass: the bearer, where the server has one."""

    async def admit(
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> None:
        given = shown.credentials if shown else ""
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise HTTPException(
                401, "Show the bearer token of this server.", {"WWW-Authenticate": "Bearer"}
            )

    return [Depends(admit)] if token else []


def _add_routes(api: FastAPI, now: Callable[[], Opened], guards: Sequence[Any]) -> None:
    turns, pings = Turns(), Turns()
    guarded = [*guards, Depends(turns.admitted)]
    refused = (401, *_ALWAYS) if guards else _ALWAYS

    @api.get(
        "/ping", summary="Whether there is something to answer from", responses=described(*_ALWAYS)
    )
    async def ping(request: Request) -> dict[str, str]:
        async with pings.turn(request) as step:
            return {"status": "ok", "dataset": (await step(now)).dataset.name}

    @api.post(
        "/invocations",
        summary="Continue playlists",
        dependencies=guarded,
        response_model=Prediction | Predictions,
        responses=described(400, 408, 413, 415, 422, *refused),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": _BODY}}},
    )
    async def invocations(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not _JSON.fullmatch(kind):
            raise HTTPException(415, "Send JSON, and say so: Content-Type: application/json.")
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            raise HTTPException(
                415,
                "Send the body as it is, without Content-Encoding: it is not unpacked here.",
                {"Accept-Encoding": "identity"},
            )
        body = await body_of(request)
        async with turns.turn(request) as step:
            asked = await step(partial(_read, body))
            here = await step(now)
            if isinstance(asked, QueryIn):
                said = await step(partial(_predicted, here, asked))
            else:
                each = [await step(partial(_predicted, here, one)) for one in asked.instances]
                said = b'{"predictions":[' + b",".join(each) + b"]}"
        return Response(said, media_type="application/json")

    @api.get(
        "/api/search",
        summary="Find tracks or artists by name",
        dependencies=guarded,
        responses=described(422, *refused),
    )
    async def search(
        request: Request,
        q: Annotated[str, Query(min_length=1, max_length=MOST_LETTERS, description="Words typed.")],
        kind: Annotated[str, Query(pattern="^(tracks|artists)$")] = "tracks",
        k: Annotated[int, Query(ge=1, le=MOST_FOUND, description="Results, at most.")] = 10,
    ) -> Matches:
        async with turns.turn(request) as step:
            return await step(lambda: _found(now(), q, kind, k))

    @api.get(
        "/api/models",
        summary="What may answer, the default first",
        dependencies=guarded,
        responses=described(*refused),
    )
    async def models(request: Request) -> Models:
        async with turns.turn(request) as step:
            return await step(lambda: _models(now()))


def _read(body: bytes) -> QueryIn | BatchIn:
    try:
        return INVOCATION.validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from None


def _predicted(here: Opened, asked: QueryIn) -> bytes:
    """One answer as JSON: of many, its text takes a tenth of the memory of its objects."""
    found = answer(here.recommender, asked.query(here.dataset, here.matcher))
    return prediction(found).model_dump_json().encode()


def _found(here: Opened, q: str, kind: str, k: int) -> Matches:
    if kind == "artists":
        table = here.dataset.artists.take(pa.array(here.search.artists(q, k), pa.int64()))
        names = zip(table["uri"].to_pylist(), table["name"].to_pylist(), strict=True)
        return Matches(results=[Found(uri=uri, name=name) for uri, name in names])
    tracks = here.search.tracks(q, k)
    columns = ("uri", "title", "artist_name", "playlists")
    rows = zip(*(here.dataset.values(name, tracks) for name in columns), strict=True)
    return Matches(
        results=[
            Found(uri=uri, name=title, artist=artist, playlists=playlists)
            for uri, title, artist, playlists in rows
        ]
    )


def _models(here: Opened) -> Models:
    names = here.recommender.choices
    return Models(
        dataset=here.dataset.name,
        simulated=here.dataset.manifest["simulated"],
        models=[
            ModelOut(
                name=name, label=label_of(name), default=name == names[0], source=source_of(name)
            )
            for name in names
        ],
    )
