"""`wisqu erasure`, as people use it."""

from tests.cli.conftest import Wisqu
from tests.erasure.conftest import CASE, a_person
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity.demo_people import ADMIN, SUPERADMIN


def test_from_the_preview_to_the_second_time(wisqu: Wisqu, services: Services) -> None:
    person = a_person(services)
    assert wisqu("erasure", "preview", "dev", person.id, "--json").json["rows"]["messages"] == 1
    shown = wisqu("erasure", "preview", "dev", person.id)
    assert "2 vectors go with them" in shown.out
    assert f"dev: what is erased with the user {person.id}" in shown.out, "a title in one line, above a narrow table"
    asking = ("erasure", "request", "dev", person.id, "--reason", CASE)
    asked = wisqu(*asking, "--as", ADMIN, "--json").json["id"]
    assert wisqu(*asking, "--as", ADMIN).code == 2
    assert wisqu("erasure", "run", asked, "--as", ADMIN).code == 2
    assert wisqu("erasure", "certificate", asked).code == 2
    own = wisqu("erasure", "approve", asked, "--as", ADMIN)
    assert (own.code, f"{ADMIN} may not approve this erasure" in own.err) == (2, True)
    assert "wisqu erasure run" in wisqu("erasure", "approve", asked, "--as", SUPERADMIN).out
    restore = person.saved()
    assert "is done: 6 rows" in wisqu("erasure", "run", asked, "--as", ADMIN).out
    assert wisqu("erasure", "certificate", asked).json["certificate"]["counts"]["messages"] == 1
    nothing = wisqu("erasure", "reapply", "dev", "--as", ADMIN)
    assert (nothing.code, "Nothing that was erased" in nothing.out) == (0, True)
    restore()
    assert wisqu("erasure", "reapply", "dev", "--as", ADMIN, "--json").json[0]["rows"] == 6
    assert wisqu("erasure", "list", "--json").json[0]["again"] == 1
    assert "DSR-2026-17" in wisqu("erasure", "list").out


def test_bad_input_is_refused(wisqu: Wisqu, services: Services) -> None:
    del services
    assert wisqu("erasure", "preview", "dev", "nobody@example.org").code == 2
    assert wisqu("erasure", "preview", "nowhere", "nobody@example.org").code == 2
    assert wisqu("erasure", "list", "--environment", "nowhere").code == 2, "and not a list of nothing"
    assert wisqu("erasure", "run", "not-an-id", "--as", ADMIN).code == 2
