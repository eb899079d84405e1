"""An ingest into dev of the test's own world, and what must hold in it afterwards."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog import points
from wisqu_pipelines.catalog.models import RagDocument, StoredFile
from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.environments.markers import MARKER_OBJECT
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.ingest.service import IngestService

WholeCheck = Callable[[Environment], dict[str, str]]
MakeIngest = Callable[[Environment], IngestService]


@pytest.fixture
def dev(services: Services) -> Environment:
    return services.environments["dev"]


@pytest.fixture
def ingest_into(services: Services) -> MakeIngest:
    judge = TextJudge()
    return lambda environment: IngestService(environment, services.settings, services.embedder, judge, services.clock)


@pytest.fixture
def ingest(ingest_into: MakeIngest, dev: Environment) -> IngestService:
    return ingest_into(dev)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    made.mkdir()
    return made


@pytest.fixture
def whole(services: Services) -> WholeCheck:
    """Asserts that rows, objects and visible points agree exactly, and says which bytes (SHA-256) each name has."""
    bucket, collection = services.settings.default_bucket, services.settings.default_collection

    def check(environment: Environment) -> dict[str, str]:
        bucket_name = environment.settings.get_bucket_name(bucket)
        collection_name = environment.settings.get_collection_name(collection)
        with environment.database.snapshot() as session:
            found = session.execute(
                select(StoredFile, RagDocument).join(RagDocument, RagDocument.file_id == StoredFile.id)
            ).all()
        names: dict[str, str] = {}
        keys, ids = {MARKER_OBJECT}, set()
        for file, document in found:
            with environment.objects.read(bucket_name, file.object_name) as parts:
                data = b"".join(parts)
            assert hashlib.sha256(data).hexdigest() == file.checksum_sha256
            assert len(data) == file.file_size_bytes
            keys.add(file.object_name)
            ids |= set(points.point_ids(document.vector_version, document.point_count))
            names[file.filename] = str(file.checksum_sha256)
        assert {each.key for each in environment.objects.list(bucket_name)} - {MARKER_OBJECT} == keys - {MARKER_OBJECT}
        stored = list(environment.vectors.scroll(collection_name, {}))
        assert {point.id for point in stored} == ids
        assert {point.payload[points.ENVIRONMENT] for point in stored} <= {environment.name}
        return names

    return check
