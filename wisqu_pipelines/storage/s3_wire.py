"""Small S3 requests with as little work around them as can be: libcurl, connections that stay, a thin signature.

The `minio` SDK spends 1 ms of processor time on a copy, which is as long as the embedded server works on it; this
spends less than half.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError, fromstring

import certifi
import pycurl

from wisqu_pipelines.settings import ObjectStoreSettings
from wisqu_pipelines.storage.connections import CONNECT_SECONDS, READ_SECONDS
from wisqu_pipelines.storage.s3_signing import Signer, path_of

_PASSING = {
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_GOT_NOTHING,
    pycurl.E_OPERATION_TIMEDOUT,
    pycurl.E_PARTIAL_FILE,
    pycurl.E_RECV_ERROR,
    pycurl.E_SEND_ERROR,
}
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

    def close(self) -> None:
        """Close the connections that are idle; the next request opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def request(
        self,
        method: str,
        bucket: str,
        key: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        content_type: str = "",
    ) -> Answer:
        """Send one request, once.

        Args:
            method: PUT, GET, HEAD.
            bucket: Where.
            key: Of which object.
            headers: By lower-case names.
            body: Bytes to send.
            content_type: Of the body.

        Raises:
            WireError: it failed.
            ValueError: a header has a character that cannot be sent.
        """
        path = path_of(bucket, key)
        sent = self._signer.signed(method, path, "", headers, body) | {"content-type": content_type, "expect": ""}
        if any(_UNSENDABLE.search(value) for value in sent.values()):
            raise ValueError("a header has a control character")
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        try:
            answer, status = self._perform(curl, method, path, sent, body)
        except pycurl.error as error:
            curl.close()
            raise WireError(None, f"curl {error.args[0]}", passing=error.args[0] in _PASSING) from None
        except BaseException:
            curl.close()
            raise
        self._idle.append(curl)
        if status >= 300:
            raise WireError(status, error_code(answer.body))
        return answer

    def _perform(
        self, curl: pycurl.Curl, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Answer, int]:
        found: dict[str, str] = {}
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
        curl.setopt(pycurl.HEADERFUNCTION, _collector(found))
        if method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
            curl.setopt(pycurl.POSTFIELDS, body)
        content = curl.perform_rb()
        return Answer(found, content), curl.getinfo(pycurl.RESPONSE_CODE)


def error_code(body: bytes) -> str:
    """S3's code in an answer's body, or nothing."""
    try:
        root = fromstring(body)  # noqa: S314 - expat expands no entities of a server that we trust with our data
    except ParseError:
        return ""
    return root.findtext("{*}Code") or "" if root.tag.endswith("Error") else ""


def _collector(found: dict[str, str]) -> Callable[[bytes], None]:
    def collect(line: bytes) -> None:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()

    return collect
