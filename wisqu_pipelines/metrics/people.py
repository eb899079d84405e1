"""People: developers' test accounts, who entered what and why, and what they did there with a privilege.

End users are never named: their entries are counted together. Nobody else's reasons are guessed or joined to a row.
"""

from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, literal, select, union_all

from wisqu_pipelines.audit.models import DeveloperAction, EnvironmentAccess, EnvironmentAccessLog
from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.entry.arrivals import END_USER, LOGIN
from wisqu_pipelines.entry.test_sessions import TEST_LOGIN
from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.identity.service import IDENTITY
from wisqu_pipelines.metrics.metric import Kind, Metric, Scope, Statement, Where

ENTRY = "environment_token"
"""The action with which the control database writes an entry down."""
END_USERS = "(end users)"
TEST_ACCOUNTS = "(test accounts)"
NOBODY = "(nobody known)"
"""A schedule, or the Dagster UI, which knows no people."""
REASON_CHARACTERS = 200
MOST_REASONS = 5
"""Different ones of a person and an action that are told."""


def _reasons(reason: ColumnElement[Any]) -> ColumnElement[str]:
    """Some of the different reasons, in one text."""
    told = func.array_agg(func.left(reason, REASON_CHARACTERS).distinct()).filter(reason.is_not(None))
    return func.coalesce(func.array_to_string(told[1:MOST_REASONS], "; "), "")


def _accounts(scope: Scope) -> Statement:
    developer = func.coalesce(cast(User.created_by_developer, Text), NOBODY)
    over = (User.test_expires_at <= scope.now) | User.is_deleted
    return (
        select(
            literal(scope.environment).label("environment"),
            developer.label("developer"),
            func.count().filter(~over).label("active"),
            func.count().filter(over).label("expired"),
            func.min(User.test_expires_at).filter(~over).label("next_expiry"),
        )
        .where(User.is_test_account)
        .group_by(developer)
        .order_by(developer)
    )


def _access(scope: Scope) -> Statement:
    log = EnvironmentAccess
    person = case(
        ((log.action == ENTRY) & (log.details["role"].astext == END_USER), END_USERS),
        (log.user_id.is_(None), NOBODY),
        else_=func.coalesce(CentralUser.email, cast(log.user_id, Text)),
    )
    last = func.max(log.occurred_at)
    return (
        select(
            person.label("person"),
            log.environment.label("environment"),
            log.action.label("action"),
            func.count().label("times"),
            func.count().filter(~log.success).label("refused"),
            last.label("last"),
            _reasons(log.reason.expression).label("reasons"),
        )
        .select_from(log)
        .outerjoin(CentralUser, CentralUser.id == log.user_id)
        .where(log.occurred_at >= scope.since, log.occurred_at <= scope.now, log.environment != IDENTITY)
        .group_by(person, log.environment, log.action)
        .order_by(last.desc(), person, log.environment, log.action)
    )


def _actions(scope: Scope) -> Statement:
    entry, done = EnvironmentAccessLog, DeveloperAction
    who_came = case(
        (entry.access_type == TEST_LOGIN, TEST_ACCOUNTS),
        ((entry.access_type == LOGIN) & (entry.details["role"].astext == END_USER), END_USERS),
        else_=func.coalesce(cast(entry.user_id, Text), NOBODY),
    )
    both = union_all(
        select(
            func.coalesce(cast(done.developer_id, Text), NOBODY).label("person"),
            done.action.label("action"),
            done.success.label("success"),
            done.reason.label("reason"),
            done.occurred_at.label("occurred_at"),
        ).where(done.occurred_at >= scope.since, done.occurred_at <= scope.now),
        select(who_came, entry.access_type, literal(True), entry.reason, entry.occurred_at).where(
            entry.occurred_at >= scope.since, entry.occurred_at <= scope.now
        ),
    ).subquery()
    last = func.max(both.c.occurred_at)
    return (
        select(
            literal(scope.environment).label("environment"),
            both.c.person,
            both.c.action,
            func.count().label("times"),
            func.count().filter(~both.c.success).label("failed"),
            last.label("last"),
            _reasons(both.c.reason).label("reasons"),
        )
        .group_by(both.c.person, both.c.action)
        .order_by(last.desc(), both.c.person, both.c.action)
    )


ACCOUNTS = Metric(
    "accounts",
    "Test accounts",
    "Developers' test accounts by who made them; an expired one waits for the next clean-up.",
    Where.ENVIRONMENT,
    {
        "environment": Kind.TEXT,
        "developer": Kind.TEXT,
        "active": Kind.COUNT,
        "expired": Kind.COUNT,
        "next_expiry": Kind.MOMENT,
    },
    _accounts,
    person="developer",
)
ACCESS = Metric(
    "access",
    "Access",
    "Who entered which environment or decided something about one, how often, when last, and with which reasons.",
    Where.CONTROL,
    {
        "person": Kind.TEXT,
        "environment": Kind.TEXT,
        "action": Kind.TEXT,
        "times": Kind.COUNT,
        "refused": Kind.COUNT,
        "last": Kind.MOMENT,
        "reasons": Kind.TEXT,
    },
    _access,
)
ACTIONS = Metric(
    "actions",
    "Actions",
    "What people did in an environment with a privilege, and who came into its own app.",
    Where.ENVIRONMENT,
    {
        "environment": Kind.TEXT,
        "person": Kind.TEXT,
        "action": Kind.TEXT,
        "times": Kind.COUNT,
        "failed": Kind.COUNT,
        "last": Kind.MOMENT,
        "reasons": Kind.TEXT,
    },
    _actions,
    person="person",
)
