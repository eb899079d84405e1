"""Login through another identity provider: OpenID Connect's code flow with PKCE, state and nonce.

Whatever the provider says is believed only in an ID token that its own key has signed, for this client and this login.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from wisqu_pipelines.errors import ExternalLoginFailed
from wisqu_pipelines.identity.tokens import LEEWAY
from wisqu_pipelines.settings import OidcSettings

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519")
"""What an ID token may be signed with; none of them takes a shared secret."""
SECONDS = 10
"""How long the provider may take for an answer."""
KEPT = timedelta(hours=1)
"""How long what the provider says of itself is kept."""
LASTS = timedelta(minutes=10)
"""How long a person may take between the beginning of a login and its end."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that waits for the provider's answer; kept by the browser, signed."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class ExternalPerson:
    """Whom the provider has identified."""

    issuer: str
    subject: str
    email: str
    full_name: str | None
    groups: frozenset[str]


class OidcProvider:
    """One provider, as a client of it."""

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        """Nothing is fetched before the first login."""
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._about: Mapping[str, Any] = {}
        self._keys = KeySet([])
        self._read_at: datetime | None = None

    def begin(self, now: datetime) -> tuple[str, Begun]:
        """Where to send the browser, and what to remember until it comes back.

        Raises:
            ExternalLoginFailed: the provider does not answer, or is not the one that is configured.
        """
        self._discover(now)
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._about["authorization_endpoint"],
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
            )
        return str(url), begun

    def finish(self, begun: Begun, state: str, code: str, now: datetime) -> ExternalPerson:
        """Who came back.

        Raises:
            ExternalLoginFailed: the answer belongs to another login, or is not what it must be.
        """
        if not hmac.compare_digest(begun.state.encode(), state.encode("utf-8", "replace")):
            raise self._failed("the answer belongs to another login")
        self._discover(now)
        try:
            with self._session() as session:
                given = session.fetch_token(
                    self._about["token_endpoint"], code=code, code_verifier=begun.verifier, timeout=SECONDS
                )
        except (requests.RequestException, AuthlibBaseError, ValueError) as error:
            raise self._failed(f"the code was not exchanged ({type(error).__name__})") from None
        claims = self._verified(str(given.get("id_token", "")), begun, now)
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise self._failed("it gives no e-mail address that it has verified")
        groups = claims.get(self.settings.groups_claim, ())
        name = claims.get("name")
        return ExternalPerson(
            issuer=self.settings.issuer,
            subject=str(claims["sub"]),
            email=email,
            full_name=name if isinstance(name, str) else None,
            groups=frozenset(str(each) for each in groups) if isinstance(groups, list | tuple) else frozenset(),
        )

    def _verified(self, token: str, begun: Begun, now: datetime) -> Mapping[str, Any]:
        try:
            decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._failed(f"its ID token cannot be verified ({type(error).__name__})") from None
        claims = decoded.claims
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        wrong = (
            claims.get("iss") != self.settings.issuer
            or self.settings.client_id not in audiences
            or (len(audiences) > 1 and claims.get("azp") != self.settings.client_id)
            or not claims.get("sub")
        )
        if wrong:
            raise self._failed("its ID token is another issuer's, or for another client")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise self._failed("its ID token belongs to another login")
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise self._failed("its ID token has no times")
        leeway = LEEWAY.total_seconds()
        if expires + leeway <= now.timestamp() or issued - leeway > now.timestamp():
            raise self._failed("its ID token is not valid now")
        return claims

    def _session(self) -> OAuth2Session:
        secret = self.settings.client_secret
        return OAuth2Session(
            self.settings.client_id,
            None if secret is None else secret.get_secret_value(),
            scope=" ".join(self.settings.scopes),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="none" if secret is None else "client_secret_basic",
        )

    def _discover(self, now: datetime) -> None:
        """What the provider says of itself (OpenID Connect Discovery), and its keys."""
        if self._read_at is not None and now - self._read_at < KEPT:
            return
        try:
            about = self._get(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self.settings.issuer:
                raise self._failed("it calls itself by another name than the settings")
            keys = KeySet.import_key_set(self._get(str(about["jwks_uri"])))  # type: ignore[arg-type]
        except (requests.RequestException, JoseError, ValueError, KeyError, TypeError) as error:
            raise self._failed(f"it does not answer as a provider does ({type(error).__name__})") from None
        self._about, self._keys, self._read_at = about, keys, now

    @staticmethod
    def _get(url: str) -> dict[str, Any]:
        answer = requests.get(url, timeout=SECONDS)
        answer.raise_for_status()
        read = answer.json()
        if not isinstance(read, dict):
            raise TypeError(url)
        return read

    def _failed(self, reason: str) -> ExternalLoginFailed:
        return ExternalLoginFailed(provider=self.settings.issuer, reason=reason)
