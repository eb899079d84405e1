"""Every call of a promotion and of a rollback, with every fault, and pairs of faults from a printed seed."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.budget import budget
from tests.faults.campaign import pairs, run, singles
from tests.faults.scenario import prepared
from tests.faults.worlds import FaultWorld, embedded_world, memory_world
from tests.fixtures.stack import Stack
from wisqu_pipelines import bootstrap
from wisqu_pipelines.settings import Settings

SHARDS = 8
"""Parts of the campaign that run beside each other."""


@pytest.fixture
def memory(stack: Stack, settings: Settings) -> Iterator[FaultWorld]:
    with memory_world(stack.site, settings) as world:
        yield world


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_fault_at_every_call(memory: FaultWorld, shard: int) -> None:
    scenario = prepared(memory)
    cases = singles(scenario, thorough=budget().thorough)
    report = run(memory, scenario, cases[shard::SHARDS], both_ways=budget().thorough)
    print(f"\nN = {len(cases)}; part {shard + 1} of {SHARDS}: {report}")
    assert not report.violations, str(report)
    assert not report.missed, str(report)


def test_files_that_are_carried(stack: Stack, settings: Settings) -> None:
    """Where the two ends share no server, the bytes go through this process, by calls that no copy makes."""
    with memory_world(stack.site, settings, shared_server=False) as world:
        scenario = prepared(world)
        cases = [case for case in singles(scenario) if case.faults[0][0].place.endswith(".objects")]
        if not budget().thorough:  # the other calls are those of the whole campaign; of these a third has to do
            draw = random.Random(budget().seed)  # noqa: S311 - chooses test cases
            cases = draw.sample(cases, len(cases) // 3)
        report = run(world, scenario, cases)
    print(f"\nN = {len(cases)}; {report}")
    assert not report.violations, str(report)
    assert not report.missed, str(report)


def test_pairs_of_faults(memory: FaultWorld) -> None:
    scenario, asked = prepared(memory), budget()
    report = run(memory, scenario, pairs(scenario, asked.pairs, asked.seed))
    print(f"\nseed {asked.seed}: {report}")
    assert not report.violations, str(report)


def test_a_sample_on_the_real_engines(stack: Stack, settings: Settings) -> None:
    bootstrap.set_up(settings)
    asked = budget()
    with embedded_world(stack.site, settings) as world:
        scenario = prepared(world)
        cases = singles(scenario)
        draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
        report = run(world, scenario, draw.sample(cases, min(asked.embedded, len(cases))))
    print(f"\nseed {asked.seed}; N = {len(cases)}; {report}")
    assert not report.violations, str(report)
    assert not report.missed, str(report)
