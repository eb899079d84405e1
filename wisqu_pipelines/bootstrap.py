"""From settings to services: the only place that chooses adapters.

What takes long to import is imported where it is first needed: a command that asks how a promotion stands reads no
PDF, migrates nothing and talks to no other identity provider.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.orm import Session

from wisqu_pipelines.accounts.service import Developer, TestAccountService
from wisqu_pipelines.catalog import points
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.knowledge import Knowledge
from wisqu_pipelines.detection.lessons import Lessons
from wisqu_pipelines.detection.service import DetectionService
from wisqu_pipelines.detection.teaching import Teaching
from wisqu_pipelines.environments import markers
from wisqu_pipelines.environments.markers import StoreCondition, StoreState
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.identity.administration import PeopleService
from wisqu_pipelines.identity.keys import KeyRings
from wisqu_pipelines.identity.limits import LoginLimits
from wisqu_pipelines.identity.matrix import AccessMatrix
from wisqu_pipelines.identity.service import IdentityService
from wisqu_pipelines.identity.visits import VisitService
from wisqu_pipelines.ingest.embedding import embedder
from wisqu_pipelines.ingest.search import Search
from wisqu_pipelines.ports.clock import Clock, SystemClock
from wisqu_pipelines.ports.embedding import Embedder
from wisqu_pipelines.ports.objects import ObjectStore
from wisqu_pipelines.ports.vectors import CollectionInfo
from wisqu_pipelines.promotion.approvals import ApprovalService
from wisqu_pipelines.promotion.cancelling import CancellationService
from wisqu_pipelines.promotion.candidates import CandidateService
from wisqu_pipelines.promotion.freezes import FreezeService
from wisqu_pipelines.promotion.lapsing import LapsingService
from wisqu_pipelines.promotion.service import EnvironmentPromotionService
from wisqu_pipelines.settings import EnvironmentSettings, PathSettings, Settings
from wisqu_pipelines.storage_audit.service import StorageAudit

if TYPE_CHECKING:
    from wisqu_pipelines.asking import Asking
    from wisqu_pipelines.automation.service import AutomationService
    from wisqu_pipelines.checkpoints.restores import RestoreService
    from wisqu_pipelines.checkpoints.service import CheckpointService
    from wisqu_pipelines.erasure.service import ErasureService
    from wisqu_pipelines.holds.service import HoldService
    from wisqu_pipelines.identity.external import ExternalPeople
    from wisqu_pipelines.identity.oidc import OidcProvider
    from wisqu_pipelines.identity.own_password import OwnPasswordService
    from wisqu_pipelines.ingest.service import IngestService
    from wisqu_pipelines.metrics.service import MetricsService
    from wisqu_pipelines.notifications.service import NotificationService
    from wisqu_pipelines.retention.service import RetentionService


class _CheckedEnvironments(Mapping[str, Environment]):
    """The configured environments; each is opened, and its stores' markers are checked, when it is first asked for."""

    def __init__(self, settings: Settings, control: Database, opened: ExitStack) -> None:
        self._settings = settings
        self._control = control
        self._opened = opened
        self._environments: dict[str, Environment] = {}

    def __getitem__(self, name: str) -> Environment:
        if name not in self._environments:
            environment = _open_environment(self._settings.environment(name), self._opened)
            markers.require(environment, self._control, self._settings.buckets)
            self._environments[name] = environment
        return self._environments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.environments)

    def __len__(self) -> int:
        return len(self._settings.environments)


