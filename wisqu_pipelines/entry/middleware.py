"""The middleware: reads the token of each request, and says to the app whose it is."""

from collections.abc import Sequence

import structlog
from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wisqu_pipelines.entry.entrance import Entrance
from wisqu_pipelines.entry.problems import answer_to
from wisqu_pipelines.errors import Failed, TokenRefused, WisquError
from wisqu_pipelines.identity.service import Origin

STATE, USER = "state", "user"
"""Where the user is: `request.state.user`."""
_SCHEME = b"bearer"
_POLICY_VIOLATION = 1008
"""The code with which a WebSocket is closed (RFC 6455); before it is accepted, servers make it a 403."""
_LAST = frozenset({"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"})
"""What an app says of its lifespan when it is over."""
_RESPONSE = "websocket.http.response"
LOG = structlog.get_logger("wisqu.entry")


class EntryMiddleware:
    """Pure ASGI. Who brings no token goes on as nobody, and the guards decide; who brings a bad one does not go on."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        """Stand before an app."""
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the app's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["type"] in {"http", "websocket"}:
            try:
                token = _token(scope["headers"])
                user = None if token is None else self._entrance.remembered(token)
                if token is not None and user is None:
                    user = await self._entrance.admit(token, _origin(scope))
            except WisquError as error:
                _write_down(error)
                await _refuse(error, scope, receive, send)
                return
            scope.setdefault(STATE, {})[USER] = user
        await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        feed = self._entrance.feed
        await to_thread.run_sync(feed.start)

        async def tell(message: Message) -> None:
            if message["type"] in _LAST:  # before it is told: a server waits for nothing after that
                await to_thread.run_sync(feed.close)
            await send(message)

        await self._app(scope, receive, tell)


def _token(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The token of the header `Authorization: Bearer`; None if there is none.

    Raises:
        TokenRefused: there are two of them, or an empty one.
    """
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return None
    if len(given) > 1:
        raise TokenRefused(reason="there are several headers with one")
    scheme, _, token = given[0].strip().partition(b" ")
    if scheme.lower() != _SCHEME:
        return None
    if not (found := token.strip()):
        raise TokenRefused(reason="it is empty")
    return found.decode("latin-1")


def _origin(scope: Scope) -> Origin:
    client = scope.get("client")
    agent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), None)
    return Origin(None if client is None else str(client[0]), agent)


def _write_down(error: WisquError) -> None:
    log = LOG.error if isinstance(error, Failed) else LOG.info
    log("not let in", error=error.code, because=str(error))


async def _refuse(error: WisquError, scope: Scope, receive: Receive, send: Send) -> None:
    prefix = "http"
    if scope["type"] == "websocket":
        prefix = "websocket.http"
        await receive()  # websocket.connect
        if _RESPONSE not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
    status, headers, body = answer_to(error)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    start: Message = {"type": f"{prefix}.response.start", "status": status, "headers": raw}
    await send(start)
    await send({"type": f"{prefix}.response.body", "body": body})
