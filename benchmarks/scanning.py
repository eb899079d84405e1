"""A whole scan of 500,000 rows (read, judge, mark), against no more than reading the same columns and judging them."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
from sqlalchemy import text

from benchmarks import detecting
from benchmarks.ratios import Act, Prepare, Ratio, compare
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.fields import text_fields
from wisqu_pipelines.settings import Settings

ROWS = 500_000
COLUMNS = tuple(text_fields(StoredFile))


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratio, on the embedded Postgres."""
    with open_services(settings) as services:
        name = f"a scan of {ROWS} rows, against COPY and judging"
        yield from compare(_scan(services), {name: (_copy_and_judge(services), 1 / 2)}, rounds)


def _scan(services: Services) -> Prepare:
    def prepare() -> Act:
        _seed(services)

        def act() -> None:
            report = services.detection("dev").scan([StoredFile])
            assert report.scanned == ROWS
            assert 0 < report.marked < ROWS / 10

        return act

    return prepare


def _copy_and_judge(services: Services) -> Prepare:
    def prepare() -> Act:
        _seed(services)
        judge = TextJudge()

        def act() -> None:
            for place, column in enumerate(_columns(services)):
                judge.judge_many(column, FieldKind.FILENAME, COLUMNS[place])

        return act

    return prepare


def _columns(services: Services) -> tuple[list[str], ...]:
    """The columns as COPY gives them."""
    with services.environments["dev"].database.begin() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        with connection.cursor() as cursor, cursor.copy(f"COPY stored_files ({', '.join(COLUMNS)}) TO STDOUT") as rows:
            whole = b"".join(bytes(block) for block in rows).decode()
    lines = [line.split("\t") for line in whole.splitlines()]
    return tuple([line[place] for line in lines] for place in range(len(COLUMNS)))


def _seed(services: Services) -> None:
    """Fresh files over two months, three of a hundred of them called like test data."""
    names = detecting.texts(4 * ROWS)[FieldKind.FILENAME]
    # Not deleted: every page of a scan would walk over the dead rows of the round before.
    _as_owner(services, "TRUNCATE rag_documents, stored_files, test_data_scans")
    with services.environments["dev"].database.begin() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        columns = "id, environment, filename, bucket, object_name, content_type, file_size_bytes, created_at"
        with connection.cursor() as cursor:
            cursor.execute("SELECT gen_random_uuid()::text FROM generate_series(1, %s)", (ROWS,))
            ids = [row[0] for row in cursor]
            with cursor.copy(f"COPY stored_files ({columns}) FROM STDIN") as rows:
                for number, (id_, name) in enumerate(zip(ids, names, strict=True)):
                    created = f"2026-0{1 + number % 2}-01 00:{number % 60:02}:00+00"
                    rows.write_row(
                        (id_, "dev", name[:255], "documents", f"stored_files/{id_}", "text/plain", 1, created)
                    )
    _as_owner(services, "ANALYZE stored_files")  # as autovacuum does a minute later


def _as_owner(services: Services, statement: str) -> None:
    dev = services.settings.environment("dev")
    with closing(Database(dev.database, environment=dev, owner=True)) as owner, owner.begin() as session:
        session.execute(text(statement))
