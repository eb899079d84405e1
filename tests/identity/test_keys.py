"""Rings of keys: published before they sign, valid until they are revoked, and readable by nobody else."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from wisqu_pipelines.errors import BadInput, BadSettings, TokenRefused
from wisqu_pipelines.identity.keys import AHEAD, KeyRing, KeyRings
from wisqu_pipelines.identity.tokens import ACCESS_TYPE, Kind, sign, verify

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KIND = Kind(ACCESS_TYPE, "https://auth.wisqu.com", "wisqu:api")
HOUR = timedelta(hours=1)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    made = KeyRing(tmp_path, "access")
    made.ensure(NOW)
    return made


def token(ring: KeyRing, now: datetime) -> str:
    return sign(ring.signing_key(now), KIND, UUID(int=1), now, HOUR, {})[0]


def test_a_rotation_interrupts_nobody(ring: KeyRing) -> None:
    first = ring.signing_key(NOW).kid
    old = token(ring, NOW)
    second = ring.rotate(NOW + HOUR / 2)

    assert {each["kid"] for each in ring.jwks()["keys"]} == {first, second}, "it is published at once"
    assert ring.signing_key(NOW + HOUR / 2 + AHEAD - timedelta(seconds=1)).kid == first
    assert ring.signing_key(NOW + HOUR / 2 + AHEAD).kid == second
    later = NOW + HOUR / 2 + AHEAD
    assert [each.is_signing for each in ring.listed(later)] == [False, True]
    for each in (old, token(ring, later)):
        verify(each, ring.verifying(), KIND, later)


def test_another_process_sees_what_came_and_went(ring: KeyRing, tmp_path: Path) -> None:
    other = KeyRing(tmp_path, "access")
    old = token(ring, NOW)
    verify(old, other.verifying(), KIND, NOW)
    ring.rotate(NOW + HOUR)
    assert len(other.jwks()["keys"]) == 2
    ring.revoke(str(ring.signing_key(NOW).kid))
    with pytest.raises(TokenRefused):
        verify(old, other.verifying(), KIND, NOW)


def test_the_only_key_and_an_unknown_one_are_not_revoked(ring: KeyRing) -> None:
    with pytest.raises(BadInput, match="only one"):
        ring.revoke(str(ring.signing_key(NOW).kid))
    with pytest.raises(BadInput, match="no such key"):
        ring.revoke("../approvals/x")


def test_nobody_else_reads_a_private_key(ring: KeyRing, tmp_path: Path) -> None:
    del ring
    folder = tmp_path / "access"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name.split(".", 1)[1]: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"private.json": 0o600, "public.json": 0o600}


def test_what_is_published_has_no_private_part(ring: KeyRing) -> None:
    for each in ring.jwks()["keys"]:
        assert set(each) == {"crv", "x", "kid", "use", "alg", "kty"}


def test_a_host_that_only_verifies_cannot_sign(ring: KeyRing, tmp_path: Path) -> None:
    given = token(ring, NOW)
    for path in (tmp_path / "access").glob("*.private.json"):
        path.unlink()
    verify(given, ring.verifying(), KIND, NOW)
    with pytest.raises(BadSettings, match="no private key"):
        ring.signing_key(NOW)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kty": "oct", "k": "AAAA"}', '{"kid": "x"}'])
def test_a_damaged_key_is_named(ring: KeyRing, tmp_path: Path, content: str) -> None:
    (path,) = (tmp_path / "access").glob("*.public.json")
    path.write_text(content)
    with pytest.raises(BadSettings, match=path.name):
        ring.verifying()


def test_setting_up_again_makes_no_other_key(tmp_path: Path) -> None:
    for _ in range(2):
        rings = KeyRings(tmp_path, ["dev", "prod"])
        rings.ensure(NOW)
    assert {purpose: len(rings[purpose].jwks()["keys"]) for purpose in rings.purposes} == {
        "access": 1,
        "approvals": 1,
        "checkpoints": 1,
        "environment-dev": 1,
        "environment-prod": 1,
    }
    with pytest.raises(BadInput, match="moon"):
        rings["moon"]
