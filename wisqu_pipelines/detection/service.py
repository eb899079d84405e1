"""Detection in one environment: what its judge is, scans, and what waits for people."""

from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID

from wisqu_pipelines.catalog.models import EnvironmentRow
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.fields import MODELS
from wisqu_pipelines.detection.knowledge import Knowledge
from wisqu_pipelines.detection.reading import Chunks, Reader
from wisqu_pipelines.detection.report import ScanReport
from wisqu_pipelines.detection.reviews import Review, ReviewQueue
from wisqu_pipelines.detection.scanning import ROWS_AT_ONCE, Scan, every_month
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.ports.progress import Progress, no_progress
from wisqu_pipelines.settings import Settings


class DetectionService:
    """Finds test data in one environment."""

    def __init__(self, environment: Environment, knowledge: Knowledge, settings: Settings, clock: Clock) -> None:
        """Judge with what `knowledge` holds when it is asked."""
        self._environment = environment
        self._knowledge = knowledge
        self._settings = settings
        self._clock = clock

    def judge(self) -> TextJudge:
        """What judges in this environment: what is built in, what people taught, and what was learnt."""
        return self._knowledge.judge(self._environment.settings.test_data)

    def scan(
        self,
        models: Sequence[type[EnvironmentRow]] = tuple(MODELS.values()),
        *,
        wanted: Callable[[date], bool] = every_month,
        is_full: bool = False,
        is_dry_run: bool = False,
        batch_size: int = ROWS_AT_ONCE,
        progress: Progress = no_progress,
    ) -> ScanReport:
        """Look for test data, mark it, and take marks away that an earlier scan made and this one would not make.

        Args:
            models: In whose rows.
            wanted: Whether rows are read that were created in the month beginning on that day.
            is_full: Read also what this version of the detector has read before.
            is_dry_run: Say what would be done, and do nothing.
            batch_size: Rows of one transaction.
            progress: Is told after each of them.

        Raises:
            StoreUnavailable: a store went away. What was marked stays, and the next scan goes on there.
        """
        judge = self.judge()
        chunks = Chunks(
            self._environment.vectors,
            self._environment.settings.get_collection_name,
            self._settings.detection.chunk_share,
        )
        scan = Scan(
            self._environment.name,
            self._environment.database.begin,
            Reader(judge, chunks),
            judge.version,
            self._clock,
            is_full=is_full,
            is_dry_run=is_dry_run,
            batch_size=batch_size,
        )
        return scan.run(models, wanted, progress)

    def waiting(self, limit: int) -> tuple[list[Review], int]:
        """The items that wait for a person, the likeliest test data first, and how many there are in all."""
        with self._environment.database.snapshot() as session:
            return ReviewQueue(session, self._clock).waiting(limit)

    def decide(self, item_id: UUID, *, is_test_data: bool, person: UUID, reason: str | None) -> None:
        """Say what an item is that waits.

        Raises:
            ItemNotFound: no such item waits.
            ItemRefused: a running promotion holds it.
            BadInput: the reason is not usable.
        """
        with self._environment.database.begin() as session:
            ReviewQueue(session, self._clock).decide(item_id, is_test_data=is_test_data, person=person, reason=reason)
