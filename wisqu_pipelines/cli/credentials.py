"""Who is logged in on this machine: tokens in a file that nobody else reads."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wisqu_pipelines.errors import NotLoggedIn, TokenRefused
from wisqu_pipelines.identity.service import Identity, Login

if TYPE_CHECKING:
    from wisqu_pipelines.bootstrap import Services

VARIABLE = "WISQU_CREDENTIALS"
"""Where the file is, if not in the user's configuration folder."""
AGAIN = "log in again with 'wisqu login EMAIL'"


@dataclass(frozen=True, slots=True)
class Kept:
    """A login as it is kept; one for each identity service."""

    access_token: str
    access_expires_at: str
    refresh_token: str
    email: str


def path() -> Path:
    """The file of the tokens."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "wisqu" / "credentials.json"


def keep(issuer: str, login: Login) -> None:
    """Keep a login's tokens in the file (mode 0600), instead of an earlier one's."""
    everything = _read()
    kept = Kept(login.access_token, login.access_expires_at.isoformat(), login.refresh_token, login.identity.email)
    _write(everything | {issuer: asdict(kept)})


def forget(issuer: str) -> Kept | None:
    """Take a login's tokens out of the file; returns them."""
    everything = _read()
    gone = everything.pop(issuer, None)
    _write(everything)
    return None if gone is None else Kept(**gone)


def is_kept(opened: "Services") -> bool:
    """Whether somebody logged in here."""
    return opened.settings.identity.issuer in _read()


def identity(opened: "Services") -> Identity:
    """Who is logged in here; an access token that has ended is exchanged for the next one.

    Raises:
        NotLoggedIn: nobody is, or not any more.
    """
    issuer = opened.settings.identity.issuer
    found = _read().get(issuer)
    if found is None:
        raise NotLoggedIn(message="Nobody is logged in here; do so with 'wisqu login EMAIL'.")
    kept = Kept(**found)
    try:
        if datetime.fromisoformat(kept.access_expires_at) > opened.clock.now():
            return opened.identity.authenticate(kept.access_token)
        refreshed = opened.identity.refresh(kept.refresh_token)
    except TokenRefused as error:
        raise NotLoggedIn(message=f"The login of {kept.email} is over ({error.details['reason']}); {AGAIN}.") from None
    keep(issuer, refreshed)
    return refreshed.identity


def _read() -> dict[str, dict[str, str]]:
    file = path()
    try:
        if not file.exists():
            return {}
        if file.stat().st_mode & 0o077:
            message = f"The file {file} can be read by others, so its tokens are not used; remove it and {AGAIN}."
            raise NotLoggedIn(message=message)
        read: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
        for each in read.values():
            Kept(**each)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        message = f"The file {file} cannot be used ({type(error).__name__}); remove it and {AGAIN}."
        raise NotLoggedIn(message=message) from None
    return read


def _write(everything: dict[str, dict[str, str]]) -> None:
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
        json.dump(everything, written)
    draft.replace(file)
