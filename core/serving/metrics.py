"""What is measured of the API, for Prometheus (https://prometheus.io/docs/concepts/metric_types/)."""

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NOWHERE = "other"


class Measured:
    """Counts, durations and requests in progress of one API, by route."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "segue_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "segue_request_seconds",
            "From a request's arrival to the end of its answer.",
            ["route"],
            buckets=_BOUNDS_S,
            registry=self._registry,
        )
        self._now = Gauge("segue_requests_now", "Requests in progress.", registry=self._registry)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """The application, measured."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status, began = "500", time.perf_counter()

            async def noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            with self._now.track_inprogress():
                try:
                    await app(scope, receive, noted)
                finally:
                    route = _route(scope)
                    self._requests.labels(route, status).inc()
                    self._seconds.labels(route).observe(time.perf_counter() - began)

        return measured

    async def report(self, _: Request) -> Response:
        """All figures in Prometheus' text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


def _route(scope: Scope) -> str:
    """The route's own path: what strangers ask for in vain must not grow the report."""
    return getattr(scope.get("route"), "path", _NOWHERE)
