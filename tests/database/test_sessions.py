"""Transactions where there is trouble with the connection."""

import pytest

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.errors import StoreUnavailable


def test_too_many_at_once_are_told_as_a_store_that_is_away(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    database = services.control
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.05)

    def begin_within(depth: int) -> None:
        with database.begin() as session:
            session.connection()
            if depth:
                begin_within(depth - 1)

    with pytest.raises(StoreUnavailable, match="all of this process's connections are in use"):
        begin_within(50)
    begin_within(2)
