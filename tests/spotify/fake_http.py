"""What the parts of the fake Spotify pass to each other: a call, its answer or its refusal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Delivery = Literal["whole", "never", "dropped", "cut"]


@dataclass(frozen=True)
class Call:
    """One request, read: a path without its last slash, the query, and the body's JSON or form."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    authorization: str | None = field(default=None, repr=False)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query, refused as Spotify does where it is out of bounds."""
        return bounded(name, self.query.get(name, default), least, most)


@dataclass(frozen=True)
class Answer:
    """What is sent back; a text is sent as a page of HTML, anything else as JSON."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = "whole"
    delay_s: float = 0

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()

    @property
    def content_type(self) -> str:
        kind = "text/html" if isinstance(self.body, str) else "application/json"
        return self.headers.get("Content-Type", f"{kind}; charset=utf-8")


class WebApiError(Exception):
    """An error in the words and the shape of the Web API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer({"error": {"status": status, "message": message}}, status)


class AccountsError(WebApiError):
    """An error in the shape of the accounts service, which is that of OAuth 2 (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, error)
        self.answer = Answer({"error": error, "error_description": description}, status)


def bounded(name: str, given: object, least: int, most: int) -> int:
    """A whole number within its bounds, or 400."""
    text = str(given)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise WebApiError(400, f"Invalid {name}")
    return int(text)
