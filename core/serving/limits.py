"""What one server takes on: how large a request is, how many are there, how long they may take."""

import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

MOST_BYTES = 1_000_000
"""Of a request's body."""
MOST_REQUESTS = 128
"""That are read, wait, are worked on or are sent their answer, all together."""
READING_S, ANSWERING_S = 15.0, 40.0
"""For a whole body to arrive; from then until the last part of its answer is begun.

Together less than the minute that SageMaker waits for an answer.
"""
_RETRY = {"Retry-After": "5"}

Step = Callable[[Callable[[], Any]], Awaitable[Any]]


class LeftError(Exception):
    """Who asked does not wait for the answer any more."""


class Turns:
    """Requests have their turns in the order they came, as many at once as there are cores."""

    def __init__(self) -> None:
        self._turns = anyio.CapacityLimiter(os.cpu_count() or 1)
        self._threads = anyio.CapacityLimiter(math.inf)
        self._present = 0

    async def admitted(self) -> AsyncIterator[None]:
        """Give a request a place until its answer is sent; 503 where there is none.

        A dependency of routes.
        """
        if self._present >= MOST_REQUESTS:
            raise HTTPException(503, "Too many requests are here already; ask later.", _RETRY)
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[Step]:
        """Wait for a request's turn; yields what does one step of its work in a thread.

        No step is begun for who has left, or too late: `LeftError`, or 503.
        """
        end = anyio.current_time() + ANSWERING_S

        async def step(work: Callable[[], Any]) -> Any:
            if await request.is_disconnected():
                raise LeftError
            if anyio.current_time() > end:
                said = (
                    f"It would take longer than {ANSWERING_S:g} s; ask for less at once, or later."
                )
                raise HTTPException(503, said, _RETRY)
            return await anyio.to_thread.run_sync(work, limiter=self._threads)

        async with self._turns:
            yield step


async def body_of(request: Request) -> bytes:
    """The whole body of a request; 413 where it is too large, 408 where it does not arrive.

    `LeftError` where its sender goes away before it has arrived.
    """
    body = bytearray()
    try:
        with anyio.fail_after(READING_S):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise HTTPException(413, f"The body has more than {MOST_BYTES:,} bytes.")
    except TimeoutError:
        said = f"The body did not arrive within {READING_S:g} s."
        raise HTTPException(408, said, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise LeftError from None
    return bytes(body)
