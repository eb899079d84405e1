"""Requests to a server's API, as whoever is logged in there."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from pydantic import TypeAdapter

from wisqu_pipelines.cli import credentials
from wisqu_pipelines.errors import (
    BadInput,
    NotLoggedIn,
    ServerFailed,
    ServerRefused,
    ServerUnavailable,
    ServerUnreachable,
    TokenRefused,
)
from wisqu_pipelines.identity.service import Identity, Login

SECONDS = 60.0
"""How long an answer may take."""
ATTEMPTS = 3
SECONDS_BETWEEN = 0.5
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
Answer = TypeVar("Answer")


class Server:
    """An API, and the login that is kept for it."""

    def __init__(self, address: str, transport: httpx.BaseTransport | None = None) -> None:
        """Talk to the API at `address`; nothing is connected yet.

        Raises:
            BadInput: it is no address, or tokens would go over the network in the clear.
        """
        self.address = checked(address)
        self._client = httpx.Client(base_url=f"{self.address}/v1", timeout=SECONDS, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def login(self, email: str, password: str) -> Login:
        """Log in with a password.

        Raises:
            ServerRefused, ServerFailed, ServerUnavailable: the server says no, or nothing.
        """
        return self._login(self._once("POST", "/login", json={"email": email, "password": password}))

    def logout(self, *, everywhere: bool) -> int:
        """End this login, or all of one's own; returns how many ended. Errors as of `get`."""
        answer: dict[str, int] = self.post(dict[str, int], "/logout", {"everywhere": everywhere})
        return answer["ended"]

    def change_password(self, present: str, new: str) -> int:
        """Give oneself another password; returns how many logins ended. Errors as of `get`."""
        body = {"present": present, "password": new}
        answer: dict[str, int] = self.put(dict[str, int], "/me/password", body)
        return answer["ended"]

    def get(self, kind: type[Answer] | Any, path: str, /, *, seconds: float = SECONDS, **query: Any) -> Answer:
        """What the server answers within so many seconds to a GET, read as `kind`.

        Raises:
            NotLoggedIn: nobody is logged in there, or not any more.
            ServerRefused, ServerFailed, ServerUnavailable: the server says no, or nothing.
        """
        given = {name: value for name, value in query.items() if value is not None}
        answer: Answer = self._read(kind, self._asked("GET", path, params=given, timeout=seconds))
        return answer

    def post(self, kind: type[Answer] | Any, path: str, body: Any = None, *, seconds: float = SECONDS) -> Answer:
        """What the server answers within so many seconds to a POST. It is sent again if the answer is lost, and done
        once.

        Raises:
            NotLoggedIn, ServerRefused, ServerFailed, ServerUnavailable: as of `get`.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        answer: Answer = self._read(kind, self._asked("POST", path, json=body or {}, headers=headers, timeout=seconds))
        return answer

    def put(self, kind: type[Answer] | Any, path: str, body: Any) -> Answer:
        """What the server answers to a PUT. Errors as of `get`."""
        answer: Answer = self._read(kind, self._asked("PUT", path, json=body))
        return answer

    def delete(self, kind: type[Answer] | Any, path: str) -> Answer:
        """What the server answers to a DELETE. Errors as of `get`."""
        answer: Answer = self._read(kind, self._asked("DELETE", path))
        return answer

    def lines(self, kind: type[Answer] | Any, path: str) -> Iterator[Answer]:
        """What the server answers line by line; one is held at a time. Errors as of `get`."""
        adapter = TypeAdapter(kind)
        try:
            with self._client.stream("GET", path, headers=self._bearer()) as response:
                if response.is_error:
                    response.read()
                    self._check(response)
                for line in response.iter_lines():
                    yield adapter.validate_json(line)
        except httpx.TransportError as error:
            raise self._unavailable(error) from None

    def whoami(self) -> Identity:
        """Who is logged in there.

        Raises:
            NotLoggedIn, ServerRefused, ServerFailed, ServerUnavailable: as of `get`.
        """
        return self.get(Identity, "/me")

    def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer to a request that may be sent again."""
        headers = request.pop("headers", {}) | self._bearer()
        lost: ServerUnavailable | None = None
        for left in reversed(range(ATTEMPTS)):
            try:
                return self._once(method, path, headers=headers, **request)
            except TokenRefused:
                raise self._over() from None
            except ServerUnavailable as error:
                if lost is None or isinstance(lost, ServerUnreachable):
                    lost = error  # an earlier attempt may have been heard
                if not left:
                    raise lost from None
                time.sleep(SECONDS_BETWEEN)
        raise AssertionError

    def _once(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise self._unavailable(error) from None
        self._check(response)
        return response

    def _check(self, response: httpx.Response) -> None:
        """Tell a problem as an error of ours."""
        if not response.is_error:
            return
        try:
            problem = response.json()
            title, told = str(problem["title"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            title, told = "HttpError", f"The server {self.address} answered with the status {response.status_code}."
        if title == "TokenRefused":
            raise TokenRefused(reason="the server does not take its token")
        if response.is_server_error:
            raise ServerFailed(message=told, error=title)
        raise ServerRefused(message=told, error=title)

    def _bearer(self) -> dict[str, str]:
        def refresh(token: str) -> Login:
            return self._login(self._once("POST", "/refresh", json={"refresh_token": token}))

        try:
            kept = credentials.usable(self.address, datetime.now(UTC), refresh)
        except TokenRefused:
            raise self._over() from None
        return _bearer(kept.access_token)

    def _login(self, response: httpx.Response) -> Login:
        given = response.json()
        who = self._once("GET", "/me", headers=_bearer(given["access_token"]))
        return Login(
            given["access_token"],
            datetime.fromisoformat(given["expires_at"]),
            given["refresh_token"],
            datetime.fromisoformat(given["refresh_expires_at"]),
            self._read(Identity, who),
        )

    def _read(self, kind: type[Answer] | Any, response: httpx.Response) -> Answer:
        read: Answer = TypeAdapter(kind).validate_json(response.content)
        return read

    def _over(self) -> NotLoggedIn:
        return NotLoggedIn(message=f"The login at {self.address} is over; {credentials.AGAIN}.")

    def _unavailable(self, error: httpx.TransportError) -> ServerUnavailable:
        is_unheard = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        kind = ServerUnreachable if is_unheard else ServerUnavailable
        return kind(server=self.address, cause=f"{type(error).__name__}: {error}")


def checked(address: str) -> str:
    """A server's address, without a slash at its end.

    Raises:
        BadInput: it is none, or tokens would go over the network in the clear.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise BadInput(what=f"the server '{address}'", reason="say it as https://HOST[:PORT]")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        reason = "tokens go over https, and over http only to this machine itself"
        raise BadInput(what=f"the server '{address}'", reason=reason)
    return address.rstrip("/")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