@dataclass(frozen=True)
class Services:
    """Everything that the doors (CLI, Dagster, API) call."""

    settings: Settings
    clock: Clock
    control: Database
    environments: Mapping[str, Environment]
    """By name. The stores are checked when an environment is first asked for; a swapped setting raises `WrongStore`."""
    promotions: EnvironmentPromotionService
    approvals: ApprovalService
    freezes: FreezeService

    def candidates(self, environment: str) -> CandidateService:
        """What lists and marks an environment's items."""
        return CandidateService(self.environments[environment])

    @cached_property
    def cancellations(self) -> CancellationService:
        """What stops promotions."""
        return CancellationService(self.control, self.settings, self.clock)

    @cached_property
    def lapsing(self) -> LapsingService:
        """What ends promotions that wait for ever."""
        return LapsingService(self.control, self.settings.automation.lapse_days, self.clock)

    @cached_property
    def keys(self) -> KeyRings:
        """The keys that sign and verify tokens."""
        return KeyRings(self.settings.key_directory, list(self.settings.environments))

    @cached_property
    def identity(self) -> IdentityService:
        """What logs people in and lets them into environments."""
        return IdentityService(self.control, self.settings, self.keys, self._login_limits, self.clock)

    @cached_property
    def own_password(self) -> "OwnPasswordService":
        """What lets people change their own password."""
        from wisqu_pipelines.identity.own_password import OwnPasswordService

        return OwnPasswordService(self.control, self.settings, self._login_limits, self.clock)

    @cached_property
    def _login_limits(self) -> LoginLimits:
        return LoginLimits(self.settings.identity)

    @cached_property
    def provider(self) -> "OidcProvider | None":
        """The other identity provider, where one is configured."""
        from wisqu_pipelines.identity.oidc import OidcProvider

        oidc = self.settings.identity.oidc
        return None if oidc is None else OidcProvider(oidc, f"{self.settings.identity.issuer}/v1/oidc/callback")

    def external_people(self, provider: "OidcProvider") -> "ExternalPeople":
        """Who a provider's people are here."""
        from wisqu_pipelines.identity.external import ExternalPeople

        return ExternalPeople(self.control, self.settings, provider.settings, self.clock)

    @cached_property
    def people(self) -> PeopleService:
        """What makes people known and gives them roles."""
        return PeopleService(self.control, self.settings, self.clock)

    def test_accounts(self, environment: str) -> TestAccountService:
        """What makes and ends developers' test accounts in an environment."""
        return TestAccountService(self.environments[environment], self.clock)

    def warn_developers(self, environment: str) -> Sequence[UUID]:
        """Tell developers of their test accounts that end soon, once each; returns those accounts' ids."""
        from wisqu_pipelines.accounts.warnings import warn_developers

        within = timedelta(hours=self.settings.notifications.account_ends_hours)
        return warn_developers(self.test_accounts(environment), self.control, self.notifications, within)

    def developer(self, person: UUID, environment: str) -> Developer:
        """A person as the test accounts of an environment know them.

        Raises:
            UnknownPerson: there is no such active person.
            UnknownEnvironment: there is none of that name.
        """
        self.settings.environment(environment)
        with self.control.begin() as session:
            found = people.find(session, person)
        entry = AccessMatrix(self.settings).entry(found, environment, found.role_in(environment, self.clock.now()))
        return Developer(found.id, found.email, found.full_name, entry is not None and entry.test_accounts)

    @cached_property
    def visits(self) -> VisitService:
        """What lets people in for a time."""
        return VisitService(self.control, self.settings, self.clock)

    @cached_property
    def embedder(self) -> Embedder:
        """What makes the vectors of what is ingested; loaded when it is first asked for."""
        return embedder(self.settings.embedder)

    def ingest(self, environment: str) -> "IngestService":
        """What puts documents into an environment."""
        from wisqu_pipelines.ingest.service import IngestService

        judge = self.detection(environment).judge()
        return IngestService(self.environments[environment], self.settings, self.embedder, judge, self.clock)

    def detection(self, environment: str) -> DetectionService:
        """What finds test data in an environment."""
        return DetectionService(self.environments[environment], self.knowledge, self.settings, self.clock)

    @cached_property
    def knowledge(self) -> Knowledge:
        """What detection knows: its own patterns, and what people taught it."""
        return Knowledge(self.teaching, self.lessons, self.settings)

    @cached_property
    def teaching(self) -> Teaching:
        """What takes patterns and exceptions from people."""
        return Teaching(self.control, self._open_sample, self.settings, self.clock)

    def _open_sample(self) -> AbstractContextManager[Session]:
        return self.environments[self.settings.sample_environment].database.snapshot()

    @cached_property
    def lessons(self) -> Lessons:
        """What learns from people's marks."""
        return Lessons(self.control, self.environments, self.teaching, self.settings, self.clock)

    def search(self, environment: str) -> Search:
        """What finds documents in an environment, as Wisqu's readers do."""
        return Search(self.environments[environment], self.settings, self.embedder)

    def retention(self, environment: str) -> "RetentionService":
        """What sweeps an environment by its policy."""
        from wisqu_pipelines.retention.service import RetentionService

        return RetentionService(self.control, self.environments[environment], self.settings, self.clock)

    @cached_property
    def notifications(self) -> "NotificationService":
        """What tells people what they would want to know without asking."""
        from wisqu_pipelines.notifications.service import NotificationService
        from wisqu_pipelines.storage.apprise_messenger import AppriseMessenger

        return NotificationService(self.control, self.settings, AppriseMessenger(), self.clock)

    @cached_property
    def asking(self) -> "Asking":
        """What asks those who may decide."""
        from wisqu_pipelines.asking import Asking

        return Asking(self.control, self.notifications, self.settings, self.clock)

    @cached_property
    def automation(self) -> "AutomationService":
        """What asks for promotions without anybody at the keyboard."""
        from wisqu_pipelines.automation.service import AutomationService

        return AutomationService(
            self.control,
            self.environments,
            self.promotions,
            self.approvals,
            self.notifications,
            self.settings,
            self.clock,
        )

    @cached_property
    def checkpoints(self) -> "CheckpointService":
        """What verifies the audit and seals how it stands."""
        from wisqu_pipelines.checkpoints.service import CheckpointService

        return CheckpointService(self.control, self.environments, self.settings, self.clock)

    def holds(self, environment: str) -> "HoldService":
        """Legal holds in an environment."""
        from wisqu_pipelines.holds.service import HoldService

        return HoldService(self.control, self.environments[environment], self.clock)

    @cached_property
    def metrics(self) -> "MetricsService":
        """What says everything in figures."""
        from wisqu_pipelines.metrics.service import MetricsService

        return MetricsService(self.control, self.environments, self.settings, self.clock)

    @cached_property
    def erasures(self) -> "ErasureService":
        """What erases a person from an environment."""
        from wisqu_pipelines.erasure.service import ErasureService

        return ErasureService(self.control, self.environments, self.settings, self.clock)

    @cached_property
    def restores(self) -> "RestoreService":
        """What keeps account of databases that were restored from a backup."""
        from wisqu_pipelines.checkpoints.restores import RestoreService

        return RestoreService(self.control, self.checkpoints, self.settings, self.clock)

    def storage_audit(self, environment: str) -> StorageAudit:
        """What compares an environment's rows, objects and points."""
        return StorageAudit(self.control, self.environments[environment], self.settings, self.clock)


