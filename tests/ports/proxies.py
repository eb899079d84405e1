"""Real servers between a client and a store, which do what networks and busy servers do."""

import http.client
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case names."""


@dataclass(frozen=True)
class Forward:
    """Let the request through, and the answer back."""

    lose_answer: bool = False
    """Close the connection instead of answering."""
    cut_answer_at: int | None = None
    """Close the connection after so many bytes of the answer's body."""
    path: str | None = None
    """Ask for another path than the client did."""


@dataclass(frozen=True)
class Drop:
    """Close the connection; the request reaches nobody."""


@dataclass(frozen=True)
class Answer:
    """Answer instead of the store."""

    status: int
    body: bytes = b""
    content_type: str = "application/xml"
    headers: dict[str, str] = field(default_factory=dict)
    forward_after: float | None = None
    """Seconds after which the store gets the request all the same."""


Action = Forward | Drop | Answer
Plan = Callable[[Request], Action]


class HttpProxy(ThreadingHTTPServer):
    """Hands requests to a store, or does with them what the plan says."""

    daemon_threads = True

    def __init__(self, upstream: str, plan: Plan) -> None:
        super().__init__((HOST, 0), _Handler)
        self.upstream = upstream
        self.plan = plan
        self.seen: list[Request] = []

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpProxy

    def log_message(self, *args: object) -> None: ...

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        self.server.seen.append(request)
        match self.server.plan(request):
            case Drop():
                self._hang_up()
            case Answer() as answer:
                self._answer(answer)
                if answer.forward_after is not None:
                    time.sleep(answer.forward_after)
                    self._forward(Forward(), body)
            case Forward(lose_answer=lose, cut_answer_at=cut) as forward:
                status, headers, content = self._forward(forward, body)
                if lose:
                    self._hang_up()
                else:
                    self._send(status, headers, content, cut)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815

    def _forward(self, forward: Forward, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=30)
        try:
            connection.putrequest(self.command, forward.path or self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)  # Host too: it is signed
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
            return response.status, response.getheaders(), content
        finally:
            connection.close()

    def _answer(self, answer: Answer) -> None:
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        self._send(answer.status, headers + list(answer.headers.items()), answer.body)

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, cut: int | None = None) -> None:
        self.send_response_only(status)
        named = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if "content-length" not in named:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if cut is None else content[:cut])
        self.wfile.flush()
        if cut is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def http_proxy(upstream: str, plan: Plan) -> Iterator[HttpProxy]:
    """A proxy in front of `upstream` (host and port)."""
    proxy = HttpProxy(upstream, plan)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


def first(times: int, action: Action, matching: Callable[[Request], bool] = lambda _: True) -> Plan:
    """Do something to the first requests that match, and let all others through."""
    lock, left = threading.Lock(), [times]

    def plan(request: Request) -> Action:
        with lock:
            if left[0] and matching(request):
                left[0] -= 1
                return action
        return Forward()

    return plan


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def flaky_relay(host: str, port: int, failures: int) -> Iterator[int]:
    """A TCP relay to a server that hangs up on the first connections, as a server does that is just coming back.

    Yields its port.
    """
    lock, left = threading.Lock(), [failures]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with lock:
                if left[0]:
                    left[0] -= 1
                    return
            with socket.create_connection((host, port)) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, self.request), daemon=True)
                back.start()
                _pump(self.request, upstream)
                back.join()

    with _Relay((HOST, 0), Handler) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield int(relay.server_address[1])
        finally:
            relay.shutdown()
            thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
