"""Signatures of S3 requests: AWS Signature Version 4, for requests whose body is known before it is sent."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import SecretStr

SERVICE = "s3"
UNRESERVED = "/~"
"""What stands in a path as it is, beside letters, digits, '_', '.' and '-'."""


def path_of(bucket: str, key: str) -> str:
    """The path of an object, as it is sent and as it is signed."""
    return f"/{quote(bucket, safe=UNRESERVED)}/{quote(key, safe=UNRESERVED)}"


@dataclass(slots=True)
class Signer:
    """One account at one address. Safe to use from several threads."""

    access_key: str
    secret_key: SecretStr
    region: str
    host: str
    """As it stands in the Host header."""
    _key: tuple[str, bytes] = ("", b"")
    """The key of a day."""

    def signed(self, method: str, path: str, query: str, headers: Mapping[str, str], digest: str) -> dict[str, str]:
        """The headers that make a request this account's own, with those given.

        Args:
            method: The HTTP method.
            path: Quoted.
            query: Quoted and sorted by names, each with a '='; empty if there is none.
            headers: By lower-case names; they are signed too.
            digest: SHA-256 of the body, hex.
        """
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = now[:8]
        named = {**headers, "host": self.host, "x-amz-date": now, "x-amz-content-sha256": digest}
        names = sorted(named)
        signed = ";".join(names)
        lines = "".join(f"{name}:{named[name]}\n" for name in names)
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{digest}"
        scope = f"{day}/{self.region}/{SERVICE}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day), text.encode(), "sha256").hex()
        named["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
        return named

    def _key_of(self, day: str) -> bytes:
        known, key = self._key
        if known != day:
            key = f"AWS4{self.secret_key.get_secret_value()}".encode()
            for part in (day, self.region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = (day, key)
        return key
