"""The mission's three monitoring queries run as they are written there, on any environment's database."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentPromotion
from wisqu_pipelines.catalog.models import StoredFile
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.settings import Settings

PROMOTIONS = """
SELECT promotion_type, source_environment, target_environment, COUNT(*) as total_promotions, SUM(success_count) as
total_items_promoted, SUM(error_count) as total_errors, AVG(duration_seconds) as avg_duration FROM environment_promotions WHERE
status = 'success' GROUP BY promotion_type, source_environment, target_environment;
"""  # noqa: E501
TEST_DATA = """
SELECT environment, COUNT(*) as total_test_items, test_data_reason, COUNT(*) as count FROM stored_files WHERE is_test_data = true
GROUP BY environment, test_data_reason ORDER BY count DESC;
"""  # noqa: E501
DISTRIBUTION = """
SELECT environment, promotion_status, COUNT(*) as count, SUM(file_size_bytes) as total_bytes FROM stored_files WHERE is_deleted = false
GROUP BY environment, promotion_status;
"""  # noqa: E501


def test_the_monitoring_queries(settings: Settings) -> None:
    for environment in settings.environments.values():
        database = Database(environment.database, environment=environment)
        with database.begin() as session:
            for size, state in ((10, "draft"), (20, "draft"), (40, "promoted")):
                session.add(_file(size, promotion_status=state))
            session.add(_file(80, is_deleted=True))
            for reason, times in (("lorem ipsum", 3), ("test email", 1)):
                for _ in range(times):
                    session.add(_file(1, is_test_data=True, test_data_reason=reason, is_deleted=True))
            for status, seconds in (("success", 1.0), ("success", 3.0), ("failed", 99.0)):
                append(session, _receipt(status, seconds))
        with database.snapshot() as session:
            assert session.execute(sa.text(PROMOTIONS)).all() == [("stored_files", "dev", "stage", 2, 10, 2, 2.0)]
            assert session.execute(sa.text(TEST_DATA)).all() == [
                (environment.name, 3, "lorem ipsum", 3),
                (environment.name, 1, "test email", 1),
            ]
            assert set(session.execute(sa.text(DISTRIBUTION)).all()) == {
                (environment.name, "draft", 2, 30),
                (environment.name, "promoted", 1, 40),
            }
        database.close()


def _file(size: int, **values: object) -> StoredFile:
    return StoredFile(
        filename="f", bucket="b", object_name=str(uuid4()), content_type="text/plain", file_size_bytes=size, **values
    )


def _receipt(status: str, seconds: float) -> EnvironmentPromotion:
    return EnvironmentPromotion(
        promotion_id=uuid4(),
        promotion_type="stored_files",
        source_environment="dev",
        target_environment="stage",
        items_promoted={},
        status=status,
        success_count=5,
        error_count=1,
        plan_digest="0" * 64,
        duration_seconds=seconds,
        occurred_at=datetime.now(UTC),
    )
