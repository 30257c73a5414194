"""Errors as they go over the wire: problem details (RFC 9457), each one clear sentence."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from core.errors import SegueError
from core.serving.limits import LeftError
from core.serving.schema import Problem

PROBLEM_JSON = "application/problem+json"
_SHOWN = 80
"""Letters of a name that a caller made up."""
_UNASKED = {
    404: "There is nothing at this path; openapi.json says what there is.",
    405: "This path takes {Allow} alone.",
}
_LEFT = 499
"""What logs of web servers call it; nobody is there to be told."""


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Statuses of problems, for the description of a route."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}},
        }
        for status in statuses
    }


def add_handlers(api: FastAPI) -> None:
    """Let an application answer whatever goes wrong by a problem."""
    api.add_exception_handler(SegueError, _on_mistake)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(StarletteHTTPException, _on_refusal)
    api.add_exception_handler(LeftError, _on_left)
    api.add_exception_handler(Exception, _on_fault)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """One problem as a response."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content, status, headers, PROBLEM_JSON)


def invalid_body(error: ValidationError) -> HTTPException:
    """What a body is refused with: 400 where it is no JSON, 422 where it is not what is asked."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return HTTPException(400, f"The body is no JSON: {said.removeprefix('Invalid JSON: ')}.")
    _, *place = first["loc"]  # the first names the shape it was read as
    return HTTPException(422, _sentence(["body", *place], said))


def _sentence(place: Sequence[int | str], said: str) -> str:
    return f"{'.'.join(_cut(str(part)) for part in place)}: {said}."


def _cut(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


async def _on_mistake(_: Request, error: Exception) -> Response:
    return problem(422, str(error))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    _, *place = first["loc"]  # the first says that it is of the query
    return problem(422, _sentence(place, first["msg"]))


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    said = str(error.detail)
    if said == HTTPStatus(error.status_code).phrase:  # the framework's own, which says no more
        said = _UNASKED.get(error.status_code, said).format(**(error.headers or {}))
    return problem(error.status_code, said, error.headers)


async def _on_left(_: Request, __: Exception) -> Response:
    return Response(status_code=_LEFT)


async def _on_fault(_: Request, __: Exception) -> Response:
    return problem(500, "Segue failed at this request; its log says how.")
