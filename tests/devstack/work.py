"""Approved promotions that Dagster's daemons are to execute, and what has become of them."""

from collections import Counter
from uuid import UUID

from sqlalchemy import select

from tests.devstack.commands import wait_until
from tests.devstack.daemons import STARTED, Daemons
from tests.promotion.world import World
from wisqu_pipelines.assets.tags import PROMOTION
from wisqu_pipelines.audit.models import EnvironmentPromotion, ReceiptStatus
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.identity.demo_people import ADMIN
from wisqu_pipelines.notifications.models import Notification
from wisqu_pipelines.promotion.models import PromotionState

SENSOR = "approvals_sensor"
SECONDS = 400
"""A run that died with its daemon is found out after three minutes, and another one is started then."""
OVER = {"SUCCESS", "FAILURE", "CANCELED"}


class Work:
    """What was asked for."""

    def __init__(self, services: Services, daemons: Daemons) -> None:
        self._services = services
        self._daemons = daemons
        self._asked: list[UUID] = []

    def __str__(self) -> str:
        runs = Counter(each.status for each in self._daemons.runs(PROMOTION))
        return f"{len(self._asked)} promotions, runs: {dict(runs)}"

    def ask(self, world: World, count: int) -> None:
        """Approve some promotions, each of one new document."""
        for _ in range(count):
            document = world.document(f"{len(self._asked)}.md", f"Guide {len(self._asked)}")
            planned = world.services.promotions.preview_promotion(
                RagDocument, "dev", "stage", [document], requested_by_user_id=world.person()
            )
            self._services.approvals.grant(planned.promotion_id, ADMIN)
            self._asked.append(planned.promotion_id)

    def wait_for_a_tick(self) -> None:
        """Until a tick is under way that began after the promotions had been approved."""
        last = self._daemons.last_tick(SENSOR)
        wait_until(
            lambda: any(status == STARTED for _, status in self._daemons.ticks(SENSOR, last)), SECONDS, "a tick begins"
        )

    def wait_until_done(self) -> None:
        """Until all is done, no run is left, and the sensor has looked at it once more."""
        promotions = self._services.promotions
        wait_until(
            lambda: (
                all(promotions.status(each).state == PromotionState.SUCCEEDED for each in self._asked)
                and all(each.status in OVER for each in self._daemons.runs(PROMOTION))
            ),
            SECONDS,
            "all promotions are done",
        )
        last = self._daemons.last_tick(SENSOR)
        wait_until(
            lambda: any(status != STARTED for _, status in self._daemons.ticks(SENSOR, last)), SECONDS, "one more tick"
        )

    def problems(self, *, are_two_at_work: bool = False) -> list[str]:
        """What was done twice, or not at all; a sentence each.

        Args:
            are_two_at_work: Whether there were two daemons at once. Dagster asks for a run key before it uses it, so
                both may start a run; the claim lets one of them work, and people are told of the other.
        """
        problems = []
        runs = self._daemons.runs(PROMOTION)
        with self._services.environments["stage"].database.begin() as session:
            wanted = select(EnvironmentPromotion.promotion_id).where(
                EnvironmentPromotion.status == ReceiptStatus.SUCCESS
            )
            receipts = Counter(session.scalars(wanted))
        for each in self._asked:
            own = [run for run in runs if run.about == str(each)]
            if receipts[each] != 1:
                problems.append(f"{each} has {receipts[each]} receipts")
            if [run.status for run in own].count("SUCCESS") != 1:
                problems.append(f"{each} was not executed once: {own}")
            if are_two_at_work:
                continue
            keys = Counter(run.run_key for run in own if not run.is_retry)
            problems += [f"the run key {key} was used {count} times" for key, count in keys.items() if count > 1]
        with self._services.control.begin() as session:
            for told in session.scalars(select(Notification)):
                if told.repeats or (told.event == "run_refused" and not are_two_at_work):
                    problems.append(f"people were told '{told.title}' {told.repeats + 1} times: {told.body}")
        return problems