@cache
def _keep_what_is_loaded() -> None:
    """Look for garbage only among what comes later, from the first time on: the libraries' quarter of a million objects
    stay for good, and looking through them again and again took a quarter of a promotion's processor time.
    """
    gc.freeze()


@contextmanager
def open_services(settings: Settings, clock: Clock | None = None) -> Iterator[Services]:
    """The services of an installation, closed at the end of the block. Nothing is connected before it is used."""
    clock = clock or SystemClock()
    _keep_what_is_loaded()
    with ExitStack() as opened:
        control = opened.enter_context(closing(Database(settings.control.database)))
        environments = _CheckedEnvironments(settings, control, opened)
        open_transfer = lru_cache(lambda path: _open_transfer(settings, path, opened))
        yield Services(
            settings=settings,
            clock=clock,
            control=control,
            environments=environments,
            promotions=EnvironmentPromotionService(control, environments, open_transfer, settings, clock),
            approvals=ApprovalService(control, settings, clock),
            freezes=FreezeService(control, settings, clock),
        )


def set_up(settings: Settings, *names: str) -> None:
    """Make environments ready to use: tables, rights, buckets, collections, markers. Doing it again changes nothing.

    Args:
        settings: With the owner roles of the databases.
        names: The environments, or none for all.

    Raises:
        UnknownEnvironment: one is not configured.
        BadSettings: a database has no owner role in the settings.
        WrongStore: a store belongs to another environment.
    """
    set_up_databases(settings, *names)
    set_up_stores(settings, *names)


def set_up_databases(settings: Settings, *names: str) -> None:
    """Bring the control database and the environments' (none: all) to the newest schema, with the rights on it.

    Raises:
        UnknownEnvironment: one is not configured.
        BadSettings: a database has no owner role in the settings.
    """
    from wisqu_pipelines import migrations

    with closing(Database(settings.control.database, owner=True)) as control:
        migrations.upgrade(control, "control")
        migrations.grant(control, settings.control.database.user)
    for each in _named(settings, names):
        with closing(Database(each.database, environment=each, owner=True)) as owner:
            migrations.upgrade(owner, "environment")
            migrations.grant(owner, each.database.user)


