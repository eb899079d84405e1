"""Passwords: kept as Argon2id, refused when weak, and compared in the same time whether or not there is one."""

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from wisqu_pipelines.errors import BadInput

SHORTEST, LONGEST = 12, 1_024
"""Characters. NIST SP 800-63B asks for 8 at least where there is a second factor, for 15 where there is none; there are
limits on guessing here, and whoever wants more of it uses an identity provider."""
GENERATED_BYTES = 18
"""Of randomness in a password that is made here: 24 characters."""
_HASHER = PasswordHasher()
"""With the library's parameters, RFC 9106's second recommended option: 64 MiB, three passes, four lanes."""
AT_ONCE = 4
"""Passwords that a process checks at a time. Anybody can have one checked, and many would take all memory."""
_TURNS = threading.BoundedSemaphore(AT_ONCE)


def check(password: str, *about: str) -> None:
    """Refuse a password that is weak.

    Args:
        password: The new one.
        about: What it must not be: the person's address and name.

    Raises:
        BadInput: it is too short, too long, one character again and again, or one of `about`.
    """
    text = _prepared(password)
    if not SHORTEST <= len(text) <= LONGEST:
        limit = f"it has {len(text)} characters, and it takes {SHORTEST} to {LONGEST}"
        raise BadInput(what="the password", reason=limit)
    parts = {part.casefold() for each in about for part in (each, each.partition("@")[0]) if part}
    if len(set(text)) < 5 or text.casefold() in parts:
        raise BadInput(what="the password", reason="it is too easy to guess")


def hash_password(password: str) -> str:
    """A password as it is kept."""
    return _HASHER.hash(_prepared(password))


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one that is kept. Where none is kept, the same work is done and the answer is no."""
    try:
        with _TURNS:
            right = _HASHER.verify(kept or _nobodys(), _prepared(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return right and kept is not None


def needs_rehash(kept: str) -> bool:
    """Whether it was kept with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def generate() -> str:
    """A new password that nobody has to remember."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def _prepared(password: str) -> str:
    """The same bytes from every keyboard (NFKC, as NIST SP 800-63B says); lone surrogates become question marks."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode("utf-8")


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe(GENERATED_BYTES))
