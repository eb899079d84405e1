"""Many values at once, as text: whatever they are, they arrive as they are."""

from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, DateTime, String, Text, TypeDecorator, Uuid, bindparam, func, select, text

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.database.bulk import NULL, among, array, as_table, copied, copy_lines
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.errors import StoreUnavailable


class _Moment(TypeDecorator[datetime]):
    impl = DateTime(timezone=True)
    cache_ok = True


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
        assert session.scalar(select(among(given_one, odd))) is True


def test_a_table_of_lists_holds_what_was_given(services: Services) -> None:
    when = datetime(2026, 3, 1, 12, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=3, minutes=30)))
    columns: dict[str, tuple[Any, list[Any]]] = {
        "id": (Uuid, [UUID(int=1), UUID(int=2)]),
        "said": (Text, ['NULL "\\', None]),
        "count": (BigInteger, [2**40, -1]),
        "is_so": (Boolean, [True, False]),
        "moment": (_Moment, [when, None]),
    }
    with services.control.begin() as session:
        found = session.execute(select(as_table("given", columns))).all()
    assert [tuple(row) for row in found] == list(zip(*(values for _, values in columns.values()), strict=True))


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


def test_trouble_while_lines_are_written_is_told_as_that_of_a_store(services: Services) -> None:
    control, owner = services.control, Database(services.settings.control.database, owner=True)

    def write_to_what_is_locked() -> None:
        with closing(owner), owner.begin() as other, control.begin() as session:
            other.execute(text("LOCK TABLE promotion_items IN SHARE MODE"))
            session.execute(text("SET LOCAL lock_timeout = '10ms'"))
            copy_lines(session, "promotion_items", ("promotion_id",), ["\n"])

    with pytest.raises(StoreUnavailable, match="lock timeout"):
        write_to_what_is_locked()
