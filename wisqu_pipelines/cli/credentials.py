"""Who is logged in on this machine, and where: tokens in a file that nobody else reads."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wisqu_pipelines.errors import NotLoggedIn
from wisqu_pipelines.identity.service import Login

VARIABLE = "WISQU_CREDENTIALS"
"""Where the file is, if not in the user's configuration folder."""
SERVER_VARIABLE = "WISQU_SERVER"
"""The API that commands go through, instead of the one that was logged in at last; empty: none."""
AGAIN = "log in again with 'wisqu login EMAIL'"


@dataclass(frozen=True, slots=True)
class Kept:
    """A login as it is kept."""

    access_token: str
    access_expires_at: datetime
    refresh_token: str
    email: str


@dataclass(frozen=True)
class _Content:
    server: str | None = None
    """The API that commands go through; None: they work on the stores themselves."""
    logins: dict[str, Kept] = field(default_factory=dict)
    """By place: a server's address, or the issuer of the settings."""


_FORMAT = TypeAdapter(_Content)


def path() -> Path:
    """The file of the tokens."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "wisqu" / "credentials.json"


def server() -> str | None:
    """The API that commands go through; None: they work on the stores themselves.

    Raises:
        NotLoggedIn: the file cannot be used.
    """
    given = os.environ.get(SERVER_VARIABLE)
    return _read().server if given is None else given.rstrip("/") or None


def keep(place: str, login: Login, *, at_server: bool) -> None:
    """Keep a login's tokens in the file (mode 0600), instead of an earlier one's.

    Args:
        place: A server's address, or the issuer of the settings.
        login: What was given.
        at_server: Whether commands go through that server from now on.
    """
    with _locked():
        content = _read()
        logins = content.logins | {place: _kept(login)}
        _write(_Content(place if at_server else None, logins))


def forget(place: str) -> None:
    """Take a login's tokens out of the file; commands no longer go through that server."""
    with _locked():
        content = _read()
        logins = {known: kept for known, kept in content.logins.items() if known != place}
        _write(_Content(None if content.server == place else content.server, logins))


def is_kept(place: str) -> bool:
    """Whether somebody logged in there."""
    return place in _read().logins


def usable(place: str, now: datetime, refresh: Callable[[str], Login]) -> Kept:
    """The login that is kept for a place; an access token that has ended is exchanged for the next one.

    Of several commands at once one exchanges it, as a refresh token is used once.

    Args:
        place: A server's address, or the issuer of the settings.
        now: The time.
        refresh: Exchanges a refresh token.

    Raises:
        NotLoggedIn: nobody is logged in there, or the file cannot be used.
        TokenRefused: the exchange is refused.
    """
    kept = _of(place)
    if kept.access_expires_at > now:
        return kept
    with _locked():
        kept = _of(place)
        if kept.access_expires_at <= now:
            kept = _kept(refresh(kept.refresh_token))
            content = _read()
            _write(replace(content, logins=content.logins | {place: kept}))
    return kept


def _of(place: str) -> Kept:
    kept = _read().logins.get(place)
    if kept is None:
        where = f"at {place}" if place == server() else "here"
        raise NotLoggedIn(message=f"Nobody is logged in {where}; do so with 'wisqu login EMAIL'.")
    return kept


def _kept(login: Login) -> Kept:
    return Kept(login.access_token, login.access_expires_at, login.refresh_token, login.identity.email)


def _read() -> _Content:
    file = path()
    try:
        if not file.exists():
            return _Content()
        if file.stat().st_mode & 0o077:
            message = f"The file {file} can be read by others, so its tokens are not used; remove it and {AGAIN}."
            raise NotLoggedIn(message=message)
        return _FORMAT.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"The file {file} cannot be used ({type(error).__name__}); remove it and {AGAIN}."
        raise NotLoggedIn(message=message) from None


def _write(content: _Content) -> None:
    file = path()
    draft = file.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(_FORMAT.dump_json(content))
    draft.replace(file)


@contextmanager
def _locked() -> Iterator[None]:
    """Keep other commands from writing the file."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
