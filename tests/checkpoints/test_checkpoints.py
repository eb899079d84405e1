"""Sealed checkpoints find what no database could tell."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.fixtures.stack import Stack
from wisqu_pipelines.audit.anchors import CONTROL
from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import DeveloperAction
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.checkpoints import chains as checkpoints
from wisqu_pipelines.checkpoints.chains import BUCKET
from wisqu_pipelines.checkpoints.service import CheckpointService, Sealed
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.identity.keys import APPROVALS, CHECKPOINTS, KeyRing
from wisqu_pipelines.identity.tokens import Kind, sign
from wisqu_pipelines.storage.memory import ManualClock


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test seals is free again soon after it."""
    monkeypatch.setattr(checkpoints, "KEPT", timedelta(seconds=30))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def sealing(services: Services, clock: ManualClock) -> CheckpointService:
    return CheckpointService(services.control, services.environments, services.settings, clock)


def write(services: Services, action: str, environment: str = "dev") -> None:
    with services.environments[environment].database.begin() as session:
        append(
            session, DeveloperAction(environment=environment, action=action, details={}, occurred_at=datetime.now(UTC))
        )


def seal(sealing: CheckpointService) -> dict[str, Sealed]:
    return {each.report.environment: each for each in sealing.verify_and_seal()}


def test_every_database_is_sealed_and_the_next_verification_knows_it(
    services: Services, sealing: CheckpointService, clock: ManualClock
) -> None:
    write(services, "one")
    first = seal(sealing)
    assert set(first) == {"dev", "stage", "prod", CONTROL}
    assert all(each.key and not each.checkpoints for each in first.values())
    clock.advance(timedelta(seconds=2))
    write(services, "two")
    assert {name: each.checkpoints for name, each in seal(sealing).items()} == dict.fromkeys(first, 1)


def test_a_chain_that_was_rewritten_everywhere_in_the_databases_is_found(
    stack: Stack, services: Services, sealing: CheckpointService, clock: ManualClock
) -> None:
    """With a superuser's rights everything that a database keeps can be made to agree again."""
    write(services, "one")
    assert seal(sealing)["dev"].key
    for database, statements in (
        (
            services.settings.environments["dev"].database.name,
            ("DELETE FROM developer_actions", "DELETE FROM audit_chain_heads WHERE chain = 'developer_actions'"),
        ),
        (services.settings.control.database.name, ("DELETE FROM audit_checkpoints",)),
    ):
        with postgres.connect(stack.site, database) as superuser:
            superuser.execute("SET session_replication_role = replica")
            for statement in statements:
                superuser.execute(statement)
    write(services, "another past")
    assert all(report.holds for report in services.checkpoints.verify()), "the databases agree with each other"
    clock.advance(timedelta(seconds=2))
    found = seal(sealing)
    assert not found["dev"].report.holds
    assert found["dev"].key is None
    assert found["stage"].key


def test_what_nobody_signed_is_nobodys_word(services: Services, sealing: CheckpointService, clock: ManualClock) -> None:
    write(services, "one")
    dev = services.environments["dev"]
    bucket = dev.settings.get_bucket_name(BUCKET)
    dev.objects.seal(bucket, "dev/forged.jwt", b"eyJhbGciOiJub25lIn0.e30.", clock.now() + timedelta(seconds=30))
    dev.objects.seal(bucket, "dev/\u00e9.jwt", bytes(range(200, 256)), clock.now() + timedelta(seconds=30))
    kind = Kind(checkpoints.TYPE, services.settings.identity.issuer, checkpoints.AUDIENCE)
    claims = {"database": "dev", "chains": {"developer_actions": [1, "0" * 64]}}
    wrong = KeyRing(services.settings.key_directory, APPROVALS).signing_key(clock.now())
    token, _ = sign(wrong, kind, uuid4(), clock.now(), timedelta(days=1), claims)
    dev.objects.seal(bucket, "dev/another.jwt", token.encode(), clock.now() + timedelta(seconds=30))
    found = seal(sealing)["dev"]
    assert (found.report.holds, found.checkpoints) == (True, 0)
    right = KeyRing(services.settings.key_directory, CHECKPOINTS).signing_key(clock.now())
    token, _ = sign(right, kind, uuid4(), clock.now(), timedelta(days=1), claims)
    dev.objects.seal(bucket, "dev/another.jwt", token.encode(), clock.now() + timedelta(seconds=30))
    assert not seal(sealing)["dev"].report.holds, "the same, signed with the right key, is believed"


def test_a_checkpoint_speaks_of_its_own_database_alone(
    services: Services, sealing: CheckpointService, clock: ManualClock
) -> None:
    write(services, "one", "prod")
    prod = services.environments["prod"]
    bucket = prod.settings.get_bucket_name(BUCKET)
    key = seal(sealing)["prod"].key
    assert key is not None
    sealed = dict(prod.objects.sealed(bucket, "prod/"))[key]
    clock.advance(timedelta(seconds=2))
    before = seal(sealing)[CONTROL].checkpoints
    prod.objects.seal(bucket, f"{CONTROL}/copied.jwt", sealed, clock.now() + timedelta(seconds=30))
    clock.advance(timedelta(seconds=2))
    found = seal(sealing)[CONTROL]
    assert (found.report.holds, found.checkpoints) == (True, before + 1)
