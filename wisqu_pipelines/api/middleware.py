"""What every request passes: an id, limits on its body, headers against misuse, figures and a line in the log."""

import json
import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wisqu_pipelines.api.problems import MEDIA_TYPE

MOST_BYTES = 1_000_000
"""Of a request's body."""
DEEPEST = 20
"""Brackets within brackets of a JSON body."""
REQUEST_ID = "x-request-id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""As OWASP's REST security cheat sheet lists them."""
LOG = structlog.get_logger("wisqu.api")


class Figures:
    """What is counted for Prometheus; by route and never by path, so that nobody's id becomes a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Count in a registry."""
        labels = ("method", "route", "status")
        self.requests = Counter("wisqu_api_requests", "Requests that were answered.", labels, registry=registry)
        self.seconds = Histogram(
            "wisqu_api_request_seconds", "How long an answer took.", ("method", "route"), registry=registry
        )


class EveryRequest:
    """Pure ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp, figures: Figures, clock: Callable[[], float] = time.perf_counter) -> None:
        """Stand before an app."""
        self._app = app
        self._figures = figures
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = self._clock(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers[REQUEST_ID] = request_id
            await send(message)

        try:
            body = await self._body(scope, receive)
            if isinstance(body, str):
                await _refuse(body, request_id, answer)
            else:
                await self._app(scope, _replayed(body, receive), answer)
        finally:
            took = self._clock() - started
            route = getattr(scope.get("route"), "path", "none")
            self._figures.requests.labels(scope["method"], route, str(status)).inc()
            self._figures.seconds.labels(scope["method"], route).observe(took)
            person = scope["state"].get("person")  # whose token it was, also where it was refused then
            LOG.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(took * 1_000, 1),
                person=None if person is None else str(person),
            )

    @staticmethod
    async def _body(scope: Scope, receive: Receive) -> bytes | str:
        """The whole body, or why it is too large."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > MOST_BYTES:
                return f"it has more than {MOST_BYTES} bytes"
            parts.append(part)
            if not message.get("more_body", False):
                break
        body = b"".join(parts)
        if body and "json" in Headers(scope=scope).get("content-type", "json").lower() and _depth(body) > DEEPEST:
            return f"it is nested deeper than {DEEPEST} levels"
        return body


def _depth(body: bytes) -> int:
    """How deep a JSON text is nested, at most; brackets in strings do not count."""
    deepest = depth = 0
    in_string = escaped = False
    for byte in body:
        if escaped:
            escaped = False
        elif in_string:
            escaped, in_string = byte == 0x5C, byte != 0x22
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()  # what comes now is the disconnection
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(reason: str, request_id: str, send: Send) -> None:
    body = json.dumps(
        {
            "type": "urn:wisqu:problem:TooLarge",
            "title": "TooLarge",
            "status": 413,
            "detail": f"The request is too large: {reason}.",
            "request_id": request_id,
        }
    ).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
