"""`kill -9` of a worker that sweeps, purges, restores or erases: moments from a printed seed, on the real engines."""

import random
import signal
from collections.abc import Iterator, Mapping

from tests.devstack.commands import wait_until
from tests.faults.budget import budget
from tests.faults.deeds import DEEDS, Deed
from tests.faults.invariants import broken_chains
from tests.faults.lifecycle import Scene, prepared
from tests.faults.pictures import PLACES, TABLE, Lines, Picture, pictures
from tests.faults.worker import NEVER, Worker, worker
from tests.faults.worlds import FaultWorld, embedded_world
from tests.fixtures.stack import Stack
from wisqu_pipelines import bootstrap
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.cached import cached_item
from wisqu_pipelines.devstack import postgres
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.settings import Settings

TRIES = 2
"""Trials for each kill that is asked for, at most: the rest may come too late to meet the worker at work."""
SECONDS = 10.0
"""For a server to see that a client has died."""
CLIENTS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"


def test_retention_and_erasure_lose_nothing_when_they_are_killed(stack: Stack, settings: Settings) -> None:
    bootstrap.set_up(settings)
    asked, violations, killed, tried = budget(), [], 0, 0
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    met = dict.fromkeys(Deed, 0)
    with embedded_world(stack.site, settings) as world, open_services(settings) as services, worker() as victim:
        stage = Stage(stack.site, world, services, victim)
        scenes = prepared(world, services)
        lasts = {}
        for scene in scenes:  # first of all without a kill
            violations += [f"{scene.deed}, not killed: {each}" for each in stage.problems(scene)]
            lasts[scene.deed] = stage.lived
        while killed < asked.lifecycle and tried < TRIES * asked.lifecycle:
            scene = scenes[tried % len(scenes)]
            tried += 1
            after = draw.uniform(0, lasts[scene.deed])
            violations += [
                f"kill {tried} ({scene.deed}, {after:.3f} s): {each}" for each in stage.problems(scene, after)
            ]
            killed += stage.was_killed
            met[scene.deed] += stage.was_killed
            if not stage.was_killed:
                lasts[scene.deed] = stage.lived  # the machine has become quicker
    told = ", ".join(f"{deed} {count}" for deed, count in met.items() if count)
    print(
        f"\nseed {asked.seed}: {killed} kills met a worker at work ({told}), of {tried}; {len(violations)} violations"
    )
    assert not violations, "\n".join(violations)
    assert killed == asked.lifecycle, f"only {killed} of {tried} were in time"


class Stage:
    """Where a deed is begun by a worker, and gone on with in this process when that was killed."""

    def __init__(self, site: Site, world: FaultWorld, services: Services, victim: Worker) -> None:
        self._site = site
        self._world = world
        self._services = services
        self._victim = victim
        self.was_killed = False
        self.lived = 0.0
        """Seconds."""

    def problems(self, scene: Scene, kill_after: float = NEVER) -> Iterator[str]:
        """What does not hold after a deed that was killed and gone on with; a sentence each."""
        self._world.restore(scene.saved)
        self._cache(scene)
        clients = self._clients()
        code, self.lived = self._victim.work(scene.deed, scene.about, kill_after)
        assert code in {0, -signal.SIGKILL}, f"the worker ended with code {code}"
        self.was_killed = code != 0
        # Until its connections are gone the server holds what a dead worker was writing, and a sweep leaves that alone.
        wait_until(lambda: self._clients() <= clients, SECONDS, "the dead worker's connections are closed")
        yield from (f"after the kill: {each}" for each in self._half_way(scene))
        try:
            DEEDS[scene.deed](self._services, scene.about)
        except Exception as error:
            yield f"it did not go on: {type(error).__name__}: {error}"
            return
        once = pictures(self._world)
        yield from (f"in the end: {each}" for each in self._in_the_end(scene, once))
        DEEDS[scene.deed](self._services, scene.about)
        yield from (
            f"a further run changed {name}" for name, each in pictures(self._world).items() if each != once[name]
        )

    def _half_way(self, scene: Scene) -> Iterator[str]:
        """Only what the deed is about has been touched, and whatever is left is whole unless an erasure empties it."""
        now = pictures(self._world)
        for name, each in now.items():
            for id_, row in scene.before[name].rows.items():
                if name == scene.place and id_ in scene.touched:
                    continue
                if each.rows.get(id_) != row:
                    yield f"the row {id_} of {name} was changed, and had to stay"
        if scene.deed is not Deed.ERASE:
            report = self._services.storage_audit(scene.place).run()
            yield from (each.sentence for each in report.findings if each.row is not None)

    def _in_the_end(self, scene: Scene, found: Mapping[str, Picture]) -> Iterator[str]:
        for name, now in found.items():
            yield from (f"{name}: {problem}" for problem in now.differs_from(scene.wanted(name)))
            yield from self._lines(scene, name, now.lines[len(scene.before[name].lines) :])
        report = self._services.storage_audit(scene.place).run()
        yield from (each.sentence for each in report.findings)
        yield from scene.told(self._services)
        yield from broken_chains(self._world, *PLACES)
        yield from self._cached(scene)

    def _lines(self, scene: Scene, name: str, lines: Lines) -> Iterator[str]:
        """The audit tells of each row once: of what a purge took, in a line of each run that took some of it."""
        wanted = len(scene.touched) if name == scene.place else 0
        told = sum(int(details["rows" if scene.deed is Deed.ERASE else "items"]) for _, details in lines)
        if told != wanted or {action for action, _ in lines} - {scene.action}:
            yield f"{name}: its audit tells of {told} rows and not of {wanted}: {[action for action, _ in lines]}"
        if scene.deed is not Deed.PURGE and len(lines) > 1:
            yield f"{name}: its audit tells of it {len(lines)} times"

    def _cache(self, scene: Scene) -> None:
        cache = self._services.environments[scene.place].cache
        for key in self._keys(scene):
            cache.set(key, b"as it was")

    def _cached(self, scene: Scene) -> Iterator[str]:
        cache = self._services.environments[scene.place].cache
        for key in self._keys(scene):
            if cache.get(key) is not None:
                yield f"{key} is still in the cache"

    @staticmethod
    def _keys(scene: Scene) -> list[str]:
        """The keys of what readers saw before, and must not see any more."""
        rows = scene.before[scene.place].rows
        unseen = (rows[each] for each in scene.hides | scene.removes if not rows[each]["is_deleted"])
        return [cached_item(row[TABLE], row["id"]) for row in unseen]

    def _clients(self) -> set[int]:
        with postgres.connect(self._site, "postgres") as connection:
            return {int(pid) for (pid,) in connection.execute(CLIENTS)} - {connection.info.backend_pid}
