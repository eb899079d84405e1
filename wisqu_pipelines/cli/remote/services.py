"""What the commands call, through a server: the same methods with the same answers as the services themselves.

Who acts is whoever is logged in at the server, so the people that commands name are left aside.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from wisqu_pipelines.accounts.removal import Removed
from wisqu_pipelines.accounts.service import Developer, NewTestAccount, TestAccount
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.cli.remote.auditing import RemoteCheckpoints, RemoteRestores
from wisqu_pipelines.cli.remote.closing import RemoteFreezes
from wisqu_pipelines.cli.remote.door import Door, texts
from wisqu_pipelines.cli.remote.removals import RemoteErasures, RemoteHolds, RemoteRetention
from wisqu_pipelines.errors import (
    BadInput,
    NotThroughServer,
    ServerFailed,
    ServerRefused,
    UnknownPerson,
    VerificationFailed,
)
from wisqu_pipelines.identity.administration import PersonInfo
from wisqu_pipelines.identity.matrix import Entry
from wisqu_pipelines.identity.service import Identity
from wisqu_pipelines.identity.visits import EntryNotice, Visit
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.promotion.candidates import Candidate
from wisqu_pipelines.promotion.lineage import Ancestor
from wisqu_pipelines.promotion.models import MOVING, PromotionState
from wisqu_pipelines.promotion.plan import PlannedItem
from wisqu_pipelines.promotion.results import PromotionPreview, PromotionReport, PromotionResult, RollbackPreview

if TYPE_CHECKING:
    from wisqu_pipelines.cli.remote.server import Server

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_BEGIN = 300.0
"""The server runs a few promotions at a time, and others wait for their turn."""
PAGE = 200
"""Items asked for at once: the most that the API gives."""
RUNNING = frozenset({PromotionState.EXECUTING, PromotionState.PUBLISHED, PromotionState.ROLLING_BACK})


class RemoteServices:
    """The services behind a server's API."""

    def __init__(self, server: "Server") -> None:
        """Ask `server`."""
        self.server = server

    @cached_property
    def environments(self) -> Sequence[str]:
        """The names of the environments that whoever is logged in may enter, in their order."""
        entries: list[Entry] = self.server.get(list[Entry], "/environments")
        return [each.environment for each in entries]

    @cached_property
    def who(self) -> Identity:
        """Who is logged in at the server."""
        return self.server.whoami()

    @property
    def promotions(self) -> "RemotePromotions":
        """Promotions."""
        return RemotePromotions(self.server)

    @property
    def approvals(self) -> "RemoteApprovals":
        """Decisions on them."""
        return RemoteApprovals(self.server)

    @property
    def cancellations(self) -> "RemoteCancellations":
        """What stops them."""
        return RemoteCancellations(self.server)

    @property
    def freezes(self) -> RemoteFreezes:
        """What closes paths."""
        return RemoteFreezes(self.server)

    @property
    def visits(self) -> "RemoteVisits":
        """Access for a time."""
        return RemoteVisits(self.server)

    @property
    def people(self) -> "RemotePeople":
        """People and their roles."""
        return RemotePeople(self.server)

    @property
    def checkpoints(self) -> RemoteCheckpoints:
        """The audit, verified."""
        return RemoteCheckpoints(self.server)

    @property
    def restores(self) -> RemoteRestores:
        """Databases that were restored."""
        return RemoteRestores(self.server)

    @property
    def erasures(self) -> RemoteErasures:
        """Erasures in all environments."""
        return RemoteErasures(self.server, self.environments)

    def retention(self, environment: str) -> RemoteRetention:
        """Sweeps of an environment."""
        return RemoteRetention(self.server, environment)

    def holds(self, environment: str) -> RemoteHolds:
        """Legal holds in an environment."""
        return RemoteHolds(self.server, environment)

    def candidates(self, environment: str) -> "RemoteCandidates":
        """An environment's items."""
        return RemoteCandidates(self.server, environment)

    def developer(self, person: UUID, environment: str) -> Developer:
        """Whoever is logged in; whether they make test accounts there is for the server to say."""
        del person, environment
        return Developer(self.who.user_id, self.who.email, self.who.full_name, True)

    def test_accounts(self, environment: str) -> "RemoteTestAccounts":
        """One's own test accounts in an environment."""
        return RemoteTestAccounts(self.server, environment)


