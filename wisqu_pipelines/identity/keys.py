"""The Ed25519 keys that sign: a ring for each purpose, as files, since a database's owner must not be able to add one.

A ring is a folder `{keys}/{purpose}` with two files for each key: `{kid}.private.json`, which only the
identity service's host has, and `{kid}.public.json`, which every host that verifies has as well. Both are JWKs (RFC
7517, RFC 8037) with the time of their creation.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from joserfc.jwk import KeySet, OKPKey

from wisqu_pipelines.errors import BadInput, BadSettings

ALGORITHM: Final = "Ed25519"
"""The only one that is accepted (RFC 9864), whatever a token's header says."""
AHEAD = timedelta(seconds=90)
"""How long a new key is published before it signs: longer than any verifier keeps a key set."""
ACCESS, APPROVALS, CHECKPOINTS = "access", "approvals", "checkpoints"
PRIVATE, PUBLIC = ".private.json", ".public.json"
CREATED = "wisqu_created"
"""The JWK member that says when a key was made, in seconds since 1970."""


def environment_purpose(environment: str) -> str:
    """The purpose of the keys that sign tokens for an environment."""
    return f"environment-{environment}"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key of a ring, as it lies there."""

    kid: str
    created_at: datetime
    is_signing: bool
    """Whether it is the one that signs now."""


class KeyRing:
    """The keys of one purpose."""

    def __init__(self, directory: Path, purpose: str) -> None:
        """Nothing is read before it is asked for."""
        self.purpose = purpose
        self._directory = directory / purpose
        self._read_at: tuple[int, ...] = ()
        self._public: dict[str, Mapping[str, Any]] = {}
        self._keys = KeySet([])

    def ensure(self, now: datetime) -> None:
        """Make the first key, where there is none yet."""
        if not list(self._directory.glob(f"*{PRIVATE}")):
            self._make(now)

    def rotate(self, now: datetime) -> str:
        """Make another key, which signs from `AHEAD` on; what older ones signed stays valid. Returns its id."""
        return self._make(now)

    def revoke(self, kid: str) -> None:
        """Take a key out of the ring: from now on nothing that it signed is valid.

        Raises:
            BadInput: there is no such key, or it is the only one.
        """
        if kid not in {each.kid for each in self.listed(datetime.now(UTC))}:
            raise BadInput(what=f"the key {kid}", reason=f"the ring '{self.purpose}' has no such key")
        if len(self._publics()) == 1:
            raise BadInput(what=f"the key {kid}", reason="it is the only one; rotate first")
        for ending in (PUBLIC, PRIVATE):
            (self._directory / f"{kid}{ending}").unlink(missing_ok=True)

    def retire(self, now: datetime, after: timedelta) -> list[str]:
        """Take out the keys that stopped signing longer than `after` ago; returns their ids."""
        listed = self.listed(now)
        retired = []
        for key, successor in pairwise(listed):
            if successor.created_at + AHEAD + after < now:
                self.revoke(key.kid)
                retired.append(key.kid)
        return retired

    def signing_key(self, now: datetime) -> OKPKey:
        """The private key that signs now: the newest that has been published for long enough.

        Raises:
            BadSettings: this host has no private key of this ring.
        """
        there = sorted(self._directory.glob(f"*{PRIVATE}"))
        keys = sorted((self._load(path) for path in there), key=lambda each: (each[CREATED], each["kid"]))
        if not keys:
            raise BadSettings(
                message=f"{self._directory} has no private key; 'wisqu keys init' makes one on the host that signs"
            )
        settled = [each for each in keys if each[CREATED] + AHEAD.total_seconds() <= now.timestamp()]
        return OKPKey.import_key(dict((settled or keys[:1])[-1]))

    def verifying(self) -> KeySet:
        """The public keys, read again when a file came or went."""
        self._publics()
        return self._keys

    def jwks(self) -> dict[str, list[Mapping[str, Any]]]:
        """The public keys as a JWK set (RFC 7517)."""
        return {"keys": [{k: v for k, v in each.items() if k != CREATED} for each in self._publics().values()]}

    def listed(self, now: datetime) -> Sequence[KeyFile]:
        """The keys of the ring, oldest first."""
        made = {kid: datetime.fromtimestamp(each[CREATED], UTC) for kid, each in self._publics().items()}
        settled = [kid for kid, at in made.items() if at + AHEAD <= now] or list(made)[:1]
        return [KeyFile(kid, at, kid == settled[-1]) for kid, at in made.items()]

    def _publics(self) -> Mapping[str, Mapping[str, Any]]:
        paths = sorted(self._directory.glob(f"*{PUBLIC}"))
        read_at = (len(paths), *(path.stat().st_mtime_ns for path in paths))
        if read_at != self._read_at:
            loaded = sorted((self._load(path) for path in paths), key=lambda each: (each[CREATED], each["kid"]))
            self._public = {each["kid"]: each for each in loaded}
            self._keys = KeySet([OKPKey.import_key({k: v for k, v in each.items() if k != CREATED}) for each in loaded])
            self._read_at = read_at
        return self._public

    def _load(self, path: Path) -> Mapping[str, Any]:
        try:
            read: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            OKPKey.import_key(dict(read))
            read[CREATED], read["kid"]
        except Exception as error:
            raise BadSettings(message=f"the key file {path.name} cannot be read ({type(error).__name__})") from None
        return read

    def _make(self, now: datetime) -> str:
        kid = f"{self.purpose}-{now:%Y%m%d}-{uuid4().hex[:8]}"
        key = OKPKey.generate_key(ALGORITHM, {"kid": kid, "use": "sig", "alg": ALGORITHM})
        created = {CREATED: int(now.timestamp())}
        for folder in (self._directory.parent, self._directory):  # a mode is for the last folder alone
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The private one first: a key that is published and cannot sign would only be waited for.
        _write(self._directory / f"{kid}{PRIVATE}", dict(key.as_dict(private=True)) | created)
        _write(self._directory / f"{kid}{PUBLIC}", dict(key.as_dict(private=False)) | created)
        return kid


class KeyRings:
    """All rings of an installation."""

    def __init__(self, directory: Path, environments: Sequence[str]) -> None:
        """The rings under a folder: for access tokens, approvals, checkpoints, and for each environment."""
        purposes = [ACCESS, APPROVALS, CHECKPOINTS, *(environment_purpose(each) for each in environments)]
        self._rings = {each: KeyRing(directory, each) for each in purposes}

    def __getitem__(self, purpose: str) -> KeyRing:
        """The ring of a purpose.

        Raises:
            BadInput: there is no such purpose.
        """
        try:
            return self._rings[purpose]
        except KeyError:
            raise BadInput(what=f"the purpose '{purpose}'", reason=f"there are {', '.join(self._rings)}") from None

    @property
    def purposes(self) -> Sequence[str]:
        """What there are rings for."""
        return list(self._rings)

    def ensure(self, now: datetime) -> None:
        """Make the first key of each ring that has none."""
        for ring in self._rings.values():
            ring.ensure(now)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that nobody else reads, as a whole or not at all."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
