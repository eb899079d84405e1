"""What the control database itself refuses, to the application and to the owner of its tables alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tests.database.postgres import Postgres
from wisqu_pipelines.database.session import Database

REQUESTER, OTHER, THIRD = uuid4(), uuid4(), uuid4()
FORBIDDEN, ALLOWED = '"self_approval": false', '"self_approval": true'
FINISHED = ("succeeded", "rejected", "refused", "failed", "rolled_back")


@dataclass
class Control:
    """A control database, worked on as one role, and tampered with as a superuser."""

    postgres: Postgres
    database: Database
    is_owner: bool

    def run(self, statement: str, **values: object) -> None:
        with self.database.begin() as session:
            session.execute(sa.text(statement), values)

    @contextmanager
    def refused(self, sentence: str | None = None) -> Iterator[None]:
        with pytest.raises(DBAPIError, match=sentence) as caught:
            yield
        assert getattr(caught.value.orig, "sqlstate", "")[:2] in {"23", "42"}, "a rule of the database"

    def promotion(
        self, policy: str = f'"approvals": 1, {FORBIDDEN}', requester: UUID | None = REQUESTER, state: str = "planned"
    ) -> UUID:
        """A promotion with one item, put into a state around all triggers."""
        promotion = uuid4()
        self.run(
            """
            INSERT INTO promotions (id, promotion_type, source_environment, target_environment, plan_digest, selection,
                totals, policy, requested_by_user_id, requested_via, created_at)
            VALUES (:id, 'stored_files', 'dev', 'prod', 'own', '{}', '{}', CAST(:policy AS jsonb), :requester, 'test',
                now())
            """,
            id=promotion,
            policy=f"{{{policy}}}",
            requester=requester,
        )
        self.item(promotion)
        with self.postgres.tampering(self.database.name) as connection:
            connection.execute("UPDATE promotions SET state = %s WHERE id = %s", (state, promotion))
        return promotion

    def item(self, promotion: UUID) -> None:
        self.run(
            """
            INSERT INTO promotion_items (promotion_id, item_type, source_id, target_id, source_status, label, effect,
                source_hashes, bytes, points)
            VALUES (:id, 'stored_files', gen_random_uuid(), gen_random_uuid(), 'approved', 'a', 'create', '{}', 1, 0)
            """,
            id=promotion,
        )

    def decide(self, promotion: UUID, user: UUID = OTHER, digest: str = "own", decision: str = "approve") -> None:
        self.run(
            """
            INSERT INTO promotion_approvals (promotion_id, user_id, plan_digest, decision, role, decided_at, expires_at)
            VALUES (:id, :user, :digest, :decision, 'admin', now(), now() + interval '1 day')
            """,
            id=promotion,
            user=user,
            digest=digest,
            decision=decision,
        )

    def revoke(self, promotion: UUID, user: UUID = OTHER) -> None:
        self.run(
            "UPDATE promotion_approvals SET revoked_at = now(), revoked_reason = 'why' "
            "WHERE promotion_id = :id AND user_id = :user",
            id=promotion,
            user=user,
        )

    def move(self, promotion: UUID, state: str) -> None:
        self.run("UPDATE promotions SET state = :state WHERE id = :id", id=promotion, state=state)


@pytest.fixture(params=["application", "owner"])
def control(postgres: Postgres, request: pytest.FixtureRequest) -> Control:
    settings = postgres.migrated_database("control")
    is_owner = request.param == "owner"
    made = Control(postgres, postgres.open(settings, owner=is_owner), is_owner)
    for person in (REQUESTER, OTHER, THIRD):
        made.run("INSERT INTO central_users (id, email) VALUES (:id, :email)", id=person, email=f"{person}@example.org")
    return made


def test_one_decision_a_person(control: Control) -> None:
    promotion = control.promotion()
    control.decide(promotion)
    for decision in ("approve", "reject"):
        with control.refused("pk_promotion_approvals"):
            control.decide(promotion, decision=decision)
    control.revoke(promotion)
    with control.refused("pk_promotion_approvals"):
        control.decide(promotion)


def test_a_decision_names_the_promotions_own_digest(control: Control) -> None:
    promotion = control.promotion()
    with control.refused("its own plan digest"):
        control.decide(promotion, digest="of another plan")
    control.decide(promotion)
    with control.refused("filled in, and once"):
        control.run("UPDATE promotion_approvals SET plan_digest = 'of another plan'")


@pytest.mark.parametrize("policy", [FORBIDDEN, '"self_approval": null', '"approvals": 1'])
def test_nobody_approves_their_own_where_the_policy_does_not_allow_it(control: Control, policy: str) -> None:
    promotion = control.promotion(policy)
    with control.refused("who did not ask"):
        control.decide(promotion, REQUESTER)
    control.decide(promotion, REQUESTER, decision="reject")
    unknown = control.promotion(policy, requester=None)
    with control.refused("who did not ask"):
        control.decide(unknown, OTHER)
    control.decide(control.promotion(ALLOWED), REQUESTER)


@pytest.mark.parametrize("state", ["executing", "published", *FINISHED])
def test_nothing_is_decided_afterwards(control: Control, state: str) -> None:
    promotion = control.promotion(state=state)
    with control.refused("waits for no decision"):
        control.decide(promotion)


def test_no_move_without_enough_approvals(control: Control) -> None:
    promotion = control.promotion(f'"approvals": 2, {FORBIDDEN}')
    with control.refused("0 of 2 approvals"):
        control.move(promotion, "approved")
    control.decide(promotion, OTHER)
    with control.refused("1 of 2 approvals"):
        control.move(promotion, "approved")
    control.decide(promotion, THIRD)
    control.move(promotion, "approved")
    control.revoke(promotion, THIRD)
    with control.refused("cannot be executing: it has 1 of 2 approvals"):
        control.move(promotion, "executing")
    control.move(promotion, "planned")


@pytest.mark.parametrize("policy", [FORBIDDEN, '"approvals": null', '"approvals": 0'])
def test_a_policy_that_asks_for_nobody_lets_nothing_through(control: Control, policy: str) -> None:
    promotion = control.promotion(policy)
    with control.refused("approvals"):
        control.move(promotion, "approved")


def test_a_no_is_no_yes(control: Control) -> None:
    promotion = control.promotion()
    control.decide(promotion, decision="reject")
    with control.refused("0 of 1 approvals"):
        control.move(promotion, "approved")
    with control.refused("revoked_was_approved"):
        control.revoke(promotion)


def test_a_revocation_is_for_good_and_until_the_claim(control: Control) -> None:
    promotion = control.promotion()
    control.decide(promotion)
    with control.refused("revoked_says_why"):
        control.run("UPDATE promotion_approvals SET revoked_at = now()")
    control.move(promotion, "approved")
    control.move(promotion, "executing")
    with control.refused("until the claim"):
        control.revoke(promotion)
    control.move(promotion, "failed")
    control.revoke(promotion)
    with control.refused("filled in, and once"):
        control.run("UPDATE promotion_approvals SET revoked_at = NULL, revoked_reason = NULL")


@pytest.mark.parametrize("column", ["decision = 'reject'", "role = 'x'", "expires_at = now() + interval '1 year'"])
def test_a_decision_stays_as_it_was_taken(control: Control, column: str) -> None:
    promotion = control.promotion()
    control.decide(promotion)
    with control.refused("filled in, and once"):
        control.run(f"UPDATE promotion_approvals SET {column}")  # noqa: S608
    with control.refused():
        control.run("DELETE FROM promotion_approvals")
    with control.refused():
        control.run("DELETE FROM promotions")


@pytest.mark.parametrize(
    "change",
    [
        "plan_digest = 'new'",
        'policy = \'{"approvals": 1, "self_approval": true}\'',
        "selection = '{\"item_ids\": []}'",
        "totals = '{\"items\": 0}'",
        "requested_by_user_id = NULL",
        "target_environment = 'stage'",
    ],
)
def test_a_plan_that_was_decided_on_does_not_change(control: Control, change: str) -> None:
    promotion = control.promotion()
    control.run(f"UPDATE promotions SET {change} WHERE id = :id", id=promotion)  # noqa: S608 (it is being made)
    decided = control.promotion()
    control.decide(decided)
    for each in (decided, *(control.promotion(state=state) for state in ("executing", "published", *FINISHED))):
        with control.refused("does not change"):
            control.run(f"UPDATE promotions SET {change} WHERE id = :id", id=each)  # noqa: S608


def test_the_items_of_a_plan_that_was_decided_on_do_not_change(control: Control) -> None:
    made = control.promotion()
    control.item(made)
    if control.is_owner:  # the application changes no item of any plan, and deletes none
        control.run("UPDATE promotion_items SET label = 'b'")
    decided = control.promotion()
    control.decide(decided)
    said = "does not change" if control.is_owner else "permission denied"
    for each in (decided, *(control.promotion(state=state) for state in ("executing", "published", *FINISHED))):
        with control.refused("does not change"):
            control.item(each)
        for change in (
            "UPDATE promotion_items SET effect = 'unchanged' WHERE promotion_id = :id",
            "UPDATE promotion_items SET promotion_id = :made WHERE promotion_id = :id",
            "UPDATE promotion_items SET promotion_id = :id WHERE promotion_id = :made",
            "DELETE FROM promotion_items WHERE promotion_id = :id",
            "DELETE FROM promotions WHERE id = :id",
        ):
            with control.refused(said):
                control.run(change, id=each, made=made)
    if control.is_owner:
        control.run("DELETE FROM promotions WHERE id = :id", id=made)


@pytest.mark.parametrize("table", ["promotions CASCADE", "promotion_items", "promotion_approvals", "path_holds"])
def test_nothing_is_emptied(control: Control, table: str) -> None:
    with control.refused():
        control.run(f"TRUNCATE {table}")


FREEZE = """
    INSERT INTO freeze_windows (id, path, cron, duration_minutes, starts_at, ends_at, time_zone, reason,
        created_by_user_id, created_at)
    VALUES (:id, 'dev->prod', :cron, :minutes, CAST(:start AS timestamptz), CAST(:end AS timestamptz), 'UTC', 'why',
        :person, now())
