"""Files: copies inside one object server and between two accounts, small ones and large ones, against s5cmd, rclone and
the SDK that the rest of the project uses.
"""

import io
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from benchmarks.memory import most_memory
from benchmarks.ratios import Act, Prepare, Ratio, compare, ratio
from benchmarks.rivals import object_copies
from wisqu_pipelines.ports.objects import CopyRequest
from wisqu_pipelines.promotion.carrying import carry_many
from wisqu_pipelines.promotion.staging import FILES_AT_ONCE
from wisqu_pipelines.settings import ObjectStoreSettings, Settings, load
from wisqu_pipelines.storage.s3 import S3ObjectStore

OBJECTS, SIZE = 2_000, 20_000
LARGE_OBJECTS, LARGE = 20, 64_000_000
MOST_MEMORY = 150_000
"""KiB, of a process that carries the large ones."""
SOURCE, TARGET = "dev", "stage"


def measure(settings: Settings, rounds: int) -> Iterator[Ratio]:
    """The ratios, with dev and stage on one running server; the buckets it makes are emptied and stay."""
    yield from _small(_Ends(settings, OBJECTS, SIZE), rounds)
    yield from _large(_Ends(settings, LARGE_OBJECTS, LARGE), rounds)


class _Ends:
    """So many files in dev, and an empty bucket in stage."""

    def __init__(self, settings: Settings, count: int, size: int) -> None:
        self.here, self.there = (settings.environments[name].object_store for name in (SOURCE, TARGET))
        transfer = settings.paths[f"{SOURCE}->{TARGET}"].transfer
        if transfer is None:
            raise RuntimeError("dev and stage need an account that copies between them")
        self.account = self.there.model_copy(update=transfer.model_dump())
        self.count, self.size = count, size
        self.source = self.target = ""

    @contextmanager
    def filled(self) -> Iterator[None]:
        with _bucket(self.here, SOURCE) as self.source, _bucket(self.there, TARGET) as self.target:
            _fill(self.here, self.source, self.count, self.size)
            yield

    def emptied(self, copy: Act) -> Prepare:
        def prepare() -> Act:
            with closing(S3ObjectStore(self.there)) as store:
                store.delete(self.target, [each.key for each in store.list(self.target)])
            return copy

        return prepare

    def ours(self) -> Prepare:
        def copy() -> None:
            with closing(S3ObjectStore(self.account)) as store:
                assert all(outcome.error is None for outcome in store.copy_many(self._requests(store)))

        return self.emptied(copy)

    def rival(self, copy: Callable[[ObjectStoreSettings, str, str], None]) -> Prepare:
        return self.emptied(lambda: copy(self.account, self.source, self.target))

    def rclone_between(self) -> Prepare:
        return self.emptied(lambda: object_copies.rclone_between(self.here, self.there, self.source, self.target))

    def carried(self) -> None:
        with (
            closing(S3ObjectStore(self.here)) as reader,
            closing(S3ObjectStore(self.there)) as writer,
            ThreadPoolExecutor(FILES_AT_ONCE) as threads,
        ):
            requests = list(self._requests(reader))
            assert carry_many(reader, writer, requests, threads) == [self.size] * self.count

    def _requests(self, store: S3ObjectStore) -> Iterator[CopyRequest]:
        for each in store.list(self.source):
            yield CopyRequest(self.source, each.key, each.etag, self.target, each.key, each.size)


def _small(ends: _Ends, rounds: int) -> Iterator[Ratio]:
    with ends.filled():
        what = f"{OBJECTS} files of {SIZE} bytes inside one server"
        yield from compare(
            ends.ours(),
            {
                f"{what}, against s5cmd": (ends.rival(object_copies.s5cmd), 1.3),
                f"{what}, against rclone": (ends.rival(object_copies.rclone), 2.5),
                f"{what}, against the minio SDK with 16 threads": (ends.rival(object_copies.minio), 2.5),
            },
            rounds,
        )
        what = f"{OBJECTS} files of {SIZE} bytes streamed from account to account"
        yield from compare(
            ends.emptied(ends.carried), {f"{what}, against rclone": (ends.rclone_between(), 1.7)}, rounds
        )


def _large(ends: _Ends, rounds: int) -> Iterator[Ratio]:
    with ends.filled():
        what = f"{LARGE_OBJECTS} files of {LARGE // 1_000_000} MB"
        yield from compare(
            ends.ours(),
            {
                f"{what} inside one server, against s5cmd": (ends.rival(object_copies.s5cmd), 1.0),
                f"{what} inside one server, against rclone": (ends.rival(object_copies.rclone), 1.0),
            },
            rounds,
        )
        yield from compare(
            ends.emptied(ends.carried),
            {f"{what} streamed from account to account, against rclone": (ends.rclone_between(), 1.0)},
            rounds,
        )
        ends.emptied(ends.carried)()
        alone = [sys.executable, "-m", "benchmarks.files", ends.source, ends.target]
        memory = subprocess.run(alone, check=True, capture_output=True, text=True).stdout
        yield ratio(f"memory of carrying {what}, against 150 MB", 1.0, int(memory), MOST_MEMORY)


@contextmanager
def _bucket(account: ObjectStoreSettings, environment: str) -> Iterator[str]:
    name = f"{environment}-bench-{secrets.token_hex(4)}"
    store = S3ObjectStore(account)
    store.ensure_bucket(name)
    yield name
    store.delete(name, [each.key for each in store.list(name)])
    store.close()


def _fill(account: ObjectStoreSettings, bucket: str, count: int, size: int) -> None:
    with closing(S3ObjectStore(account)) as store:

        def put(number: int) -> None:
            store.put(bucket, f"stored_files/{number:05}", io.BytesIO(os.urandom(size)), size)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, range(count)))


if __name__ == "__main__":  # a process of its own, whose memory is looked at
    alone = _Ends(load(), LARGE_OBJECTS, LARGE)
    alone.source, alone.target = sys.argv[1:]
    alone.carried()
    print(most_memory())
