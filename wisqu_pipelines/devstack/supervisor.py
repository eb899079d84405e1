"""The supervisor: starts the stack, looks after it, and ends it.

A service that dies is started again, three times in five minutes at most; after that everything is stopped and the
supervisor ends with an error. Whatever ends the supervisor ends the services: in order on Ctrl-C, SIGTERM or an error,
through the kernel on kill -9 (see launch.py). Linux only.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from wisqu_pipelines.devstack import api, dagster, databases, locks, ports, seaweedfs, settings_file, stack
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.devstack.locks import FileLock
from wisqu_pipelines.devstack.service import Process, Service
from wisqu_pipelines.devstack.site import Site
from wisqu_pipelines.devstack.state import Phase, SupervisorState
from wisqu_pipelines.errors import StackFailed
from wisqu_pipelines.settings import Settings, load

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.05
WATCH_SECONDS = 0.25
RESTARTS = 3
RESTART_WINDOW_SECONDS = 300.0
RESTART_PAUSE_SECONDS = 0.5
PORT_TRIES = 3


class _StopRequestedError(Exception):
    """Somebody asked for the end while something was waited for."""


class _PortTakenError(Exception):
    """Another program took a port between its choice and its use."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.names = tuple(names)


class Supervisor:
    """One run of the stack. Use it from the main thread: the kernel ends a service with the thread that started it."""

    def __init__(
        self,
        declared: Declaration,
        *,
        port_base: int | None = None,
        with_dagster: bool = True,
        durable: bool = True,
        set_up: Callable[[Settings], None] | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            declared: What to make stores for.
            port_base: First port of a fixed range; None for free ports.
            with_dagster: Whether Dagster and the API belong to it.
            durable: Whether data must survive the machine's crash.
            set_up: Called with the settings when the stores are up and before Dagster is.
            announce: Told in a sentence what happens.
        """
        self._declared = declared
        self._port_base = port_base
        self._with_dagster = with_dagster
        self._durable = durable
        self._set_up = set_up
        self._announce = announce
        self._stop_requested = threading.Event()
        self._locks: tuple[FileLock, FileLock] | None = None
        self._processes: dict[str, Process] = {}
        self._restarts: dict[str, deque[float]] = {}

    def run(self, when_up: Callable[[], None]) -> None:
        """Start everything, call `when_up`, look after it until SIGINT, SIGTERM or SIGHUP, and stop it.

        Raises:
            StackAlreadyUp: another supervisor is at work on the same folder.
            StackFailed: something did not start, or died too often; all is stopped then.
        """
        earlier = {each: signal.signal(each, lambda *_: self._stop_requested.set()) for each in STOPPING_SIGNALS}
        try:
            self.start()
            when_up()
            self._watch()
        except _StopRequestedError:
            self._announce("stopping")
        finally:
            self.stop()
            for each, handler in earlier.items():
                signal.signal(each, handler)

    def start(self) -> Site:
        """Start everything and wait until it works; when that fails, nothing is left running.

        Raises:
            StackAlreadyUp: another supervisor is at work on the same folder.
            StackFailed: something did not start.
        """
        self._declared.layout.create()
        self._locks = locks.take(self._declared.layout.private)
        try:
            self._say(Phase.STARTING)
            site = self._start_on_free_ports()
            self._say(Phase.UP)
        except BaseException:
            self.stop()
            raise
        return site

    def stop(self) -> None:
        """Stop what runs, in the opposite order of the start: Dagster first, then the stores together."""
        if self._locks is None:
            return
        with suppress(OSError):  # the folder may have been deleted under us: the services must end all the same
            self._say(Phase.STOPPING)
        self._end_processes()
        seaweedfs.remove_sockets(stack.site(self._declared))
        for lock in reversed(self._locks):
            lock.release()
        self._locks = None

    def process(self, service: str) -> Process:
        """The process of a service that runs."""
        return self._processes[service]

    def _start_on_free_ports(self) -> Site:
        site = stack.site(self._declared, durable=self._durable)
        names = stack.port_names(self._declared)
        preferred = {dagster.PORT: self._declared.dagster_port, api.PORT: self._declared.api_port}
        for attempt in range(1, PORT_TRIES + 1):
            site.ports.choose(names, base=self._port_base, preferred=preferred)
            try:
                self._start_all(site)
            except _PortTakenError as taken:
                if self._port_base is not None or attempt == PORT_TRIES:
                    lost = ", ".join(f"{site.ports[name]} ({name})" for name in taken.names)
                    raise StackFailed(act="start", cause=f"another program took {lost} meanwhile; try again") from None
                self._end_processes()
                site.ports.forget(taken.names)
            else:
                break
        return site

    def _start_all(self, site: Site) -> None:
        for service in stack.stores(site):
            self._start_one(service)
        self._wait_for(self._processes.values())
        databases.ensure(site)
        seaweedfs.ensure_logs_bucket(site)
        settings_file.write(site)
        if self._set_up is not None:
            self._announce("setting the environments up")
            self._set_up(load())
            self._check_stop()
        if self._with_dagster:
            dagster.prepare(site)
            started = [self._start_one(service) for service in (*dagster.services(site), api.service(site))]
            self._wait_for(started)

    def _start_one(self, service: Service) -> Process:
        self._check_stop()
        process = Process(service, self._declared.layout.log(service.name), self._held()[1].descriptor)
        self._processes[service.name] = process
        self._say(Phase.STARTING)
        return process

    def _wait_for(self, processes: Iterable[Process]) -> None:
        waiting = list(processes)
        while waiting:
            for process in list(waiting):
                name = process.service.name
                seconds = time.monotonic() - process.started_at
                if process.exit_code is not None:
                    taken = [port for port in process.service.ports if not self._is_port_free(port)]
                    if taken:
                        raise _PortTakenError(taken)
                    raise process.died(f"start {name}")
                if process.is_ready():
                    waiting.remove(process)
                    self._announce(f"{name} is ready ({seconds:.1f} s)")
                elif seconds > process.service.start_seconds:
                    cause = f"it does not answer after {seconds:.0f} s; {process.log.name} ends: {process.last_lines()}"
                    raise StackFailed(act=f"start {name}", cause=cause)
            self._check_stop(POLL_SECONDS if waiting else 0)

    def _is_port_free(self, name: str) -> bool:
        return ports.is_free(stack.site(self._declared).ports[name])

    def _watch(self) -> None:
        while True:
            self._check_stop(WATCH_SECONDS)
            for process in list(self._processes.values()):
                process.bound_log()
                if process.exit_code is not None:
                    self._restart(process)

    def _restart(self, dead: Process) -> None:
        name = dead.service.name
        error = dead.died(f"keep {name} running")
        self._announce(str(error))
        now = time.monotonic()
        times = self._restarts.setdefault(name, deque(maxlen=RESTARTS))
        if len(times) == RESTARTS and now - times[0] < RESTART_WINDOW_SECONDS:
            raise error
        times.append(now)
        self._check_stop(RESTART_PAUSE_SECONDS)
        self._wait_for([self._start_one(dead.service)])
        self._say(Phase.UP)

    def _end_processes(self) -> None:
        processes = list(self._processes.values())
        for leashed in (True, False):
            ending = [each for each in processes if each.service.leashed is leashed]
            for process in ending:
                process.ask_to_stop()
            for process in ending:
                process.wait_until_stopped()
        self._processes.clear()

    def _check_stop(self, seconds: float = 0) -> None:
        if self._stop_requested.wait(seconds):
            raise _StopRequestedError

    def _held(self) -> tuple[FileLock, FileLock]:
        if self._locks is None:
            raise RuntimeError("not started")
        return self._locks

    def _say(self, phase: Phase) -> None:
        pids = {name: process.pid for name, process in self._processes.items()}
        SupervisorState(os.getpid(), phase, self._with_dagster, pids).write(self._declared.layout)


@contextmanager
def running(declared: Declaration) -> Iterator[Site]:
    """The stores for the time of a block, unwatched and not safe against a crash of the machine: for tests.

    Args:
        declared: What to make stores for.
    """
    supervisor = Supervisor(declared, with_dagster=False, durable=False)
    site = supervisor.start()
    try:
        yield site
    finally:
        supervisor.stop()
