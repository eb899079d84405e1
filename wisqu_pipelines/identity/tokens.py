"""Signed tokens: JWTs (RFC 7519) with one algorithm, a type, an issuer, an audience and an end, all of them checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import ALGORITHM

ACCESS_TYPE = "at+jwt"
"""RFC 9068."""
ENVIRONMENT_TYPE = "wisqu-environment+jwt"
APPROVAL_TYPE = "wisqu-approval+jwt"
LEEWAY = timedelta(seconds=5)
"""How far the clocks of issuer and verifier may be apart."""
LONGEST = 8_192
"""Characters of a token; a longer one is not looked at."""
HEADER = frozenset({"alg", "typ", "kid"})
"""What a header may say. `jku`, `jwk`, `x5u`, `x5c` and `crit` would let a token bring its own key or its own rules."""
NEEDED = ("iss", "aud", "sub", "iat", "exp", "jti")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that passed every check says."""

    subject: UUID
    token_id: UUID
    issued_at: datetime
    expires_at: datetime
    all: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a token of one kind must be: its `typ`, `iss` and `aud`."""

    type: str
    issuer: str
    audience: str


def sign(
    key: OKPKey, kind: Kind, subject: UUID, now: datetime, lasts: timedelta, claims: Mapping[str, Any]
) -> tuple[str, Claims]:
    """Make a token.

    Args:
        key: Signs it.
        kind: What it is.
        subject: Whom it is about.
        now: When it is issued; to the second.
        lasts: For how long it is valid.
        claims: What else it says.
    """
    issued = int(now.timestamp())
    token_id = uuid4()
    everything = {
        **claims,
        "iss": kind.issuer,
        "aud": kind.audience,
        "sub": str(subject),
        "iat": issued,
        "exp": issued + int(lasts.total_seconds()),
        "jti": str(token_id),
    }
    header = {"alg": ALGORITHM, "typ": kind.type, "kid": key.kid}
    token = jwt.encode(header, everything, key, algorithms=[ALGORITHM], default_type=None)
    return token, _claims(everything)


def verify(token: str, keys: KeySet, kind: Kind, now: datetime) -> Claims:
    """What a token says, if each part of it is as it must be.

    Args:
        token: In the compact form.
        keys: The public keys of the issuer.
        kind: What the token must be.
        now: It must be issued before that and end after it.

    Raises:
        TokenRefused: it is not valid; the reason is for a log, not for whoever brought it.
    """
    if len(token) > LONGEST:
        raise TokenRefused(reason="it is too long")
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise TokenRefused(reason=f"it cannot be verified ({type(error).__name__})") from None
    header, claims = decoded.header, decoded.claims
    if not isinstance(claims, dict) or set(header) != HEADER:
        raise TokenRefused(reason="its header or its claims have a form that is not ours")
    if header["typ"] != kind.type or header["alg"] != ALGORITHM:
        raise TokenRefused(reason="it is a token of another type")
    if missing := [each for each in NEEDED if each not in claims]:
        raise TokenRefused(reason=f"it has no {', '.join(missing)}")
    if claims["iss"] != kind.issuer or claims["aud"] != kind.audience:
        raise TokenRefused(reason="it is from another issuer, or for another audience")
    try:
        checked = _claims(claims)
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise TokenRefused(reason="a claim has a form that is not ours") from None
    if checked.issued_at > now + LEEWAY:
        raise TokenRefused(reason="it is issued in the future")
    if checked.expires_at <= now:
        raise TokenRefused(reason="it has expired")
    return checked


def _claims(claims: Mapping[str, Any]) -> Claims:
    for name in ("iat", "exp"):
        if type(claims[name]) is not int:
            raise TypeError(name)
    return Claims(
        subject=UUID(claims["sub"]),
        token_id=UUID(claims["jti"]),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        all=claims,
    )
