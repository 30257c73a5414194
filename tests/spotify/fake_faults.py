"""What can go wrong with an answer of the fake Spotify, and when."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.spotify.fake_http import Answer, Call

_MESSAGES = {
    400: "Bad request",
    401: "The access token expired",
    403: "Forbidden",
    404: "Resource not found",
    429: "API rate limit exceeded",
    500: "Server error",
    502: "Bad gateway",
    503: "Service unavailable",
}
_ERROR_PAGE = "<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"


@dataclass
class Fault:
    """One kind of failure of the calls that fit, after `after` of them and `times` times.

    Where `processed` is true, the server does what it is asked and then fails.
    """

    kind: int | str
    path: str
    method: str | None
    times: float
    after: int
    processed: bool
    details: Mapping[str, Any]

    def strikes(self, call: Call) -> bool:
        """Whether this call is struck, which is counted."""
        if self.method not in (None, call.method) or not re.search(self.path, call.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0

    def spoil(self, call: Call, answer: Callable[[], Answer]) -> Answer:
        """What is sent in place of the answer; asking for the answer does what the call wants."""
        if self.kind in _BEFORE:
            _BEFORE[self.kind](call, self.details)
            return answer()
        if self.kind in _SPOILT:
            return _SPOILT[self.kind](answer(), self.details)
        if self.processed:
            answer()
        if isinstance(self.kind, int):
            return _error(self.kind, call, self.details)
        return _INSTEAD[self.kind](self.details)


def _error(status: int, call: Call, details: Mapping[str, Any]) -> Answer:
    message = details.get("message", _MESSAGES.get(status, "Error"))
    headers = {}
    if status == 429 and details.get("retry_after", 1) is not None:
        headers["Retry-After"] = str(details.get("retry_after", 1))
    if call.path.startswith("/api/"):
        return Answer({"error": message, "error_description": message}, status, headers)
    return Answer({"error": {"status": status, "message": message}}, status, headers)


def _html(details: Mapping[str, Any]) -> Answer:
    return Answer(_ERROR_PAGE, details.get("status", 502))


def _other(details: Mapping[str, Any]) -> Answer:
    return Answer(details["body"], details.get("status", 200), details.get("headers", {}))


def _never(details: Mapping[str, Any]) -> Answer:
    return Answer(None, delivery="never")


def _dropped(details: Mapping[str, Any]) -> Answer:
    return Answer(None, delivery="dropped")


def _truncated(answer: Answer, details: Mapping[str, Any]) -> Answer:
    half = answer.content[: len(answer.content) // 2]
    return replace(answer, body=half)


def _cut(answer: Answer, details: Mapping[str, Any]) -> Answer:
    return replace(answer, delivery="cut")


def _slow(answer: Answer, details: Mapping[str, Any]) -> Answer:
    return replace(answer, delay_s=details["seconds"])


def _missing(answer: Answer, details: Mapping[str, Any]) -> Answer:
    return replace(answer, body=_without(answer.body, set(details["fields"])))


def _null(answer: Answer, details: Mapping[str, Any]) -> Answer:
    fields = details.get("fields")
    return replace(answer, body=_nulled(answer.body, set(fields)) if fields else None)


def _meanwhile(call: Call, details: Mapping[str, Any]) -> None:
    details["do"](call)


def _overlap(call: Call, details: Mapping[str, Any]) -> None:
    playlist = call.path.split("/")[3]
    details["add_on_top"](playlist, details.get("by", 1))


_BEFORE: Mapping[int | str, Callable[[Call, Mapping[str, Any]], None]] = {
    "meanwhile": _meanwhile,
    "overlap": _overlap,
}
_INSTEAD = {"html": _html, "instead": _other, "timeout": _never, "drop": _dropped}
_SPOILT: Mapping[int | str, Callable[[Answer, Mapping[str, Any]], Answer]] = {
    "truncated": _truncated,
    "cut": _cut,
    "slow": _slow,
    "missing": _missing,
    "null": _null,
}
KINDS = {*_BEFORE, *_INSTEAD, *_SPOILT}


def _without(told: Any, names: set[str]) -> Any:
    if isinstance(told, list):
        return [_without(one, names) for one in told]
    if isinstance(told, dict):
        return {name: _without(one, names) for name, one in told.items() if name not in names}
    return told


def _nulled(told: Any, names: set[str]) -> Any:
    if isinstance(told, list):
        return [_nulled(one, names) for one in told]
    if isinstance(told, dict):
        return {name: None if name in names else _nulled(one, names) for name, one in told.items()}
    return told
