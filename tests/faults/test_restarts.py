"""Servers that die and come back while 500 items are promoted: every promotion ends, and nothing is lost."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from tests.devstack.commands import wait_until
from tests.faults.budget import budget
from tests.faults.invariants import broken_chains, invariants, look
from tests.faults.scenario import APPROVED, ENDS, TARGET, approved
from tests.faults.worlds import OVER, FaultWorld, embedded_world
from tests.fixtures.stack import Stack, running_stack
from wisqu_pipelines import bootstrap
from wisqu_pipelines.devstack import ports, postgres, qdrant, seaweedfs, state
from wisqu_pipelines.devstack.service import Process, Service
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.errors import WisquError
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.settings import Settings

DOCUMENTS = 250
"""Each with a file of its own: 500 items."""
POINTS = 2
SECONDS = 60.0
ATTEMPTS = 5
SERVERS: dict[str, tuple[Callable[[Site], None], Callable[[Site], Service], signal.Signals]] = {
    "postgres": (postgres.prepare, postgres.service, signal.SIGINT),
    "seaweedfs": (seaweedfs.prepare, seaweedfs.service, signal.SIGKILL),
    qdrant.name(TARGET): (
        partial(qdrant.prepare, environment=TARGET),
        partial(qdrant.service, environment=TARGET),
        signal.SIGKILL,
    ),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own: no other test meets servers that are down."""
    with running_stack() as own:
        yield own


@pytest.fixture(scope="module")
def restarted(stack: Stack) -> Iterator[list[Process]]:
    """The servers that a test has started again; they end after all that needs them."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.ask_to_stop()
        process.wait_until_stopped()


class Server:
    """One server of the stack, that is ended and started again."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._site = stack.site
        self._prepare, self._describe, self._signal = SERVERS[name]
        said = state.read(stack.site.layout)
        assert said is not None
        self._pid = said.processes[name]
        self._log = stack.site.layout.log(name)
        self._ports = self._describe(stack.site).ports

    def end(self) -> None:
        """Postgres is restarted, and ends its sessions; the others are killed."""
        os.kill(self._pid, self._signal)
        wait_until(
            lambda: all(ports.is_free(self._site.ports[each]) for each in self._ports), SECONDS, "the server is down"
        )

    def start(self) -> Process:
        """Start it on what it has written, and wait until it answers."""
        self._prepare(self._site)
        with Path(os.devnull).open() as handed_down:
            process = Process(self._describe(self._site), self._log, handed_down.fileno())
        wait_until(process.is_ready, SECONDS, "the server answers again")
        return process


def test_servers_that_die_are_survived(stack: Stack, restarted: list[Process], settings: Settings) -> None:
    bootstrap.set_up(settings)
    draw = random.Random(budget().seed)  # noqa: S311 - chooses moments
    with embedded_world(stack.site, settings) as world:
        plain = world.plain()
        for number in range(DOCUMENTS):
            plain.document(f"{number}.md", f"text {number}", chunks=POINTS)
        promotion_id = approved(plain)
        world.save(APPROVED)
        for name in SERVERS:
            world.restore(APPROVED)
            after = draw.uniform(0.1, 0.9)
            restarted.append(promoted_while(world, promotion_id, Server(stack, name), after))
            print(f"\n{name} restarted when {after:.0%} was staged: it ended")
            check(world)
            world.reconnect()


def promoted_while(world: FaultWorld, promotion_id: UUID, server: Server, after: float) -> Process:
    """Promote; when about that part of it is done the server dies, and comes back. Goes on until it has succeeded."""
    far_enough = threading.Event()

    def progress(step: str, done: int, total: int, *, bytes: int = 0, points: int = 0) -> None:  # noqa: A002
        if step.startswith("stage") and done >= after * total:
            far_enough.set()

    def promote(run_id: str) -> str | None:
        try:
            world.plain().services.promotions.execute(promotion_id, run_id=run_id, progress=progress)
        except WisquError as error:
            return str(error)
        finally:
            far_enough.set()
        return None

    with ThreadPoolExecutor(1) as pool:  # the server must be started from the main thread
        first = pool.submit(promote, "first")
        assert far_enough.wait(SECONDS)
        server.end()
        started = server.start()
        problem = first.result(SECONDS)
    for attempt in range(ATTEMPTS):
        if problem is None:
            break
        world.clock.advance(OVER)
        problem = promote(f"again {attempt}")
    assert problem is None, problem
    assert world.plain().services.promotions.status(promotion_id).state == PromotionState.SUCCEEDED
    return started


def check(world: FaultWorld) -> None:
    """All 500 items have arrived whole."""
    found = look(world, *ENDS)
    assert not (problems := [*invariants(found), *broken_chains(world, *ENDS)]), problems[:10]
    assert len(found[TARGET].rows["rag_documents"]) == DOCUMENTS
    assert len(found[TARGET].rows["stored_files"]) == DOCUMENTS
    assert len(found[TARGET].read()["points"]) == DOCUMENTS * POINTS
