"""S3 requests with as little work around them as can be: libcurl, connections that stay, a thin signature.

The `minio` SDK spends 1 ms of processor time on a copy, which is as long as the embedded server works on it; this
spends less than half.
"""

import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO
from xml.etree.ElementTree import ParseError, fromstring

import certifi
import pycurl

from wisqu_pipelines.settings import ObjectStoreSettings
from wisqu_pipelines.side_by_side import AHEAD
from wisqu_pipelines.storage.connections import CONNECT_SECONDS, READ_SECONDS
from wisqu_pipelines.storage.s3_signing import Signer, path_of

MOST_SECONDS = 1.0
"""How long it waits for connections before it looks at clocks."""
UPLOAD_BUFFER = 256 * 1024
"""Bytes of a long body that are read at a time."""
NO_CONNECTION_SECONDS = 0.005
"""How long where there are none to wait for, as while a name is looked up."""
_PASSING = {
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_GOT_NOTHING,
    pycurl.E_OPERATION_TIMEDOUT,
    pycurl.E_PARTIAL_FILE,
    pycurl.E_RECV_ERROR,
    pycurl.E_SEND_ERROR,
}
_READING = {"GET", "HEAD"}
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")


class WireError(Exception):
    """The request was not answered, or not with success. It names neither address nor request."""

    def __init__(self, status: int | None, code: str, *, passing: bool = False) -> None:
        """Keep what the server said: the HTTP status, and S3's code; or libcurl's number, as `curl 52`."""
        super().__init__(code or f"status {status}")
        self.status = status
        self.code = code
        self.passing = passing
        """Whether it is the network's trouble, which may pass."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is too long for memory, and is read as it is sent."""

    stream: BinaryIO
    """One that can be rewound, and is not used by anybody else meanwhile."""
    start: int
    """Where the body begins in it."""
    size: int
    """Bytes."""
    sha256: str
    """Hex."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request."""

    method: str
    """PUT, GET, HEAD."""
    bucket: str
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case names."""
    body: bytes | Upload = b""
    content_type: str = ""
    """Of the body."""
    sink: Callable[[bytes], object] | None = None
    """Is given the body of the answer piece by piece, also where it is no success; nobody: it is kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success."""

    headers: Mapping[str, str]
    """By lower-case names."""
    body: bytes


class Wire:
    """One S3 account. Safe to use from several threads: each request takes a connection that nobody else has."""

    def __init__(self, settings: ObjectStoreSettings) -> None:
        """Use the account that the settings name; nothing is connected yet."""
        scheme, usual = ("https", ":443") if settings.secure else ("http", ":80")
        host = settings.endpoint.removesuffix(usual)
        self._address = f"{scheme}://{host}"
        self._signer = Signer(settings.access_key, settings.secret_key, settings.region, host)
        self._idle: deque[pycurl.Curl] = deque()
        self._idle_groups: deque[_Group] = deque()

    def close(self) -> None:
        """Close the connections that are idle; the next request opens new ones."""
        while self._idle:
            self._idle.pop().close()
        while self._idle_groups:
            self._idle_groups.pop().close()

    def request(self, ask: Ask) -> Answer:
        """Send one request, once.

        Raises:
            WireError: it failed.
            ValueError: a header has a character that cannot be sent.
        """
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        try:
            way = self._way(curl, ask)
            curl.perform()
        except pycurl.error as error:
            curl.close()
            raise _broken(error.args[0]) from None
        except BaseException:
            curl.close()
            raise
        self._idle.append(curl)
        outcome = way.arrived()
        if isinstance(outcome, WireError):
            raise outcome
        return outcome

    def many(self, asks: Iterable[Ask], at_once: int) -> Generator[Answer | WireError, None, None]:
        """Send requests, each once, so many at a time: all of them in this thread, because threads that wait for each
        other's turns spend more processor time than the requests do. What becomes of each, in their order.

        Asks are taken as they are needed. Whoever stops listening closes this. What changes something ends first then:
        the server may do it all the same, after whoever stopped has cleaned up. What only reads is broken off.

        Raises:
            ValueError: a header has a character that cannot be sent.
        """
        group = self._idle_groups.pop() if self._idle_groups else _Group()
        coming = iter(asks)
        waiting: deque[_Way] = deque()
        try:
            while True:
                while len(group.flying) < at_once and len(waiting) < AHEAD * at_once:
                    if (ask := next(coming, None)) is None:
                        break
                    waiting.append(group.start(partial(self._way, ask=ask)))
                if not waiting:
                    break
                group.go_on(wait=waiting[0].outcome is None)
                while waiting and (outcome := waiting[0].outcome) is not None:
                    waiting.popleft()
                    yield outcome
        except BaseException:
            try:
                group.end_changes()
            finally:
                group.close()
            raise
        self._idle_groups.append(group)

    def _way(self, curl: pycurl.Curl, ask: Ask) -> "_Way":
        """Make a request ready to be sent."""
        path = path_of(ask.bucket, ask.key)
        digest = ask.body.sha256 if isinstance(ask.body, Upload) else hashlib.sha256(ask.body).hexdigest()
        headers = self._signer.signed(ask.method, path, "", ask.headers, digest)
        headers |= {"content-type": ask.content_type, "expect": ""}
        if any(_UNSENDABLE.search(value) for value in headers.values()):
            raise ValueError("a header has a control character")
        way = _Way(curl, is_change=ask.method not in _READING)
        curl.reset()  # options only: the connection stays
        curl.setopt(pycurl.URL, self._address + path)
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_SECONDS * 1000))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, int(READ_SECONDS))
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" if value else f"{name}:" for name, value in headers.items()])
        curl.setopt(pycurl.HEADERFUNCTION, way.head.append)
        curl.setopt(pycurl.WRITEFUNCTION, way.content.append if ask.sink is None else ask.sink)
        if isinstance(ask.body, Upload):
            _send(curl, ask.body)
        elif ask.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif ask.method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, ask.method)
            curl.setopt(pycurl.POSTFIELDS, ask.body)
        return way


@dataclass(slots=True, eq=False)
class _Way:
    """A request on its way."""

    curl: pycurl.Curl
    is_change: bool
    head: list[bytes] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    outcome: Answer | WireError | None = None

    def arrived(self) -> Answer | WireError:
        """What was answered."""
        status, body = self.curl.getinfo(pycurl.RESPONSE_CODE), b"".join(self.content)
        if status >= 300:
            return WireError(status, error_code(body))
        lines = (line.decode("latin-1").partition(":") for line in self.head)
        return Answer({name.strip().lower(): value.strip() for name, colon, value in lines if colon}, body)


class _Group:
    """Requests that one thread has on their way together, and their connections."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._idle: list[pycurl.Curl] = []
        self.flying: dict[pycurl.Curl, _Way] = {}

    def start(self, ready: "Callable[[pycurl.Curl], _Way]") -> "_Way":
        """Let one more go."""
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        way = ready(curl)
        self._multi.add_handle(curl)
        self.flying[curl] = way
        return way

    def go_on(self, *, wait: bool) -> None:
        """Do what can be done without waiting, or wait until something can be done; say of those that are over what
        became of them.
        """
        self._multi.perform()
        while not self._collect() and wait:
            if self._multi.select(MOST_SECONDS) < 0:  # there is no connection yet to wait for
                time.sleep(NO_CONNECTION_SECONDS)
            self._multi.perform()

    def _collect(self) -> bool:
        is_any_over = False
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for curl, code in [*((each, None) for each in good), *((each, code) for each, code, _ in bad)]:
                is_any_over = True
                way = self.flying.pop(curl)
                way.outcome = way.arrived() if code is None else _broken(code)
                self._multi.remove_handle(curl)
                self._idle.append(curl)
        return is_any_over

    def end_changes(self) -> None:
        """Wait for those that change something."""
        while any(way.is_change for way in self.flying.values()):
            self.go_on(wait=True)

    def close(self) -> None:
        """Break off what is on its way, and close the connections."""
        for curl in self.flying:
            self._multi.remove_handle(curl)
        for curl in (*self.flying, *self._idle):
            curl.close()
        self.flying.clear()
        self._idle.clear()
        self._multi.close()


def error_code(body: bytes) -> str:
    """S3's code in an answer's body, or nothing."""
    try:
        root = fromstring(body)  # noqa: S314 - expat expands no entities of a server that we trust with our data
    except ParseError:
        return ""
    return root.findtext("{*}Code") or "" if root.tag.endswith("Error") else ""


def _send(curl: pycurl.Curl, body: Upload) -> None:
    """Let a body be read when it is sent, by a PUT; from its start, also when libcurl has to send it once more."""

    def rewind(offset: int, _origin: int) -> int:
        body.stream.seek(body.start + offset)
        return int(pycurl.SEEKFUNC_OK)

    body.stream.seek(body.start)
    curl.setopt(pycurl.UPLOAD, 1)
    curl.setopt(pycurl.INFILESIZE_LARGE, body.size)
    curl.setopt(pycurl.UPLOAD_BUFFERSIZE, UPLOAD_BUFFER)
    curl.setopt(pycurl.READFUNCTION, body.stream.read)
    curl.setopt(pycurl.SEEKFUNCTION, rewind)


def _broken(code: int | str) -> WireError:
    return WireError(None, f"curl {code}", passing=code in _PASSING)
