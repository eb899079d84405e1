"""Whole promotions: against the loop that most teams write, against their own slowest leg, and with and without
reading everything back.
"""

from collections.abc import Iterator
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from benchmarks.documents import approved, make
from benchmarks.ratios import Act, Prepare, Ratio, compare
from benchmarks.rivals import item_by_item
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.catalog.points import point_ids
from wisqu_pipelines.ports.objects import CopyRequest
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.settings import PathSettings, Settings
from wisqu_pipelines.storage.s3 import S3ObjectStore

ITEMS = 2_000
POINTS_AT_ONCE = 512


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, on the embedded stack, dev → stage."""
    with open_services(settings) as services:
        yield from compare(
            _execution(services),
            {f"executing a promotion of {ITEMS} documents, against a loop": (_loop(services), 10.0)},
            rounds,
        )
        yield from compare(
            _whole(services),
            {f"planning and executing {ITEMS} documents, against a loop": (_loop(services), 10.0)},
            rounds,
        )
        legs = {"files": _files(services), "vectors": _vectors(services)}
        yield from compare(
            _execution(services),
            {f"executing, against its {name} alone": (leg, 1 / 1.3) for name, leg in legs.items()},
            rounds,
        )
    with open_services(_verifying(settings, "full")) as full, open_services(_verifying(settings, "off")) as off:
        yield from compare(_execution(full), {"verify = full, against verify = off": (_execution(off), 1 / 2)}, rounds)


def _verifying(settings: Settings, level: str) -> Settings:
    path = settings.path("dev", "stage")
    changed = PathSettings.model_validate({**path.model_dump(), "verify": level})
    return settings.model_copy(update={"paths": {**settings.paths, path.name: changed}})


def _execution(services: Services) -> Prepare:
    def prepare() -> Act:
        promotion = approved(services, "rag_documents", "dev", "stage", make(services, ITEMS))
        return lambda: _executed(services, promotion)

    return prepare


def _whole(services: Services) -> Prepare:
    def prepare() -> Act:
        ids = make(services, ITEMS)
        return lambda: _executed(services, approved(services, "rag_documents", "dev", "stage", ids))

    return prepare


def _executed(services: Services, promotion: UUID) -> None:
    done = services.promotions.execute(promotion, run_id="bench")
    assert done.success_count == 2 * ITEMS


def _loop(services: Services) -> Prepare:
    def prepare() -> Act:
        ids = make(services, ITEMS)

        def promote() -> None:
            here, there = (services.environments[name].database for name in ("dev", "stage"))
            with Session(here.engine) as one, Session(there.engine) as other:
                item_by_item.promote(services.settings, "dev", "stage", ids, one, other)

        return promote

    return prepare


def _files(services: Services) -> Prepare:
    """The files of such a promotion, copied by the same adapter and nothing else."""

    def prepare() -> Act:
        promotion = approved(services, "rag_documents", "dev", "stage", make(services, ITEMS))
        dev, stage = services.environments["dev"], services.environments["stage"]
        path = services.settings.path("dev", "stage")
        assert path.transfer is not None
        store = S3ObjectStore(stage.settings.object_store.model_copy(update=path.transfer.model_dump()))
        requests = [
            CopyRequest(
                source_bucket=dev.settings.get_bucket_name(item.file.bucket),
                source_key=item.file.object_name,
                source_etag=item.file.etag,
                bucket=stage.settings.get_bucket_name(item.file.bucket),
                key=f"bench/{uuid4()}",
                size=item.file.size,
            )
            for item in services.promotions.plan(promotion)
            if item.file
        ]

        def copy() -> None:
            assert not any(outcome.error for outcome in store.copy_many(requests))

        return copy

    return prepare


def _vectors(services: Services) -> Prepare:
    """The points of such a promotion, read and written by the same adapters and nothing else."""

    def prepare() -> Act:
        promotion = approved(services, "rag_documents", "dev", "stage", make(services, ITEMS))
        dev, stage = services.environments["dev"], services.environments["stage"]
        base = services.settings.default_collection
        ids = [
            each
            for item in services.promotions.plan(promotion)
            if item.vectors
            for each in point_ids(item.vectors.version, item.vectors.count)
        ]

        def carry() -> None:
            for start in range(0, len(ids), POINTS_AT_ONCE):
                found = dev.vectors.retrieve(
                    dev.settings.get_collection_name(base), ids[start : start + POINTS_AT_ONCE]
                ).values()
                twins = [Point(uuid4(), point.vector, point.payload) for point in found]
                stage.vectors.upsert(stage.settings.get_collection_name(base), twins)

        return carry

    return prepare
