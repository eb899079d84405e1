"""Forged tokens: more than two hundred, none of them accepted."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc.jwk import OKPKey

from wisqu_pipelines.errors import TokenRefused
from wisqu_pipelines.identity.keys import KeyRing, environment_purpose
from wisqu_pipelines.identity.tokens import (
    ACCESS_TYPE,
    APPROVAL_TYPE,
    ENVIRONMENT_TYPE,
    LEEWAY,
    NEEDED,
    Kind,
    sign,
    verify,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KIND = Kind(ENVIRONMENT_TYPE, "https://auth.wisqu.com/environments/stage", "wisqu:environment:stage")
PERSON = UUID(int=7)
LASTS = timedelta(minutes=15)
Forged = tuple[str, str]
"""What was tried, and the token."""


def packed(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Forge:
    """A ring with its real key, which forgers do not have, and what they do have."""

    def __init__(self, directory: Path) -> None:
        self.ring = KeyRing(directory, environment_purpose("stage"))
        self.ring.ensure(NOW - timedelta(days=1))
        self.other_ring = KeyRing(directory, environment_purpose("prod"))
        self.other_ring.ensure(NOW - timedelta(days=1))
        self.key = self.ring.signing_key(NOW)
        self.kid = str(self.key.kid)
        self.token = self.signed()
        self.head, self.body, self.signature = self.token.split(".")
        self.own = OKPKey.generate_key("Ed25519", {"kid": self.kid})

    def signed(
        self, key: OKPKey | None = None, kind: Kind = KIND, now: datetime = NOW, lasts: timedelta = LASTS
    ) -> str:
        return sign(key or self.key, kind, PERSON, now, lasts, {"environment": "stage"})[0]

    def by_hand(self, header: Any, claims: Any, key: OKPKey | None = None) -> str:
        """A token with any header and any claims, signed by the real key: as if its holder had been fooled."""
        told = f"{packed(header)}.{packed(claims)}"
        signing = (key or self.key).private_key
        assert signing is not None
        return f"{told}.{packed(signing.sign(told.encode()))}"  # type: ignore[union-attr]

    @property
    def header(self) -> dict[str, Any]:
        return dict(unpacked(self.head))

    @property
    def claims(self) -> dict[str, Any]:
        return dict(unpacked(self.body))

    def all(self) -> Iterator[Forged]:
        yield from self.without_a_signature()
        yield from self.with_a_shared_secret()
        yield from self.with_another_key()
        yield from self.of_another_kind()
        yield from self.with_other_claims()
        yield from self.with_other_headers()
        yield from self.broken()

    def without_a_signature(self) -> Iterator[Forged]:
        for name in (
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            None,
            "null",
            0,
            False,
            [],
            ["none"],
            "none ",
            "EdDSA",
            "HS256",
        ):
            head = packed({**self.header, "alg": name})
            for ending in ("", self.signature, packed(b""), packed(b"\x00" * 64)):
                yield f"alg {name!r} and {len(ending)} characters of signature", f"{head}.{self.body}.{ending}"

    def with_a_shared_secret(self) -> Iterator[Forged]:
        public = self.key.as_dict(private=False)
        secrets = {
            "x": base64.urlsafe_b64decode(str(public["x"]) + "="),
            "the text of x": str(public["x"]).encode(),
            "the JWK": json.dumps(public).encode(),
            "the PEM": self.key.as_pem(private=False),
            "nothing": b"",
        }
        for algorithm, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
            for name, secret in secrets.items():
                told = f"{packed({**self.header, 'alg': algorithm})}.{self.body}"
                mac = hmac.new(secret, told.encode(), digest).digest()
                yield f"{algorithm} with {name}", f"{told}.{packed(mac)}"

    def with_another_key(self) -> Iterator[Forged]:
        yield "a key of the forger's with this key's id", self.signed(self.own)
        yield "another environment's key", self.signed(self.other_ring.signing_key(NOW))
        told = dict(self.other_ring.signing_key(NOW).as_dict(private=True), kid=self.kid)
        yield "another environment's key with this key's id", self.signed(OKPKey.import_key(told))
        for kid in (
            None,
            "",
            "unknown",
            "../access/x",
            "/dev/null",
            "x' OR '1'='1",
            ["a"],
            {"a": 1},
            7,
            self.kid.upper(),
        ):
            yield f"kid {kid!r}", self.by_hand({**self.header, "kid": kid}, self.claims, self.own)
            yield f"kid {kid!r}, signed well", self.by_hand({**self.header, "kid": kid}, self.claims)
        without = {name: value for name, value in self.header.items() if name != "kid"}
        yield "no kid", self.by_hand(without, self.claims, self.own)

    def of_another_kind(self) -> Iterator[Forged]:
        for kind in (
            ACCESS_TYPE,
            APPROVAL_TYPE,
            "JWT",
            "jwt",
            "wisqu-oidc+jwt",
            "",
            KIND.type.upper(),
            f"application/{KIND.type}",
        ):
            yield f"typ {kind!r}", self.signed(kind=Kind(kind, KIND.issuer, KIND.audience))
        for odd in (None, 1, [KIND.type], {"a": KIND.type}):
            yield f"typ {odd!r}", self.by_hand({**self.header, "typ": odd}, self.claims)
        for name in ("prod", "dev", "", "stage/", "Stage", "stage\x00"):
            issuer, audience = f"https://auth.wisqu.com/environments/{name}", f"wisqu:environment:{name}"
            yield f"for {name!r}", self.signed(kind=Kind(KIND.type, issuer, audience))
            yield f"issued for {name!r}", self.signed(kind=Kind(KIND.type, issuer, KIND.audience))
            yield f"heard by {name!r}", self.signed(kind=Kind(KIND.type, KIND.issuer, audience))

    def with_other_claims(self) -> Iterator[Forged]:
        odd: tuple[Any, ...] = (None, "", "x", [], [KIND.audience], {}, True, 1.5, -1, 10**30, float("1e308"))
        for name in NEEDED:
            yield f"no {name}", self.by_hand(self.header, {n: v for n, v in self.claims.items() if n != name})
            for value in odd:
                if (name, value) != ("iat", -1):  # an early one is odd, and no forgery
                    yield f"{name} {value!r}", self.by_hand(self.header, {**self.claims, name: value})
        for late in (LEEWAY + timedelta(seconds=1), timedelta(minutes=5), timedelta(days=365)):
            yield f"issued in {late}", self.signed(now=NOW + late)
        for early in (LASTS, LASTS + timedelta(seconds=1), timedelta(days=1)):
            yield f"issued {early} ago", self.signed(now=NOW - early)
        yield "ended before it began", self.signed(lasts=-LASTS)
        for whole in ([], [1], "text", 7, None, True):
            yield f"claims {whole!r}", self.by_hand(self.header, whole)

    def with_other_headers(self) -> Iterator[Forged]:
        mine = self.own.as_dict(private=False)
        extra: dict[str, Any] = {
            "jwk": mine,
            "jku": "https://evil.example/jwks.json",
            "x5u": "https://evil.example/cert",
            "x5c": ["MIIB"],
            "x5t": "abc",
            "crit": ["exp"],
            "b64": False,
            "zip": "DEF",
            "cty": "JWT",
            "enc": "A256GCM",
            "exp": 1,
            "nonce": "x",
        }
        for name, value in extra.items():
            yield f"header {name}, the forger's key", self.by_hand({**self.header, name: value}, self.claims, self.own)
            yield f"header {name}, signed well", self.by_hand({**self.header, name: value}, self.claims)
        for algorithm in ("EdDSA", "ES256", "RS256", "Ed448", "ed25519", "ED25519", "Ed25519 "):
            yield f"alg {algorithm}", self.by_hand({**self.header, "alg": algorithm}, self.claims)
        wholes: tuple[Any, ...] = ([], "text", 7, None, {})
        for whole in wholes:
            yield f"header {whole!r}", self.by_hand(whole, self.claims)

    def broken(self) -> Iterator[Forged]:
        parts = (self.head, self.body, self.signature)
        for number in range(3):
            for name, change in (
                ("cut", parts[number][:-2]),
                ("doubled", parts[number] * 2),
                ("empty", ""),
                ("turned round", parts[number][::-1]),
                ("no base64", "!" + parts[number][1:]),
                (
                    "another letter",
                    parts[number][:-3] + ("A" if parts[number][-3] != "A" else "B") + parts[number][-2:],
                ),
                ("padded", parts[number] + "=="),
                ("a blank", parts[number] + " "),
            ):
                yield f"part {number}: {name}", ".".join([*parts[:number], change, *parts[number + 1 :]])
        for name, token in (
            ("", ""),
            ("dots", ".."),
            ("two parts", f"{self.head}.{self.body}"),
            ("four parts", f"{self.token}.x"),
            ("five parts, as of a JWE", f"{self.token}.x.y"),
            ("NULs", self.token.replace(".", "\x00.")),
            ("a line end", f"{self.token}\n"),
            ("too long", self.token + "A" * 10_000),
            ("another alphabet", "توکن.توکن.توکن"),
            ("a lone surrogate", "\ud800.\ud800.\ud800"),
            (
                "JSON serialization",
                json.dumps({"payload": self.body, "protected": self.head, "signature": self.signature}),
            ),
            ("deep", f"{packed(b'[' * 3_000 + b']' * 3_000)}.{self.body}.{self.signature}"),
            (
                "other claims under this signature",
                f"{self.head}.{packed({**self.claims, 'sub': str(uuid4())})}.{self.signature}",
            ),
        ):
            yield name, token


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


def test_a_token_is_what_it_was_made_as(forge: Forge) -> None:
    claims = verify(forge.token, forge.ring.verifying(), KIND, NOW)
    assert (claims.subject, claims.issued_at, claims.expires_at) == (PERSON, NOW, NOW + LASTS)
    assert claims.all["environment"] == "stage"
    by_hand = forge.by_hand(forge.header, forge.claims)
    assert verify(by_hand, forge.ring.verifying(), KIND, NOW).subject == PERSON, "the forger's tools are the real ones"
    assert verify(forge.token, forge.ring.verifying(), KIND, NOW + LASTS - timedelta(seconds=1))
    assert verify(forge.signed(now=NOW + LEEWAY), forge.ring.verifying(), KIND, NOW)


def test_no_forged_token_is_accepted(forge: Forge) -> None:
    accepted = []
    tried = set()
    for what, token in forge.all():
        tried.add(token)
        try:
            verify(token, forge.ring.verifying(), KIND, NOW)
        except TokenRefused:
            continue
        accepted.append(what)
    assert accepted == []
    assert len(tried) >= 200


def test_a_refusal_does_not_repeat_the_token(forge: Forge) -> None:
    for _, token in forge.all():
        with pytest.raises(TokenRefused) as refused:
            verify(token, forge.ring.verifying(), KIND, NOW)
        assert not token or token not in str(refused.value)
