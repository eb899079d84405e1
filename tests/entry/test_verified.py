"""The memory of verified tokens."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from joserfc.jwk import KeySet

from wisqu_pipelines.entry.user import EnvironmentUser
from wisqu_pipelines.entry.verified import Verified, VerifiedTokens

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def verified(minutes: int) -> Verified:
    ends = NOW + timedelta(minutes=minutes)
    user = EnvironmentUser(UUID(int=7), "noor@example.org", "user", False, False, None, ends, "t")
    return Verified(user, NOW, KeySet([]), NOW)


def test_a_token_is_forgotten_when_it_ends() -> None:
    tokens, kept = VerifiedTokens(), verified(15)
    tokens.keep(b"a", kept)

    assert tokens.find(b"b", NOW) is None
    assert tokens.find(b"a", NOW + timedelta(minutes=15, microseconds=-1)) is kept
    assert tokens.find(b"a", NOW + timedelta(minutes=15)) is None
    assert len(tokens) == 0


def test_there_are_never_more_than_so_many_and_the_least_used_goes_first() -> None:
    tokens = VerifiedTokens(most=3)
    for digest in (b"a", b"b", b"c"):
        tokens.keep(digest, verified(15))
    tokens.find(b"a", NOW)

    tokens.keep(b"d", verified(15))

    assert [each for each in (b"a", b"b", b"c", b"d") if tokens.find(each, NOW)] == [b"a", b"c", b"d"]
