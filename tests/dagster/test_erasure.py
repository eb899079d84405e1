"""The job `erase_person`."""

from tests.dagster.conftest import World, failure_of, output_metadata
from tests.erasure.conftest import CASE, a_person
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN
from wisqu_pipelines.resources.outcomes import OUTCOME_TAG

JOB, OP = "erase_person", "erase"


def test_it_carries_out_what_is_approved_and_nothing_else(world: World) -> None:
    person = a_person(world.services)
    asked = person.erasures.request("dev", person.id, ADMIN, CASE)
    real = {"erasure_id": str(asked.id), "dry_run": False}
    result = world.run(JOB, OP, real)
    assert not result.success
    run = world.instance.get_run_by_id(result.run_id)
    assert run
    assert run.tags[OUTCOME_TAG] == "refused"
    assert person.left() == 6
    assert output_metadata(world.run(JOB, OP, {}))["what waits"].records == []
    person.erasures.approve(asked.id, SUPERADMIN)
    (waits,) = output_metadata(world.run(JOB, OP, {"dry_run": False}))["what waits"].records
    assert (waits.data["erasure_id"], waits.data["state"]) == (str(asked.id), "approved")
    assert person.left() == 6, "a run that names none erases nobody"
    foretold = output_metadata(world.run(JOB, OP, {"erasure_id": str(asked.id)}))
    assert (foretold["dry run"], foretold["state"], "| messages | 1 |" in foretold["what"]) == (True, "approved", True)
    assert person.left() == 6, "it begins as a dry run"
    done = world.run(JOB, OP, real)
    assert done.success, failure_of(done)
    assert output_metadata(done)["rows"] == 6
    assert person.left() == 0