def set_up_stores(settings: Settings, *names: str) -> None:
    """Register environments (none: all) whose databases are set up, and make their buckets, collections and markers.

    Raises:
        UnknownEnvironment: one is not configured.
        BadSettings: a database has no owner role in the settings.
        WrongStore: a store belongs to another environment.
    """
    wanted = _named(settings, names)
    with ExitStack() as opened:
        control = opened.enter_context(closing(Database(settings.control.database, owner=True)))
        registered = markers.register(control, [each.name for each in wanted])
        if settings.stack.embedded:
            with control.begin() as session:
                demo_people.ensure(session)
            KeyRings(settings.key_directory, list(settings.environments)).ensure(SystemClock().now())
        pairs = [
            (
                _open_environment(each, opened),
                opened.enter_context(closing(Database(each.database, environment=each, owner=True))),
            )
            for each in wanted
        ]
        with ThreadPoolExecutor(len(pairs)) as pool:  # an environment's stores wait for nobody else's
            list(pool.map(lambda pair: _set_up_stores(settings, pair[0], pair[1], registered), pairs))


def _named(settings: Settings, names: Sequence[str]) -> list[EnvironmentSettings]:
    return [settings.environment(name) for name in names] or list(settings.environments.values())


def _set_up_stores(
    settings: Settings, environment: Environment, owner: Database, registered: Mapping[str, UUID]
) -> None:
    own = environment.settings
    for bucket in settings.buckets:
        environment.objects.ensure_bucket(own.get_bucket_name(bucket))
    for base, collection in settings.collections.items():
        wanted = CollectionInfo(own.get_collection_name(base), collection.dimension, collection.distance)
        environment.vectors.ensure_collection(wanted, indexed=points.INDEXED)
    markers.mark(environment, owner, registered[environment.name], settings.buckets)


def check_stores(settings: Settings, *names: str) -> Iterator[StoreState]:
    """What the control database, the counter of logins and each store of the environments (none: all) say of
    themselves. No store's trouble ends the check but the control database's, which knows whose the others are.
    """
    wanted = _named(settings, names)
    with ExitStack() as opened:
        control = opened.enter_context(closing(Database(settings.control.database)))
        controls = markers.check_control(control, settings.control.database.address)
        yield controls
        if (counter := settings.identity.limits) is not None:
            look = LoginLimits(settings.identity).require
            yield markers.state_of("identity", "Redis database for logins", counter.address(counter.database), look)
        if controls.condition not in {StoreCondition.OK, StoreCondition.NOT_SET_UP}:
            return
        for each in wanted:
            yield from markers.check(_open_environment(each, opened), control, settings.buckets)
        for path in settings.paths.values():
            if path.target in {each.name for each in wanted}:
                yield from _check_transfer(settings, path, opened)


def _check_transfer(settings: Settings, path: PathSettings, opened: ExitStack) -> Iterator[StoreState]:
    """Whether a path's own account, if it has one, may read the source's buckets. Whether it may write into the
    target's is seen by the first copy alone: a check changes nothing.
    """
    account, source = _open_transfer(settings, path, opened), settings.environment(path.source)
    if account is None:
        return

    def look() -> None:
        for bucket in settings.buckets:
            account.stat(source.get_bucket_name(bucket), markers.MARKER_OBJECT)

    address = settings.environment(path.target).object_store.endpoint
    yield markers.state_of(path.target, f"account for copies along {path.name}", address, look)


def _open_environment(settings: EnvironmentSettings, opened: ExitStack) -> Environment:
    from wisqu_pipelines.storage.qdrant import QdrantVectorIndex
    from wisqu_pipelines.storage.redis_cache import RedisCache
    from wisqu_pipelines.storage.s3 import S3ObjectStore

    numbers = settings.cache.databases
    return Environment(
        settings=settings,
        database=opened.enter_context(closing(Database(settings.database, environment=settings))),
        objects=opened.enter_context(closing(S3ObjectStore(settings.object_store))),
        vectors=opened.enter_context(closing(QdrantVectorIndex(settings.vector_index))),
        cache=opened.enter_context(closing(RedisCache(settings.cache, numbers.cache))),
        sessions=opened.enter_context(closing(RedisCache(settings.cache, numbers.sessions))),
        limits=opened.enter_context(closing(RedisCache(settings.cache, numbers.limits))),
    )


def _open_transfer(settings: Settings, path: PathSettings, opened: ExitStack) -> ObjectStore | None:
    """The path's own account, if both ends are on one server and there is such an account."""
    from wisqu_pipelines.storage.s3 import S3ObjectStore

    here = settings.environment(path.source).object_store
    there = settings.environment(path.target).object_store
    if path.transfer is None or (here.endpoint, here.secure) != (there.endpoint, there.secure):
        return None
    return opened.enter_context(closing(S3ObjectStore(there.model_copy(update=path.transfer.model_dump()))))
