"""Edits between approval and execution: what the plan covers makes it stale, and a stale plan is never executed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.faults.budget import budget
from tests.faults.edits import (
    SOURCE_DOCUMENT,
    SOURCE_FILE,
    TARGET_DOCUMENT,
    TARGET_FILE,
    TARGET_UNCOVERED,
    Edit,
)
from tests.faults.invariants import State, look
from tests.faults.scenario import APPROVED, TARGET, approved, edited, promote
from tests.faults.worlds import FaultWorld, memory_world
from tests.fixtures.stack import Stack
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.errors import PlanStale
from wisqu_pipelines.promotion.models import PromotionState
from wisqu_pipelines.settings import Settings

AT_ONCE = 5
"""Edits between one approval and its execution."""
HARMLESS = 0.25
"""How often none of them is covered by the plan."""


@dataclass(frozen=True)
class Plan:
    """An approved promotion: documents that are new in the target and documents that are updated there."""

    promotion_id: UUID
    new: Sequence[UUID]
    updated: Sequence[UUID]

    def items(self, world: FaultWorld) -> list[tuple[UUID, tuple[Edit, ...]]]:
        """Each item's id in the source, with what can be changed about it."""
        plain, found = world.plain(), []
        for document in (*self.new, *self.updated):
            twin = document in self.updated
            file = plain.row(document).file_id
            found.append((document, (*SOURCE_DOCUMENT, *(TARGET_DOCUMENT if twin else ()))))
            found.append((file, (*SOURCE_FILE, *(TARGET_FILE if twin else ()))))
            if twin:
                found += [(document if each.model is RagDocument else file, (each,)) for each in TARGET_UNCOVERED]
        return found


def planned(world: FaultWorld) -> Plan:
    plain = world.plain()
    updated = [plain.document(f"{number}.md", f"text {number}", chunks=2) for number in range(3)]
    promote(plain, *updated)
    for document in updated:
        edited(world, document, f"other text of {document}")
    new = [plain.document(f"new {number}.md", f"new text {number}", chunks=2) for number in range(3)]
    plan = Plan(approved(plain), new, updated)
    world.save(APPROVED)
    return plan


def test_no_stale_plan_is_executed(stack: Stack, settings: Settings) -> None:
    asked, violations, made, stale = budget(), [], 0, 0
    draw = random.Random(asked.seed)  # noqa: S311 - chooses test cases
    with memory_world(stack.site, settings) as world:
        plan = planned(world)
        items = plan.items(world)
        before = look(world, TARGET)[TARGET]
        while made < asked.edits:
            harmless = draw.random() < HARMLESS
            world.restore(APPROVED)
            chosen = drawn(items, draw, harmless=harmless)
            for item, edit in chosen:
                edit.make(world, item, draw)
            what = f"after {made} edits (seed {asked.seed}): " + ", ".join(f"{edit.name}" for _, edit in chosen)
            violations += [f"{what}: {each}" for each in executed(world, plan, chosen, before)]
            made += len(chosen)
            stale += not harmless
    print(f"\nseed {asked.seed}: {made} edits, {stale} plans stale, {len(violations)} violations")
    assert not violations, "\n".join(violations)


def drawn(
    items: Sequence[tuple[UUID, tuple[Edit, ...]]], draw: random.Random, *, harmless: bool
) -> list[tuple[UUID, Edit]]:
    """Edits of different items; at least one of them is covered, or none is."""
    while True:
        chosen: dict[UUID, Edit] = {}
        for item, edits in draw.sample(items, AT_ONCE):
            if able := [each for each in edits if not (harmless and each.covered)]:
                chosen.setdefault(item, draw.choice(able))
        if chosen and (harmless or any(each.covered for each in chosen.values())):
            return list(chosen.items())


def executed(world: FaultWorld, plan: Plan, chosen: Sequence[tuple[UUID, Edit]], before: State) -> list[str]:
    """Execute; what is not as it must be."""
    covered = [(item, edit) for item, edit in chosen if edit.covered]
    edited_before = look(world, TARGET)[TARGET].read() if covered else before.read()
    promotions = world.plain().services.promotions
    try:
        done = promotions.execute(plan.promotion_id, run_id="test")
    except PlanStale as stale:
        problems = [] if covered else [f"it was called stale, and nothing was: {stale}"]
        problems += [f"{name}: not named in: {stale}" for name in unnamed(covered, stale.details["changes"])]
        if look(world, TARGET)[TARGET].read() != edited_before:
            problems.append("a stale plan changed what readers of the target see")
        if promotions.status(plan.promotion_id).state != PromotionState.REFUSED:
            problems.append(f"its state is {promotions.status(plan.promotion_id).state}")
        return problems
    if covered:
        return [f"it was executed all the same: {', '.join(edit.name for _, edit in covered)}"]
    return [] if (done.state, done.error_count) == (PromotionState.SUCCEEDED, 0) else [f"it came to {done}"]


def unnamed(covered: Sequence[tuple[UUID, Edit]], changes: str) -> list[str]:
    """The edits that should be named: all that rows tell of; without any, one of those that are found in the stores."""
    if all(edit.in_store for _, edit in covered) and any(str(item) in changes for item, _ in covered):
        return []
    in_rows = [(item, edit) for item, edit in covered if not edit.in_store]
    return [edit.name for item, edit in in_rows or covered if str(item) not in changes]
