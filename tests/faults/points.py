"""Fault points: at every call of every method of a port, and at both ends of every transaction.

The wrapper is generated from the port itself, so a new method has its fault points before anybody thinks of them, and
a call that the port does not declare fails.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from inspect import isfunction, unwrap
from typing import Any, Protocol, get_origin, get_type_hints

from wisqu_pipelines.errors import StoreUnavailable

SLOW_SECONDS = 0.02
"""Longest time that a slow call waits for somebody else to go on."""


class Fault(StrEnum):
    """What can go wrong with a call."""

    ERROR = "error"
    """It fails and has had no effect."""
    LOST = "lost reply"
    """It has its effect, and fails all the same."""
    TWICE = "duplicate"
    """It happens twice."""
    SLOW = "slow"
    """Whatever runs beside it goes on first."""
    CRASH = "crash"
    """It has its effect, and the process is gone."""


class Moment(StrEnum):
    """Where in a call a fault can be."""

    CALL = "call"
    """A method that returns when it is done."""
    OPEN = "open"
    """The begin of a stream or of a transaction."""
    MIDDLE = "middle"
    """After the first piece of a stream."""
    END = "end"
    """The end of a stream; the commit of a transaction."""
    STATEMENT = "statement"
    """One statement of a transaction; its error is a connection that is cut."""


FAULTS = {
    Moment.CALL: tuple(Fault),
    Moment.OPEN: (Fault.ERROR, Fault.TWICE, Fault.SLOW, Fault.CRASH),
    Moment.MIDDLE: (Fault.ERROR, Fault.SLOW, Fault.CRASH),
    Moment.END: (Fault.ERROR, Fault.LOST, Fault.SLOW, Fault.CRASH),
    Moment.STATEMENT: (Fault.ERROR, Fault.SLOW, Fault.CRASH),
}
"""A crash before a call is the crash after the call before it, so one of the two is enough."""


class Killed(BaseException):
    """The process is gone: none of its code can do anything to a store any more."""


@dataclass(frozen=True, order=True, slots=True)
class Point:
    """One moment of one call."""

    place: str
    """Which store of which environment (`stage.objects`)."""
    method: str
    moment: Moment
    nth: int
    """Counts the calls of this method on this store, from 1."""

    def __str__(self) -> str:
        return f"{self.place}.{self.method}#{self.nth}:{self.moment}"


Plan = Mapping[Point, Fault]


class Process:
    """What one process does to the stores, and the faults it meets."""

    def __init__(self, plan: Plan | None = None, *, dies_after: int | None = None) -> None:
        """Meet the faults of a plan, or die after so many moments."""
        self._dies_after = dies_after
        self._plan = dict(plan or {})
        self._counts: Counter[tuple[str, str, Moment]] = Counter()
        self._changed = threading.Condition()
        self.seen: list[Point] = []
        self.met: dict[Point, Fault] = {}
        self.dead = False

    def reach(self, place: str, method: str, moment: Moment) -> Fault | None:
        """Count a moment; returns the fault that waits there."""
        with self._changed:
            self._check()
            self._counts[place, method, moment] += 1
            point = Point(place, method, moment, self._counts[place, method, moment])
            self.seen.append(point)
            self._changed.notify_all()
            fault = self._plan.get(point)
            if fault is not None:
                self.met[point] = fault
            if fault is Fault.SLOW:
                reached = len(self.seen)
                self._changed.wait_for(lambda: len(self.seen) > reached, SLOW_SECONDS)
                self._check()
            if len(self.seen) == self._dies_after:
                self.die()
        return fault

    def die(self) -> None:
        """End now; every later call ends too."""
        self.dead = True
        raise Killed

    def _check(self) -> None:
        if self.dead:
            raise Killed


class Form(StrEnum):
    """How a method answers."""

    PLAIN = "plain"
    STREAM = "stream"
    BLOCK = "block"
    """A context manager."""


def methods_of(port: type) -> dict[str, Form]:
    """The public methods of a port with their forms."""
    return {
        name: _form(method)
        for base in reversed(port.__mro__)
        if base not in {object, Protocol}
        for name, method in vars(base).items()
        if isfunction(method) and not name.startswith("_")
    }


def _form(method: Callable[..., Any]) -> Form:
    answer = get_type_hints(unwrap(method)).get("return")
    origin = get_origin(answer) or answer
    if hasattr(method, "__wrapped__") or (isinstance(origin, type) and issubclass(origin, AbstractContextManager)):
        return Form.BLOCK
    return Form.STREAM if isinstance(origin, type) and issubclass(origin, Iterator) else Form.PLAIN


def wrapped(port: type, real: Any, place: str, process: Process) -> Any:
    """`real`, as a process meets it that runs into its faults."""
    return _wrapper(port)(real, place, process)


class _Wrapper:
    def __init__(self, real: Any, place: str, process: Process) -> None:
        self._real = real
        self._place = place
        self._process = process

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if callable(value):
            raise AttributeError(f"{self._place}.{name} is called, and its port declares no such method")  # noqa: TRY004
        return value


@cache
def _wrapper(port: type) -> type[_Wrapper]:
    forms = {Form.PLAIN: _plain, Form.STREAM: _stream, Form.BLOCK: _block}
    return type(
        f"Faulty{port.__name__}", (_Wrapper,), {name: forms[form](name) for name, form in methods_of(port).items()}
    )


def _plain(name: str) -> Callable[..., Any]:
    def call(self: _Wrapper, *arguments: Any, **named: Any) -> Any:
        fault = self._process.reach(self._place, name, Moment.CALL)
        act: Callable[[], Any] = partial(getattr(self._real, name), *arguments, **named)
        if fault is Fault.ERROR:
            raise _trouble(self._place, name)
        if fault is Fault.TWICE:
            act = _repeatable(getattr(self._real, name), arguments, named)
            act()
        answer = act()
        if fault is Fault.LOST:
            raise _trouble(self._place, name)
        if fault is Fault.CRASH:
            self._process.die()
        return answer

    return call


def _stream(name: str) -> Callable[..., Any]:
    def call(self: _Wrapper, *arguments: Any, **named: Any) -> Iterator[Any]:
        fault = self._process.reach(self._place, name, Moment.OPEN)
        if fault is Fault.ERROR:
            raise _trouble(self._place, name)
        if fault is Fault.TWICE:
            next(getattr(self._real, name)(*arguments, **named), None)
        stream = getattr(self._real, name)(*arguments, **named)
        if fault is Fault.CRASH:
            self._process.die()
        return _pieces(self, name, stream)

    return call


def _block(name: str) -> Callable[..., Any]:
    @contextmanager
    def call(self: _Wrapper, *arguments: Any, **named: Any) -> Iterator[Any]:
        fault = self._process.reach(self._place, name, Moment.OPEN)
        if fault is Fault.ERROR:
            raise _trouble(self._place, name)
        if fault is Fault.TWICE:
            with getattr(self._real, name)(*arguments, **named):
                pass
        at_the_end = None
        with getattr(self._real, name)(*arguments, **named) as value:
            if fault is Fault.CRASH:
                self._process.die()
            if isinstance(value, Iterator):
                yield _pieces(self, name, value)
                return
            yield value
            at_the_end = self._process.reach(self._place, name, Moment.END)
            if at_the_end is Fault.ERROR:
                raise _trouble(self._place, name)
        if at_the_end is Fault.LOST:
            raise _trouble(self._place, name)
        if at_the_end is Fault.CRASH:
            self._process.die()

    return call


def _pieces(self: _Wrapper, name: str, stream: Iterator[Any]) -> Iterator[Any]:
    """The pieces of a stream; every call of a process that is gone ends, so a piece is a call too."""
    for number, piece in enumerate(stream):
        yield piece
        if number == 0:
            _fail(self, name, self._process.reach(self._place, name, Moment.MIDDLE))
    _fail(self, name, self._process.reach(self._place, name, Moment.END))


def _fail(self: _Wrapper, name: str, fault: Fault | None) -> None:
    if fault in {Fault.ERROR, Fault.LOST}:
        raise _trouble(self._place, name)
    if fault is Fault.CRASH:
        self._process.die()


def _repeatable(method: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Callable[[], Any]:
    """A call that can be made again: streams that it would use up are kept, and files are rewound."""
    kept = [list(each) if isinstance(each, Iterator) and not hasattr(each, "seek") else each for each in arguments]
    files = [(each, each.tell()) for each in (*kept, *named.values()) if hasattr(each, "seek")]

    def act() -> Any:
        for file, start in files:
            file.seek(start)
        return method(*kept, **named)

    return act


def _trouble(place: str, method: str) -> StoreUnavailable:
    return StoreUnavailable(store=place, operation=method, cause="an injected fault")
