"""Requests that are larger than is asked for."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LimitedBody:
    """ASGI middleware that stops reading a body beyond `most` bytes, whatever length it claims."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise HTTPException(413, f"The body has more than {self._most:,} bytes.")
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)
