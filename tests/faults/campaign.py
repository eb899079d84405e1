"""The campaign: one promotion and one rollback, broken at each of their calls in each way, and what must hold then."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.faults.points import FAULTS, Fault, Moment, Point
from tests.faults.scenario import Scenario, calls
from tests.faults.trial import HALF_WAY, Act, Then, Trial, perform
from tests.faults.worlds import FaultWorld
from wisqu_pipelines.promotion.models import PromotionState

SHOWN = 2
"""Faults of a case that are named; one with more is slow everywhere."""


@dataclass(frozen=True, order=True)
class Case:
    """One thing to try."""

    act: Act
    faults: tuple[tuple[Point, Fault], ...]
    then: Then

    def __str__(self) -> str:
        met = " and ".join(f"{fault} at {point}" for point, fault in self.faults[:SHOWN])
        return f"{self.act}: {met}; then {self.then}"


@dataclass
class Report:
    """What a campaign came to."""

    cases: int = 0
    missed: list[Case] = field(default_factory=list)
    """Cases whose fault was never met."""
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = "".join(f"\n  {each}" for each in (*self.violations, *(f"never met: {each}" for each in self.missed)))
        return f"{self.cases} cases, {len(self.violations)} violations, {len(self.missed)} faults never met{shown}"


def singles(scenario: Scenario, *, thorough: bool = False) -> list[Case]:
    """Every call of the promotion and of the rollback, with every fault that it can have.

    A transaction is one call: what fails at its begin has failed before its commit. That everything is slow is one case
    for all transactions. `thorough` tries each of their moments for itself.
    """
    cases = [
        Case(act, ((point, fault),), Then.RESUME)
        for act, points in _acts(scenario)
        for point in calls(points)
        for fault in (applicable(point) if thorough else _telling(point))
    ]
    slow = [tuple((point, Fault.SLOW) for point in points) for _, points in _acts(scenario)]
    return [*cases, *(Case(act, faults, Then.RESUME) for act, faults in zip(Act, slow, strict=True))]


def _telling(point: Point) -> tuple[Fault, ...]:
    """The faults of a moment that no other moment's fault stands for."""
    if not _is_database(point):
        return applicable(point)
    if point.moment is not Moment.END:
        return ()
    return (Fault.ERROR, Fault.CRASH) if point.method == "snapshot" else (Fault.ERROR, Fault.LOST, Fault.CRASH)


def pairs(scenario: Scenario, count: int, seed: int) -> list[Case]:
    """Cases with two faults each, drawn from all moments, single statements too."""
    draw = random.Random(seed)  # noqa: S311 - chooses test cases
    acts = list(_acts(scenario))
    cases = []
    for _ in range(count):
        act, points = draw.choice(acts)
        chosen = draw.sample(points, 2)
        faults = tuple((point, draw.choice(applicable(point))) for point in sorted(chosen))
        cases.append(Case(act, faults, draw.choice(list(Then))))
    return cases


def applicable(point: Point) -> tuple[Fault, ...]:
    """The faults that a moment can have: a transaction is not begun twice."""
    return tuple(each for each in FAULTS[point.moment] if not (_is_database(point) and each is Fault.TWICE))


def _is_database(point: Point) -> bool:
    return point.place == "control" or point.place.endswith(".database")


def run(world: FaultWorld, scenario: Scenario, cases: Iterable[Case], *, both_ways: bool = True) -> Report:
    """Try cases one after the other. Where the fault left something half done both ways on are tried; or, where there
    is no time for that, the one after one case and the other after the next.
    """
    report = Report()
    for number, each in enumerate(cases):
        case = each if both_ways or number % 2 == 0 else replace(each, then=Then.ROLL_BACK)
        state = _try(world, scenario, case, report)
        if both_ways and state in HALF_WAY and case.then is Then.RESUME:
            _try(world, scenario, replace(case, then=Then.ROLL_BACK), report)
    return report


def _try(world: FaultWorld, scenario: Scenario, case: Case, report: Report) -> PromotionState | None:
    trial, met = Trial(world, scenario, case.act, case.then), Meeting(world, scenario, case)
    report.cases += 1
    report.violations += [f"{case}: {problem}" for problem in trial.problems(met)]
    if len(case.faults) == 1 and not met.met:
        report.missed.append(case)
    return trial.state


def _acts(scenario: Scenario) -> Iterator[tuple[Act, Sequence[Point]]]:
    yield Act.PROMOTE, scenario.promoting
    yield Act.ROLL_BACK, scenario.rolling_back


class Meeting:
    """A process that does the case's act and meets its faults."""

    def __init__(self, world: FaultWorld, scenario: Scenario, case: Case) -> None:
        self._world = world
        self._scenario = scenario
        self._case = case
        self.met = False

    def __call__(self) -> None:
        started = self._world.start(dict(self._case.faults))
        process = self._world.process
        try:
            perform(started, self._case.act, self._scenario.promotion_id, "first")
        finally:
            self.met = bool(process.met)
