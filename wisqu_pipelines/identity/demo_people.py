"""The people of the embedded stack: one of each role, without passwords. They exist on no other installation."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from wisqu_pipelines.identity.models import CentralUser

DEVELOPER = "dana@demo.wisqu.com"
TESTER = "tariq@demo.wisqu.com"
ADMIN = "amal@demo.wisqu.com"
SUPERADMIN = "soraya@demo.wisqu.com"
AUTOMATION = "automation@demo.wisqu.com"
"""No person: the account as which schedules and sensors ask."""

_PEOPLE: tuple[tuple[str, str, dict[str, str]], ...] = (
    (DEVELOPER, "Dana (developer)", {"dev": "developer", "stage": "developer", "prod": "developer"}),
    (TESTER, "Tariq (tester)", {"stage": "tester"}),
    (ADMIN, "Amal (admin)", {"dev": "admin", "stage": "admin", "prod": "admin"}),
    (SUPERADMIN, "Soraya (superadmin)", {"dev": "superadmin", "stage": "superadmin", "prod": "superadmin"}),
    (AUTOMATION, "Automation", {"dev": "developer", "stage": "developer"}),
)
"""Roles as in the mission's access matrix."""


def is_one(person: CentralUser) -> bool:
    """Whether somebody is one of them, and has not got a password since."""
    return person.email in {email for email, _, _ in _PEOPLE} and person.password_hash is None


def ensure(session: Session) -> None:
    """Add the demo people who are not there yet."""
    for email, name, roles in _PEOPLE:
        session.execute(
            insert(CentralUser)
            .values(
                email=email,
                full_name=name,
                environment_access=list(roles),
                can_create_test_accounts="tester" not in roles.values(),
                **{f"{environment}_role": role for environment, role in roles.items()},
            )
            .on_conflict_do_nothing()
        )