class RemotePromotions(Door):
    """As `EnvironmentPromotionService`."""

    def preview_promotion(
        self,
        model_class: type[EnvironmentRow] | str,
        source_env: str,
        target_env: str,
        item_ids: Sequence[UUID] | None = None,
        *,
        requested_by_user_id: UUID | None = None,
        requested_via: str = "",
        reason: str | None = None,
        progress: Progress = no_progress,
    ) -> PromotionPreview:
        """Make a plan."""
        del requested_by_user_id, requested_via, progress
        body = {
            "promotion_type": model_class,
            "source_environment": source_env,
            "target_environment": target_env,
            "item_ids": texts(item_ids),
            "reason": reason,
        }
        made: dict[str, UUID] = self._server.post(dict[str, UUID], "/promotions", body)
        return self.preview(made["id"])

    def preview(self, promotion_id: UUID) -> PromotionPreview:
        """A plan as it was frozen."""
        return self._server.get(PromotionPreview, f"/promotions/{promotion_id}/preview")

    def plan(self, promotion_id: UUID) -> Iterator[PlannedItem]:
        """Every item of a plan."""
        return self._server.lines(PlannedItem, f"/promotions/{promotion_id}/plan")

    def compare(self, promotion_id: UUID, earlier_id: UUID) -> Iterator[str]:
        """How a plan differs from an earlier one."""
        found: list[str] = self._server.get(list[str], f"/promotions/{promotion_id}/differences", against=earlier_id)
        return iter(found)

    def lineage(self, item_id: UUID) -> Sequence[Ancestor]:
        """Where a promoted item came from."""
        found: list[Ancestor] = self._server.get(list[Ancestor], f"/lineage/{item_id}")
        return found

    def status(self, promotion_id: UUID) -> PromotionReport:
        """How a promotion stands."""
        return self._server.get(PromotionReport, f"/promotions/{promotion_id}")

    def list(
        self, *, state: PromotionState | None = None, limit: int = 50, after: UUID | None = None
    ) -> Sequence[PromotionReport]:
        """The promotions, newest first."""
        del after  # the commands show one list
        return _pages(self._server, PromotionReport, "/promotions", limit, state=state)

    def execute(
        self,
        promotion_id: UUID,
        *,
        run_id: str = "",
        executed_by_user_id: UUID | None = None,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Have an approved promotion executed by the server, and wait for its end."""
        del executed_by_user_id
        return self.resume(promotion_id, run_id=run_id, progress=progress)

    def execute_promotion(
        self,
        model_class: type[EnvironmentRow] | str,
        source_env: str,
        target_env: str,
        promoted_by_user_id: UUID,
        reason: str,
        item_ids: Sequence[UUID] | None = None,
        *,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Refused: at a server a promotion is executed by its id."""
        raise BadInput(what="a type with its path", reason="through a server, execute a promotion by its id")

    def resume(
        self, promotion_id: UUID, *, run_id: str = "", person: UUID | None = None, progress: Progress = no_progress
    ) -> PromotionResult:
        """Have the server go on with a promotion, and wait for its end."""
        del run_id, person
        started: dict[str, str] = self._server.post(dict[str, str], f"/promotions/{promotion_id}/resume")
        return self._ended(promotion_id, started["run_id"], progress)

    def preview_rollback(
        self,
        promotion_id: UUID,
        item_ids: Collection[UUID] | None = None,
        *,
        rehearse: bool = False,
        person: UUID | None = None,
    ) -> RollbackPreview:
        """Say what taking a promotion back would do."""
        del person
        body = {"item_ids": texts(item_ids), "rehearse": rehearse}
        return self._server.post(RollbackPreview, f"/promotions/{promotion_id}/rollback/preview", body)

    def request_rollback(
        self,
        promotion_id: UUID,
        person: str | UUID,
        reason: str | None = None,
        item_ids: Collection[UUID] | None = None,
    ) -> None:
        """Ask that a promotion be taken back."""
        del person
        body = {"reason": reason or "", "item_ids": texts(item_ids)}
        self._server.post(dict[str, Any], f"/promotions/{promotion_id}/rollback", body)

    def rollback_promotion(
        self,
        promotion_id: UUID,
        rolled_back_by_user_id: UUID,
        reason: str | None = None,
        *,
        item_ids: Collection[UUID] | None = None,
        progress: Progress = no_progress,
    ) -> PromotionResult:
        """Have a promotion taken back by the server, and wait for its end."""
        self.request_rollback(promotion_id, rolled_back_by_user_id, reason, item_ids)
        try:
            return self.resume(promotion_id, progress=progress)
        except ServerRefused as error:  # the sensor's run was quicker
            message = f"It was asked for; 'wisqu promote status {promotion_id}' shows how it goes. {error}"
            raise ServerRefused(message=message, error=error.details["error"]) from None

    def _ended(self, promotion_id: UUID, run_id: str, progress: Progress) -> PromotionResult:
        """Look at a promotion until the server's run is over."""
        report, last = self.status(promotion_id), time.monotonic() + SECONDS_TO_BEGIN
        while report.run_id != run_id or report.state in RUNNING:
            if report.run_id != run_id and time.monotonic() > last:
                message = f"The server's run {run_id} has not begun; the promotion {promotion_id} is {report.state}."
                raise ServerFailed(message=message, error=report.state)
            for step, done in report.steps.items():
                progress(step, done, max(done, sum(_moving(report, "items").values())))
            time.sleep(SECONDS_BETWEEN_LOOKS)
            report = self.status(promotion_id)
        if report.state not in {PromotionState.SUCCEEDED, PromotionState.ROLLED_BACK}:
            message = report.error or f"The promotion {promotion_id} is {report.state}."
            raise ServerFailed(message=message, error=report.state)
        if report.verification and report.verification["outcome"] == "failed" and report.rollback_asked_by is None:
            raise VerificationFailed(
                promotion_id=str(promotion_id),
                environment=report.target_environment,
                findings="; ".join(report.verification["findings"]),
                outcome="it was rolled back" if report.state == PromotionState.ROLLED_BACK else "it stays",
            )
        return PromotionResult(
            promotion_id=promotion_id,
            promotion_type=report.promotion_type,
            source_environment=report.source_environment,
            target_environment=report.target_environment,
            state=report.state,
            success_count=report.success_count,
            error_count=report.error_count,
            bytes=sum(_moving(report, "bytes").values()),
            points=sum(_moving(report, "points").values()),
            duration_seconds=report.duration_seconds or 0.0,
            verification=report.verification,
        )


class RemoteApprovals(Door):
    """As `ApprovalService`."""

    def pending(self) -> Sequence[UUID]:
        """The promotions that wait for a decision, oldest first."""
        found: list[PromotionReport] = self._server.get(list[PromotionReport], "/approvals")
        return [each.promotion_id for each in found]

    def standing(self, promotion_id: UUID) -> Sequence[UUID]:
        """The people whose approval of a promotion counts now."""
        found: list[UUID] = self._server.get(list[UUID], f"/promotions/{promotion_id}/approvals")
        return found

    def grant(self, promotion_id: UUID, person: str | UUID, reason: str | None = None) -> PromotionState:
        """Say yes to a plan."""
        return self._decide(promotion_id, "approve", {"reason": reason})

    def reject(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Say no to a plan."""
        return self._decide(promotion_id, "reject", {"reason": reason})

    def revoke(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Take one's own yes back."""
        return self._decide(promotion_id, "revoke", {"reason": reason})

    def _decide(self, promotion_id: UUID, act: str, body: dict[str, Any]) -> PromotionState:
        answer: dict[str, PromotionState] = self._server.post(
            dict[str, PromotionState], f"/promotions/{promotion_id}/{act}", body
        )
        return answer["state"]


class RemoteCancellations(Door):
    """As `CancellationService`."""

    def cancel(self, promotion_id: UUID, person: str | UUID, reason: str) -> PromotionState:
        """Cancel a promotion."""
        answer: dict[str, PromotionState] = self._server.post(
            dict[str, PromotionState], f"/promotions/{promotion_id}/cancel", {"reason": reason}
        )
        return answer["state"]


class RemoteCandidates(Door):
    """As `CandidateService`."""

    def __init__(self, server: "Server", environment: str) -> None:
        """The items of `environment`."""
        super().__init__(server)
        self._items = f"/environments/{environment}/items"

    def list(
        self, type_: str, *, status: PromotionStatus | None = None, limit: int = 50, after: UUID | None = None
    ) -> Sequence[Candidate]:
        """Items of a type in the order in which they were created."""
        del after  # the commands show one list
        return _pages(self._server, Candidate, f"{self._items}/{type_}", limit, status=status)

    def approve(
        self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str | None = None
    ) -> Sequence[Candidate]:
        """Say that items may go to the next environment, one after the other."""
        return self._each(type_, item_ids, "approve", reason)

    def mark_as_test_data(self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str) -> Sequence[Candidate]:
        """Say that items are test data, one after the other."""
        return self._each(type_, item_ids, "mark", reason)

    def mark_as_real(
        self, type_: str, item_ids: Sequence[UUID], person: UUID, reason: str | None = None
    ) -> Sequence[Candidate]:
        """Say that items are no test data, one after the other."""
        return self._each(type_, item_ids, "unmark", reason)

    def _each(self, type_: str, item_ids: Sequence[UUID], act: str, reason: str | None) -> Sequence[Candidate]:
        return [
            self._server.post(Candidate, f"{self._items}/{type_}/{item_id}/{act}", {"reason": reason})
            for item_id in item_ids
        ]


class RemoteVisits(Door):
    """As `VisitService`."""

    def request(self, person: str | UUID, environment: str, hours: int, reason: str, role: str = "developer") -> UUID:
        """Ask to be let into an environment."""
        body = {"environment": environment, "hours": hours, "reason": reason, "role": role}
        made: dict[str, UUID] = self._server.post(dict[str, UUID], "/access-requests", body)
        return made["id"]

    def grant(self, grant_id: UUID, by: str | UUID) -> datetime:
        """Let the requester in."""
        answer: dict[str, datetime] = self._server.post(dict[str, datetime], f"/access-requests/{grant_id}/grant")
        return answer["until"]

    def refuse(self, grant_id: UUID, by: str | UUID, reason: str) -> None:
        """Say no to a request."""
        self._server.post(dict[str, bool], f"/access-requests/{grant_id}/refuse", {"reason": reason})

    def end(self, grant_id: UUID, by: str | UUID, reason: str) -> None:
        """End access before its time."""
        self._server.post(dict[str, bool], f"/access-requests/{grant_id}/end", {"reason": reason})

    def list(self, environment: str | None = None) -> Sequence[Visit]:
        """The requests, newest first."""
        found: list[Visit] = self._server.get(list[Visit], "/access-requests", environment=environment)
        return found

    def notices(self, environment: str, by: str | UUID) -> Sequence[EntryNotice]:
        """Who entered an environment and why."""
        found: list[EntryNotice] = self._server.get(list[EntryNotice], f"/environments/{environment}/entries")
        return found


class RemotePeople(Door):
    """As `PeopleService`."""

    def bootstrap(self, email: str, full_name: str | None, password: str) -> UUID:
        """Refused: the first superadmin is made where the stores are."""
        raise NotThroughServer(server=self._server.address)

    def create(self, email: str, full_name: str | None, password: str | None, by: str | UUID, reason: str) -> UUID:
        """Make a person known."""
        body = {
            "email": email,
            "full_name": full_name,
            "password": password,
            "with_password": password is not None,
            "reason": reason,
        }
        made: dict[str, Any] = self._server.post(dict[str, Any], "/users", body)
        return UUID(made["id"])

    def grant(self, email: str | UUID, environment: str, role: str, by: str | UUID, reason: str) -> None:
        """Give a lasting role."""
        body = {"environment": environment, "role": role, "reason": reason}
        self._server.put(dict[str, bool], f"/users/{self._id(email)}/role", body)

    def revoke(self, email: str | UUID, environment: str, by: str | UUID, reason: str) -> None:
        """Take a role away."""
        self._server.post(dict[str, bool], f"/users/{self._id(email)}/revoke/{environment}", {"reason": reason})

    def disable(self, email: str | UUID, by: str | UUID, reason: str) -> int:
        """Close an account; returns how many logins ended."""
        answer: dict[str, int] = self._server.post(
            dict[str, int], f"/users/{self._id(email)}/disable", {"reason": reason}
        )
        return answer["ended"]

    def enable(self, email: str, by: str | UUID, reason: str) -> None:
        """Open a closed account again."""
        self._server.post(dict[str, bool], f"/users/{self._id(email)}/enable", {"reason": reason})

    def set_password(self, email: str | UUID, password: str, by: str | UUID, reason: str) -> None:
        """Give another password."""
        body = {"password": password, "reason": reason}
        self._server.put(dict[str, bool], f"/users/{self._id(email)}/password", body)

    def list(self) -> Sequence[PersonInfo]:
        """Everybody, with their roles."""
        found: list[PersonInfo] = self._server.get(list[PersonInfo], "/users")
        return found

    def _id(self, person: str | UUID) -> UUID:
        for each in self.list():
            if str(person).strip().lower() in {each.email.lower(), str(each.id)}:
                return each.id
        raise UnknownPerson(person=str(person))


class RemoteTestAccounts(Door):
    """As `TestAccountService`."""

    def __init__(self, server: "Server", environment: str) -> None:
        """One's own in `environment`."""
        super().__init__(server)
        self._accounts = f"/environments/{environment}/developer/test-accounts"

    def create(self, developer: Developer, reason: str, expires_in_hours: int = 24) -> NewTestAccount:
        """Make a test account."""
        body = {"reason": reason, "expires_in_hours": expires_in_hours}
        return self._server.post(NewTestAccount, self._accounts, body)

    def list(self, developer: Developer) -> Sequence[TestAccount]:
        """One's own, newest first."""
        found: list[TestAccount] = self._server.get(list[TestAccount], self._accounts)
        return found

    def delete(self, developer: Developer, account_id: UUID, reason: str | None = None) -> Removed:
        """Delete a test account."""
        del reason
        return self._server.delete(Removed, f"{self._accounts}/{account_id}")


def _pages(server: "Server", kind: Any, path: str, limit: int, **query: Any) -> list[Any]:
    """Up to `limit` of a list that the server gives in pages."""
    found: list[Any] = []
    after: str | None = None
    while len(found) < limit:
        page: dict[str, Any] = server.get(
            dict[str, list[kind] | str | None], path, limit=min(PAGE, limit - len(found)), after=after, **query
        )
        found += page["items"]
        after = page["next"]
        if after is None:
            break
    return found


def _moving(report: PromotionReport, what: str) -> dict[str, int]:
    return {effect: int(report.totals["by_effect"][effect][what]) for effect in MOVING}
