"""Looking at a stack from outside: which services answer, and ending it."""

import os
import signal
import time
from dataclasses import dataclass

from wisqu_pipelines.devstack import api, dagster, stack, state
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.devstack.locks import is_alive, supervisor_lock
from wisqu_pipelines.devstack.service import answers
from wisqu_pipelines.devstack.state import Phase
from wisqu_pipelines.errors import StackFailed

DOWN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as it is now."""

    name: str
    address: str
    healthy: bool
    """Whether it answered just now."""
    pid: int | None


@dataclass(frozen=True, slots=True)
class StackView:
    """A stack as it is now."""

    phase: str
    """starting, up, stopping or down."""
    supervisor: int | None
    dagster_url: str | None
    api_url: str | None
    services: tuple[ServiceView, ...]

    @property
    def healthy(self) -> bool:
        """Whether it is up and every service answers."""
        return self.phase == Phase.UP and all(service.healthy for service in self.services)


DOWN = StackView("down", None, None, None, ())


def look(declared: Declaration) -> StackView:
    """Ask every service of the stack."""
    supervisor = supervisor_lock(declared.layout.private).holder()
    known = state.read(declared.layout)
    if supervisor is None:
        return DOWN
    if known is None or known.pid != supervisor:
        return StackView(Phase.STARTING, supervisor, None, None, ())
    site = stack.site(declared)
    services = [each for each in stack.all_services(site, with_dagster=known.dagster) if each.name in known.processes]
    return StackView(
        phase=known.phase,
        supervisor=supervisor,
        dagster_url=dagster.url(site) if known.dagster else None,
        api_url=api.url(site) if known.dagster else None,
        services=tuple(
            ServiceView(each.name, each.address, answers(each), known.processes[each.name]) for each in services
        ),
    )


def end(declared: Declaration) -> bool:
    """Stop the stack, whoever started it, and wait for its end. Returns whether there was one.

    Raises:
        StackFailed: it does not end.
    """
    lock = supervisor_lock(declared.layout.private)
    supervisor = lock.holder()
    if supervisor is None:
        return False
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while lock.holder() == supervisor or is_alive(supervisor):
        if time.monotonic() > deadline:
            raise StackFailed(act="stop", cause=f"process {supervisor} does not end")
        time.sleep(0.05)
    return True
