"""The access matrix: what the settings say of each role, asked cell by cell. No question costs a query."""

from dataclasses import dataclass

from wisqu_pipelines.identity.models import CentralUser
from wisqu_pipelines.settings import RoleSettings, Settings


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person may do in one environment."""

    environment: str
    role: str
    needs_reason: bool
    test_accounts: bool


class AccessMatrix:
    """Answers from the settings' `roles`."""

    def __init__(self, settings: Settings) -> None:
        """Ask these settings."""
        self._roles = settings.roles
        self._environments = tuple(settings.environments)

    def may_enter(self, role: str, environment: str) -> bool:
        """Whether a role can be held in an environment."""
        return environment in self._row(role).enters

    def needs_reason(self, role: str, environment: str) -> bool:
        """Whether who enters as that role says why."""
        return environment in self._row(role).gives_reason

    def makes_test_accounts(self, role: str, environment: str) -> bool:
        """Whether that role makes test accounts there."""
        return environment in self._row(role).test_accounts

    def may_give(self, giver: str | None, role: str) -> bool:
        """Whether who holds `giver` in an environment may give `role` there."""
        return giver is not None and giver in self._row(role).given_by

    def givers(self, role: str) -> tuple[str, ...]:
        """Who may give a role."""
        return self._row(role).given_by

    def entry(self, person: CentralUser, environment: str, role: str | None) -> Entry | None:
        """What a person may do in an environment as a role, or None if they may not enter it."""
        if role is None or not self.may_enter(role, environment):
            return None
        return Entry(
            environment,
            role,
            self.needs_reason(role, environment),
            person.can_create_test_accounts and self.makes_test_accounts(role, environment),
        )

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles."""
        return tuple(self._roles)

    @property
    def environments(self) -> tuple[str, ...]:
        """All environments."""
        return self._environments

    def _row(self, role: str) -> RoleSettings:
        return self._roles.get(role, _NOTHING)


_NOTHING = RoleSettings.model_construct(enters=(), test_accounts=(), gives_reason=(), given_by=())
"""A role that the settings do not know may do nothing."""