"""


def test_a_freeze_is_whole_and_ends_once(control: Control) -> None:
    once = {"cron": None, "minutes": None, "start": "2026-01-01", "end": "2026-01-02"}
    again = {"cron": "0 0 * * *", "minutes": 60, "start": None, "end": None}
    for wrong in (
        {**once, "end": None},
        {**once, "cron": "0 0 * * *"},
        {**once, "end": "2025-01-01"},
        {**again, "minutes": None},
        {**again, "minutes": 0},
        dict.fromkeys(once),
    ):
        with control.refused("once_or_recurring|begins_before_it_ends|lasts"):
            control.run(FREEZE, id=uuid4(), person=OTHER, **wrong)
    for right in (once, again):
        control.run(FREEZE, id=uuid4(), person=OTHER, **right)
    with control.refused("end_is_whole"):
        control.run("UPDATE freeze_windows SET ended_at = now()")
    with control.refused("filled in, and once"):
        control.run("UPDATE freeze_windows SET reason = 'another'")
    end = "UPDATE freeze_windows SET ended_at = now(), ended_by_user_id = :person, end_reason = 'over'"
    control.run(end, person=OTHER)
    with control.refused("filled in, and once"):
        control.run(end, person=OTHER)


def test_an_override_takes_two(control: Control) -> None:
    freeze, promotion = uuid4(), control.promotion()
    control.run(FREEZE, id=freeze, person=OTHER, cron="0 0 * * *", minutes=60, start=None, end=None)
    ask = """
        INSERT INTO freeze_overrides (promotion_id, freeze_id, expires_at, asked_by_user_id, asked_at, reason)
        VALUES (:promotion, :freeze, now(), :person, now(), 'why')
    """
    control.run(ask, promotion=promotion, freeze=freeze, person=OTHER)
    confirm = "UPDATE freeze_overrides SET confirmed_by_user_id = :who, confirmed_at = now(), confirm_reason = 'yes'"
    with control.refused("takes_two"):
        control.run(confirm, who=OTHER)
    control.run(confirm, who=THIRD)
    with control.refused("filled in, and once"):
        control.run(confirm, who=REQUESTER)


def test_a_hold_stays_until_it_is_released(control: Control) -> None:
    promotion = control.promotion()
    place = """
        INSERT INTO path_holds (id, path, promotion_id, reason, placed_at)
        VALUES (gen_random_uuid(), 'dev->prod', :id, 'r', now())
    """
    control.run(place, id=promotion)
    with control.refused("ix_path_holds_path_promotion_id"):
        control.run(place, id=promotion)
    with control.refused():
        control.run("DELETE FROM path_holds")
    with control.refused("release_is_whole"):
        control.run("UPDATE path_holds SET released_at = now(), released_by_user_id = :person", person=OTHER)
    control.run(
        "UPDATE path_holds SET released_at = now(), released_by_user_id = :person, release_reason = 'x'", person=OTHER
    )
    control.run(place, id=promotion)
