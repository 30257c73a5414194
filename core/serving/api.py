"""The HTTP API: what plays next, search, models; described by its own OpenAPI document.

`GET /ping` and `POST /invocations` are what SageMaker asks of a container
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html); a body of
`{"instances": [...]}` gets `{"predictions": [...]}`, as TensorFlow Serving's clients expect
(https://www.tensorflow.org/tfx/serving/api_rest). Errors are problem details (RFC 9457).
"""

import hmac
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import anyio
import pyarrow as pa
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from core.errors import SegueError
from core.query import answer
from core.ranking.ranker import LABEL, RANKER, SOURCE
from core.recommender import FUSION
from core.retrieval import MODELS
from core.serving.limits import LimitedBody
from core.serving.metrics import Measured
from core.serving.opened import Opened, first_dataset, opened
from core.serving.schema import (
    MOST_LETTERS,
    TOKEN,
    BatchIn,
    Found,
    Invocation,
    Matches,
    ModelOut,
    Models,
    Prediction,
    Predictions,
    Problem,
    QueryIn,
    prediction,
)
from core.workspace import Workspace

PROBLEM_JSON = "application/problem+json"
MOST_BYTES = 1_000_000
"""Of a request's body."""
MOST_FOUND = 50

_FUSED = "All models, fused"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}},
    }
    for status in (400, 401, 413, 415, 422, 503)
}
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
    """
    api = FastAPI(
        title="Segue",
        version="1",
        description="What should play next? Continues playlists by their tracks, title, or both.",
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
    )
    api.add_exception_handler(SegueError, _on_mistake)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(StarletteHTTPException, _on_refusal)
    api.add_exception_handler(Exception, _on_fault)
    _add_routes(
        api,
        _answering(workspace, dataset),
        _admission(token or os.environ.get(TOKEN) or ""),
    )
    api.add_middleware(LimitedBody, most=MOST_BYTES)
    measured = Measured()
    api.add_middleware(measured.middleware)
    api.add_route("/metrics", measured.report, include_in_schema=False)
    return api


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

    def admit(shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        given = shown.credentials if shown else ""
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise HTTPException(
                401, "Show the bearer token of this server.", {"WWW-Authenticate": "Bearer"}
            )

    return [Depends(admit)] if token else []


def _add_routes(api: FastAPI, now: Callable[[], Opened], guarded: list[Any]) -> None:
    threads = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def working(work: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(work, limiter=threads)

    @api.get("/ping", summary="Whether there is something to answer from")
    async def ping() -> dict[str, str]:
        here = await working(lambda: now().recommender.dataset.name)
        return {"status": "ok", "dataset": here}

    @api.post("/invocations", summary="Continue playlists", dependencies=guarded)
    async def invocations(body: Invocation) -> Prediction | Predictions:
        return await working(lambda: _invoked(now(), body))

    @api.get("/api/search", summary="Find tracks or artists by name", dependencies=guarded)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=MOST_LETTERS, description="Words typed.")],
        kind: Annotated[str, Query(pattern="^(tracks|artists)$")] = "tracks",
        k: Annotated[int, Query(ge=1, le=MOST_FOUND, description="Results, at most.")] = 10,
    ) -> Matches:
        return await working(lambda: _found(now(), q, kind, k))

    @api.get("/api/models", summary="What may answer, the default first", dependencies=guarded)
    async def models() -> Models:
        return await working(lambda: _models(now()))


def _invoked(here: Opened, body: QueryIn | BatchIn) -> Prediction | Predictions:
    def one(asked: QueryIn) -> Prediction:
        return prediction(answer(here.recommender, asked.query(here.dataset, here.matcher)))

    if isinstance(body, QueryIn):
        return one(body)
    return Predictions(predictions=[one(asked) for asked in body.instances])


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
            ModelOut(name=name, label=label, default=name == names[0], source=source)
            for name in names
            for label, source in [_described(name)]
        ],
    )


def _described(name: str) -> tuple[str, str]:
    if name == RANKER:
        return LABEL, SOURCE
    return (_FUSED, "") if name == FUSION else (MODELS[name].label, MODELS[name].source)


# --- errors ---


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, headers, PROBLEM_JSON)


async def _on_mistake(_: Request, error: Exception) -> Response:
    return _problem(422, str(error))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
        return _problem(415, "Send JSON, and say so: Content-Type: application/json.")
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "batch"))
    return _problem(422, f"{where}: {first['msg']}.")


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _on_fault(_: Request, __: Exception) -> Response:
    return _problem(500, "Segue failed at this request; its log says how.")
