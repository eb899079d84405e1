"""Files: copies inside one object server, against s5cmd, rclone and the SDK that the rest of the project uses."""

import io
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.ratios import Act, Prepare, Ratio, compare
from benchmarks.rivals import object_copies
from wisqu_pipelines.ports.objects import CopyRequest
from wisqu_pipelines.promotion.carrying import carry_many
from wisqu_pipelines.promotion.staging import FILES_AT_ONCE
from wisqu_pipelines.settings import ObjectStoreSettings, Settings
from wisqu_pipelines.storage.s3 import S3ObjectStore

OBJECTS, SIZE = 2_000, 20_000
SOURCE, TARGET = "dev", "stage"


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, with dev and stage on one running server; the buckets it makes are emptied and stay."""
    here, there = (settings.environments[name].object_store for name in (SOURCE, TARGET))
    transfer = settings.paths[f"{SOURCE}->{TARGET}"].transfer
    if transfer is None:
        raise RuntimeError("dev and stage need an account that copies between them")
    account = there.model_copy(update=transfer.model_dump())
    with _bucket(here, SOURCE) as source, _bucket(there, TARGET) as target:
        _fill(here, source)
        store, cleaner = S3ObjectStore(account), S3ObjectStore(there)

        def emptied(copy: Act) -> Prepare:
            def prepare() -> Act:
                cleaner.delete(target, [each.key for each in cleaner.list(target)])
                return copy

            return prepare

        def ours() -> None:
            requests = (
                CopyRequest(source, each.key, each.etag, target, each.key, each.size) for each in store.list(source)
            )
            assert all(outcome.error is None for outcome in store.copy_many(requests))

        def rival(copy: Callable[[ObjectStoreSettings, str, str], None]) -> Prepare:
            return emptied(lambda: copy(account, source, target))

        what = f"{OBJECTS} files of {SIZE} bytes inside one server"
        yield from compare(
            emptied(ours),
            {
                f"{what}, against s5cmd": (rival(object_copies.s5cmd), 1.3),
                f"{what}, against rclone": (rival(object_copies.rclone), 2.5),
                f"{what}, against the minio SDK with 16 threads": (rival(object_copies.minio), 2.5),
            },
            rounds,
        )
        reader = S3ObjectStore(here)

        def streamed() -> None:
            requests = [
                CopyRequest(source, each.key, each.etag, target, each.key, each.size) for each in reader.list(source)
            ]
            with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
                assert carry_many(reader, cleaner, requests, threads) == [SIZE] * OBJECTS

        def between() -> None:
            object_copies.rclone_between(here, there, source, target)

        what = f"{OBJECTS} files of {SIZE} bytes streamed from account to account"
        yield from compare(emptied(streamed), {f"{what}, against rclone": (emptied(between), 1.7)}, rounds)
        for each in (store, reader, cleaner):
            each.close()


@contextmanager
def _bucket(account: ObjectStoreSettings, environment: str) -> Iterator[str]:
    name = f"{environment}-bench-{secrets.token_hex(4)}"
    store = S3ObjectStore(account)
    store.ensure_bucket(name)
    yield name
    store.delete(name, [each.key for each in store.list(name)])
    store.close()


def _fill(account: ObjectStoreSettings, bucket: str) -> None:
    store = S3ObjectStore(account)
    with ThreadPoolExecutor(8) as pool:
        for number in range(OBJECTS):
            pool.submit(store.put, bucket, f"stored_files/{number:05}", io.BytesIO(os.urandom(SIZE)), SIZE)
    assert sum(1 for _ in store.list(bucket)) == OBJECTS
    store.close()
