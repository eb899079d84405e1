"""Many values at once, as text: whatever they are, they arrive as they are."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import String, Text, bindparam, func, select, text

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.database.bulk import NULL, among_texts, array, copied, copy_lines
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import StoreUnavailable

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), max_size=5)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@FEW
@given(TEXTS)
def test_an_array_holds_the_texts_that_were_given(services: Services, values: list[str]) -> None:
    odd = [*values, "NULL", "", 'a"b\\,{}']
    with services.control.begin() as session:
        found = session.scalars(select(func.unnest(array(Text(), odd)).column_valued("each"))).all()
        assert found == odd
        given_one = bindparam(None, odd[-1], type_=String)
        assert session.scalar(select(among_texts(given_one, odd))) is True


@FEW
@given(TEXTS)
def test_a_line_holds_the_texts_that_were_given(services: Services, values: list[str]) -> None:
    odd = [*values, "\\N", "\\.", "a\tb\r\n\\"]
    owner = Database(services.settings.control.database, owner=True)
    with closing(owner), owner.begin() as session:
        session.execute(text("CREATE TEMPORARY TABLE lines (place int, said text) ON COMMIT DROP"))
        lines = [f"{place}\t{copied(each)}\n" for place, each in enumerate(odd)]
        copy_lines(session, "lines", ("place", "said"), [*lines, f"{len(odd)}\t{NULL}\n"])
        found = session.scalars(text("SELECT said FROM lines ORDER BY place")).all()
        assert found == [*odd, None]


def test_a_connection_that_breaks_while_lines_are_written_is_a_store_that_is_away(services: Services) -> None:
    control = services.control

    def write_while_it_breaks() -> None:
        with control.begin() as session, control.begin() as other:
            other.execute(select(func.pg_terminate_backend(session.scalar(select(func.pg_backend_pid())))))
            copy_lines(session, "promotion_items", ("promotion_id",), ["\n"])

    with pytest.raises(StoreUnavailable, match=control.name):
        write_while_it_breaks()
