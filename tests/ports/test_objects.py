"""What every object store does."""

import hashlib
import io
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.ports.conftest import Objects
from wisqu_pipelines.errors import (
    BadInput,
    BucketMissing,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    StoreDenied,
    StoreFailed,
)
from wisqu_pipelines.ports.hashing import sha256_of
from wisqu_pipelines.ports.objects import CopyRequest, NewObject, ObjectInfo, ObjectStore

MIB = 1024 * 1024
KEYS = [
    "plain",
    "a/b/c.txt",
    "سند فارسی ۱.pdf",
    "می‌خواهم",
    "right-to-left \u200f mark",
    "emoji \U0001f600",
    "é composed and e\u0301 not",
    "space  twice",
    "a+b",
    "100%25 of %C3",
    "q?a=b&c=d#e",
    "\"quotes' <and> `ticks`",
    "~!@$^*(){}[]|;:,",
    "part/" + "k" * 255,
    "/".join(["deep" * 30] * 8),
]
TEXTS = ["", " ", "  two  spaces  ", "سند فارسی.pdf", "100%41 + %", "%", "a\r\nb\x00", "😀", 'q"', "x" * 500]


def put(store: ObjectStore, bucket: str, key: str, data: bytes = b"data", *, create_only: bool = False) -> ObjectInfo:
    return store.put(bucket, key, io.BytesIO(data), len(data), create_only=create_only)


def get(store: ObjectStore, bucket: str, key: str, etag: str | None = None) -> bytes:
    with store.read(bucket, key, etag=etag) as chunks:
        return b"".join(chunks)


# What nobody can take back


def test_what_is_sealed_stays_whatever_is_done(objects: Objects) -> None:
    bucket = f"{objects.bucket}-sealed"
    store = objects.store
    until = datetime.now(UTC) + timedelta(seconds=20)
    assert list(store.sealed(bucket)) == []
    store.seal(bucket, "a/1", b"first", until)
    store.seal(bucket, "a/1", b"second", until)
    store.seal(bucket, "a/2", b"third", until)
    store.delete(bucket, ["a/1"])
    assert sorted(store.sealed(bucket)) == [("a/1", b"first"), ("a/1", b"second"), ("a/2", b"third")]
    assert list(store.sealed(bucket, "a/2")) == [("a/2", b"third")]


# Buckets


def test_a_bucket_is_made_once(objects: Objects) -> None:
    assert not objects.store.bucket_exists(objects.unmade_bucket)
    put(objects.store, objects.bucket, "kept")
    objects.store.ensure_bucket(objects.bucket)
    assert objects.store.bucket_exists(objects.bucket)
    assert get(objects.store, objects.bucket, "kept") == b"data"


def test_what_is_in_no_bucket_is_missing(objects: Objects) -> None:
    assert objects.store.stat(objects.unmade_bucket, "key") is None
    with pytest.raises(BucketMissing, match=objects.unmade_bucket):
        list(objects.store.list(objects.unmade_bucket))
    with pytest.raises(ObjectMissing), objects.store.read(objects.unmade_bucket, "key"):
        pass


def test_another_environments_bucket_is_denied(objects: Objects) -> None:
    etag = put(objects.neighbour, objects.neighbour_bucket, "theirs").etag
    acts: list[Callable[[], object]] = [
        lambda: objects.store.bucket_exists(objects.neighbour_bucket),
        lambda: objects.store.stat(objects.neighbour_bucket, "theirs"),
        lambda: put(objects.store, objects.neighbour_bucket, "mine"),
        lambda: list(objects.store.list(objects.neighbour_bucket)),
        lambda: get(objects.store, objects.neighbour_bucket, "theirs"),
        lambda: objects.store.delete(objects.neighbour_bucket, ["theirs"]),
        lambda: objects.store.copy(objects.neighbour_bucket, "theirs", objects.bucket, "mine", source_etag=etag),
    ]
    for act in acts:
        with pytest.raises(StoreDenied):
            act()
    assert get(objects.neighbour, objects.neighbour_bucket, "theirs") == b"data"


# Writing and reading


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 5 * MIB, 8 * MIB, 8 * MIB + 1, 17 * MIB])
@pytest.mark.parametrize("create_only", [False, True])
def test_bytes_come_back_as_they_were(objects: Objects, size: int, create_only: bool) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    written = put(objects.store, objects.bucket, "key", data, create_only=create_only)
    found = objects.store.stat(objects.bucket, "key")
    assert found is not None
    assert (written.size, written.etag) == (found.size, found.etag) == (size, found.etag)
    with objects.store.read(objects.bucket, "key", etag=written.etag) as chunks:
        assert sha256_of(chunks) == sha256_of([data])


def test_a_read_comes_in_pieces(objects: Objects) -> None:
    put(objects.store, objects.bucket, "key", b"x" * (3 * MIB))
    with objects.store.read(objects.bucket, "key") as chunks:
        assert max(len(chunk) for chunk in chunks) <= MIB


def test_a_read_may_end_early(objects: Objects) -> None:
    put(objects.store, objects.bucket, "key", b"x" * (9 * MIB))
    for _ in range(40):  # more often than there are connections
        with objects.store.read(objects.bucket, "key") as chunks:
            assert next(chunks)[:1] == b"x"
        with objects.store.read(objects.bucket, "key"):
            pass


def test_a_write_starts_where_the_stream_stands_and_takes_no_more_than_its_size(objects: Objects) -> None:
    stream = io.BytesIO(b"before|data|after")
    stream.seek(7)
    objects.store.put(objects.bucket, "key", stream, 4)
    assert get(objects.store, objects.bucket, "key") == b"data"


@pytest.mark.parametrize("announced", [5, 9 * MIB])
def test_a_stream_that_ends_early_fails_and_leaves_nothing(objects: Objects, announced: int) -> None:
    with pytest.raises(StoreFailed, match="ended before"):
        objects.store.put(objects.bucket, "key", io.BytesIO(b"x" * (announced - 1)), announced)
    assert objects.store.stat(objects.bucket, "key") is None


def test_a_plain_put_replaces(objects: Objects) -> None:
    put(objects.store, objects.bucket, "key", b"old")
    put(objects.store, objects.bucket, "key", b"new")
    assert get(objects.store, objects.bucket, "key") == b"new"


def test_what_is_missing_is_missing(objects: Objects) -> None:
    assert objects.store.stat(objects.bucket, "key") is None
    with pytest.raises(ObjectMissing, match="'key'"), objects.store.read(objects.bucket, "key"):
        pass


def test_a_read_is_pinned_by_the_etag(objects: Objects) -> None:
    old = put(objects.store, objects.bucket, "key", b"old")
    new = put(objects.store, objects.bucket, "key", b"new")
    assert get(objects.store, objects.bucket, "key", new.etag) == b"new"
    with pytest.raises(ObjectChanged):
        get(objects.store, objects.bucket, "key", old.etag)


# Names and metadata


@pytest.mark.parametrize("key", KEYS)
def test_a_key_may_be_any_printable_text(objects: Objects, key: str) -> None:
    written = put(objects.store, objects.bucket, key, key.encode(), create_only=True)
    assert get(objects.store, objects.bucket, key) == key.encode()
    assert [each.key for each in objects.store.list(objects.bucket)] == [key]
    assert [each.key for each in objects.store.list(objects.bucket, key[:2])] == [key]
    objects.store.copy(
        objects.bucket, key, objects.bucket, f"copy of/{key}", source_etag=written.etag, size=written.size
    )
    objects.store.delete(objects.bucket, [key])
    assert [each.key for each in objects.store.list(objects.bucket)] == [f"copy of/{key}"]


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\x00", "a\nb", "a\uffff", "a\ud800", "k" * 256, "ab/" * 342],
)
def test_a_key_that_a_server_could_mistake_is_refused(objects: Objects, key: str) -> None:
    etag = put(objects.store, objects.bucket, "source").etag
    with pytest.raises(BadInput, match="object key"):
        put(objects.store, objects.bucket, key)
    with pytest.raises(BadInput, match="object key"):
        objects.store.copy(objects.bucket, "source", objects.bucket, key, source_etag=etag)


@pytest.mark.parametrize("create_only", [False, True])
def test_metadata_may_be_any_text(objects: Objects, create_only: bool) -> None:
    metadata = {f"text-{number}": text for number, text in enumerate(TEXTS)}
    objects.store.put(
        objects.bucket,
        "key",
        io.BytesIO(b"data"),
        4,
        content_type="text/markdown; charset=utf-8",
        metadata=metadata,
        create_only=create_only,
    )
    found = objects.store.stat(objects.bucket, "key")
    assert found is not None
    assert found.metadata == metadata
    assert found.content_type == "text/markdown; charset=utf-8"
    assert found.modified is not None
    assert found.modified.tzinfo is not None


def test_metadata_names_know_no_case_and_are_no_headers(objects: Objects) -> None:
    given = {"File-Name": "a", "content-type": "b", "x-amz-acl": "c"}
    written = objects.store.put(objects.bucket, "key", io.BytesIO(b""), 0, metadata=given)
    found = objects.store.stat(objects.bucket, "key")
    assert found is not None
    assert found.metadata == written.metadata == {"file-name": "a", "content-type": "b", "x-amz-acl": "c"}
    assert found.content_type == "application/octet-stream"


# Create-only


@pytest.mark.parametrize("size", [3, 9 * MIB])
def test_create_only_never_overwrites(objects: Objects, size: int) -> None:
    put(objects.store, objects.bucket, "key", b"old", create_only=True)
    with pytest.raises(ObjectExists, match="'key'"):
        put(objects.store, objects.bucket, "key", b"x" * size, create_only=True)
    assert get(objects.store, objects.bucket, "key") == b"old"


def test_the_same_bytes_from_somebody_else_exist_too(objects: Objects) -> None:
    put(objects.store, objects.bucket, "key", b"same", create_only=True)
    with pytest.raises(ObjectExists):
        put(objects.store, objects.bucket, "key", b"same", create_only=True)


def test_after_a_delete_the_key_is_free(objects: Objects) -> None:
    put(objects.store, objects.bucket, "key", create_only=True)
    objects.store.delete(objects.bucket, ["key"])
    put(objects.store, objects.bucket, "key", create_only=True)


def race(objects: Objects, size: int) -> list[int]:
    """Let six create the same object at the same time; returns who were told that they did."""

    def create(number: int) -> bool:
        try:
            put(objects.store, objects.bucket, "key", bytes([number]) * size, create_only=True)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        return [number for number, won in enumerate(pool.map(create, range(6))) if won]


@pytest.mark.parametrize("size", [100, 8 * MIB])
def test_of_concurrent_creators_exactly_one_wins(objects: Objects, size: int) -> None:
    winners = race(objects, size)
    assert len(winners) == 1
    assert get(objects.store, objects.bucket, "key") == bytes(winners) * size


def test_an_object_that_several_create_in_parts_is_one_of_theirs(objects: Objects) -> None:
    size = 9 * MIB
    winners = race(objects, size)  # SeaweedFS 4.48 may tell this to several: see S3ObjectStore.put
    assert get(objects.store, objects.bucket, "key") in [bytes([winner]) * size for winner in winners]


# Copies


@pytest.mark.parametrize("size", [0, 20_000, 9 * MIB])
@pytest.mark.parametrize("told", [True, False])
def test_a_copy_has_bytes_type_and_metadata(objects: Objects, size: int, told: bool) -> None:
    data = b"x" * size
    written = objects.store.put(
        objects.bucket, "from", io.BytesIO(data), size, content_type="a/b", metadata={"name": "سند "}, create_only=True
    )
    made = objects.transfer.copy(
        objects.bucket,
        "from",
        objects.neighbour_bucket,
        "to/it",
        source_etag=written.etag,
        size=size if told else None,
    )
    found = objects.neighbour.stat(objects.neighbour_bucket, "to/it")
    assert found is not None
    assert (found.size, found.content_type, found.metadata) == (size, "a/b", {"name": "سند "})
    assert made == found.etag
    assert get(objects.neighbour, objects.neighbour_bucket, "to/it") == data


def test_a_copy_is_pinned_to_the_sources_version(objects: Objects) -> None:
    old = put(objects.store, objects.bucket, "from", b"old")
    put(objects.store, objects.bucket, "from", b"new")
    with pytest.raises(ObjectChanged, match="'from'"):
        objects.store.copy(objects.bucket, "from", objects.bucket, "to", source_etag=old.etag, size=3)
    assert objects.store.stat(objects.bucket, "to") is None


def test_a_copy_overwrites_nothing(objects: Objects) -> None:
    written = put(objects.store, objects.bucket, "from", b"new")
    put(objects.store, objects.bucket, "to", b"old")
    for size in (3, None):
        with pytest.raises(ObjectExists, match="'to'"):
            objects.store.copy(objects.bucket, "from", objects.bucket, "to", source_etag=written.etag, size=size)
    assert get(objects.store, objects.bucket, "to") == b"old"


def test_a_copy_that_was_made_before_is_made(objects: Objects) -> None:
    written = put(objects.store, objects.bucket, "from", b"same")
    made = [
        objects.store.copy(objects.bucket, "from", objects.bucket, "to", source_etag=written.etag, size=4)
        for _ in range(2)
    ]
    assert made[0] == made[1] == written.etag


def test_a_copy_of_nothing_is_missing(objects: Objects) -> None:
    for bucket in (objects.bucket, objects.unmade_bucket):
        with pytest.raises(ObjectMissing):
            objects.store.copy(bucket, "from", objects.bucket, "to", source_etag="0" * 32, size=1)


def test_of_concurrent_copies_exactly_one_wins(objects: Objects) -> None:
    etags = [put(objects.store, objects.bucket, f"from-{each}", str(each).encode()).etag for each in range(6)]
    requests = [CopyRequest(objects.bucket, f"from-{each}", etags[each], objects.bucket, "to", 1) for each in range(6)]
    won = [outcome.error is None for outcome in objects.store.copy_many(requests)]
    assert won.count(True) == 1
    assert get(objects.store, objects.bucket, "to") == str(won.index(True)).encode()


def test_of_many_copies_each_says_what_became_of_it(objects: Objects) -> None:
    written = put(objects.store, objects.bucket, "from", b"new")
    put(objects.neighbour, objects.neighbour_bucket, "taken", b"old")

    def request(key: str, source: str = "from", etag: str = written.etag) -> CopyRequest:
        return CopyRequest(objects.bucket, source, etag, objects.neighbour_bucket, key, 3)

    bad = {50: request("taken"), 60: request("none", "gone"), 70: request("other", etag="0" * 32), 80: request("a//b")}
    requests = [bad.get(number, request(f"to/{number:03}")) for number in range(150)]
    outcomes = list(objects.transfer.copy_many(iter(requests)))
    assert [outcome.request for outcome in outcomes] == requests
    errors = {number: type(outcome.error) for number, outcome in enumerate(outcomes) if outcome.error is not None}
    assert errors == {50: ObjectExists, 60: ObjectMissing, 70: ObjectChanged, 80: BadInput}
    assert {outcome.etag for outcome in outcomes} == {written.etag, None}
    listed = [each.key for each in objects.neighbour.list(objects.neighbour_bucket)]
    assert listed == ["taken", *(f"to/{number:03}" for number in range(150) if number not in bad)]


@pytest.mark.parametrize("size", [3, None])
def test_copies_end_when_nobody_listens(objects: Objects, size: int | None) -> None:
    etag = put(objects.store, objects.bucket, "from", b"new").etag
    requests = (CopyRequest(objects.bucket, "from", etag, objects.bucket, f"to/{n}", size) for n in range(1_000))
    outcomes = objects.store.copy_many(requests)
    assert next(outcomes).error is None
    del outcomes
    made = len(list(objects.store.list(objects.bucket, "to/")))
    assert 1 <= made <= 100
    assert next(requests).key  # not all were even asked for


def test_the_stores_troubles_end_many_copies(objects: Objects) -> None:
    written = put(objects.store, objects.bucket, "from", b"new")
    request = CopyRequest(objects.bucket, "from", written.etag, objects.neighbour_bucket, "to", 3)
    with pytest.raises(StoreDenied):
        list(objects.store.copy_many([request] * 20))


# Many objects


def test_many_are_looked_at_in_their_order(objects: Objects) -> None:
    for number in range(60):
        put(objects.store, objects.bucket, f"each/{number}", str(number).encode() * number)
    names = [f"each/{number}" for number in range(70)]
    found = list(objects.store.stat_many((objects.bucket, name) for name in names))
    assert found == [objects.store.stat(objects.bucket, name) for name in names]
    assert [each.size for each in found[:60] if each] == [len(str(number)) * number for number in range(60)]
    hashes = list(objects.store.sha256_many((objects.bucket, name) for name in names))
    assert hashes[:60] == [hashlib.sha256(str(number).encode() * number).hexdigest() for number in range(60)]
    assert not any(found[60:])
    assert hashes[60:] == [None] * 10


def test_many_have_what_one_has(objects: Objects) -> None:
    about = {"title": "تفسیر ", "empty": ""}
    objects.store.put(objects.bucket, "a b+ü.md", io.BytesIO(b"data"), 4, content_type="text/markdown", metadata=about)
    (found,) = objects.store.stat_many([(objects.bucket, "a b+ü.md")])
    assert found is not None
    assert (found.content_type, dict(found.metadata)) == ("text/markdown", about)
    assert found == objects.store.stat(objects.bucket, "a b+ü.md")


def test_a_small_object_is_had_whole_and_pinned_to_its_version(objects: Objects) -> None:
    written = objects.store.put(
        objects.bucket, "a b+ü.md", io.BytesIO(b"data"), 4, content_type="text/markdown", metadata={"title": "تفسیر "}
    )
    found, data = objects.store.get(objects.bucket, "a b+ü.md", etag=written.etag)
    assert (found, data) == (objects.store.stat(objects.bucket, "a b+ü.md"), b"data")
    put(objects.store, objects.bucket, "a b+ü.md", b"")
    with pytest.raises(ObjectChanged):
        objects.store.get(objects.bucket, "a b+ü.md", etag=written.etag)
    with pytest.raises(ObjectMissing):
        objects.store.get(objects.bucket, "never there", etag=written.etag)


@pytest.mark.parametrize("method", ["stat_many", "sha256_many", "get_many"])
def test_looking_at_many_ends_with_the_stores_troubles_and_with_whoever_asked(objects: Objects, method: str) -> None:
    version = (put(objects.store, objects.bucket, "one", b"1").etag,) if method == "get_many" else ()
    put(objects.store, objects.bucket, "one", b"1")
    with pytest.raises(StoreDenied):
        list(getattr(objects.store, method)([(objects.neighbour_bucket, "one", *version)] * 20))
    places = iter([(objects.bucket, "one", *version)] * 1_000)
    assert next(getattr(objects.store, method)(places)) is not None
    assert next(places)  # not all were even asked for


def test_of_many_small_objects_each_is_had_whole_or_says_why_not(objects: Objects) -> None:
    about = {"title": "تفسیر ", "empty": ""}
    written = [
        objects.store.put(objects.bucket, f"ü {n}", io.BytesIO(b"x" * n), n, content_type="text/plain", metadata=about)
        for n in range(50)
    ]
    versions = [(objects.bucket, each.key, each.etag) for each in written]
    versions[7:7] = [(objects.bucket, "never there", "0" * 32), (objects.bucket, "ü 1", "0" * 32)]
    found = list(objects.store.get_many(iter(versions)))
    assert [type(each) for each in found[7:9]] == [ObjectMissing, ObjectChanged]
    assert found[:7] + found[9:] == [(objects.store.stat(objects.bucket, f"ü {n}"), b"x" * n) for n in range(50)]


def test_many_small_objects_are_made_and_none_is_overwritten(objects: Objects) -> None:
    put(objects.store, objects.bucket, "taken", b"old")
    about = {"title": "تفسیر ", "empty": ""}
    keys = {20: "taken", 30: "a//b", 40: "new/1"}
    new = [
        NewObject(objects.bucket, keys.get(n, f"new/{n}"), str(n).encode() * n, "text/plain", about) for n in range(60)
    ]
    outcomes = list(objects.store.create_many(iter(new)))
    errors = {number: type(error) for number, error in enumerate(outcomes) if error is not None}
    assert errors == {20: ObjectExists, 30: BadInput, 40: ObjectExists}
    assert get(objects.store, objects.bucket, "taken") == b"old"
    for each in (new[0], new[1], new[59]):
        assert get(objects.store, objects.bucket, each.key) == each.data
        found = objects.store.stat(objects.bucket, each.key)
        assert found is not None
        assert (found.content_type, dict(found.metadata)) == ("text/plain", about)
    with pytest.raises(StoreDenied):
        list(objects.store.create_many([NewObject(objects.neighbour_bucket, "one", b"1", "text/plain", {})] * 20))


def test_no_more_is_made_when_nobody_listens(objects: Objects) -> None:
    new = (NewObject(objects.bucket, f"new/{n}", b"1", "text/plain", {}) for n in range(1_000))
    outcomes = objects.store.create_many(new)
    assert next(outcomes) is None
    del outcomes
    assert 1 <= len(list(objects.store.list(objects.bucket, "new/"))) <= 200
    assert next(new).key  # not all were even asked for


def test_a_listing_knows_all_pages_and_a_delete_takes_them_all(objects: Objects) -> None:
    names = [f"many/{number:05}" for number in range(1_103)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(objects.store, objects.bucket, name, b"1"), [*names, "many", "other/1"]))
    listed = list(objects.store.list(objects.bucket, "many/"))
    assert [each.key for each in listed] == names
    assert {(each.size, each.content_type) for each in listed} == {(1, "application/octet-stream")}
    assert listed[0].etag == listed[1].etag != ""

    lazily = objects.store.list(objects.bucket)
    assert [each.key for each in itertools.islice(lazily, 2)] == ["many", "many/00000"]

    objects.store.delete(objects.bucket, (name for name in [*names, "never there", "many/00000"]))
    assert [each.key for each in objects.store.list(objects.bucket)] == ["many", "other/1"]


def test_a_prefix_is_no_folder(objects: Objects) -> None:
    for key in ("ab", "a/b", "a"):
        put(objects.store, objects.bucket, key)
    assert sorted(each.key for each in objects.store.list(objects.bucket, "a")) == ["a", "a/b", "ab"]
    assert list(objects.store.list(objects.bucket, "b")) == []


def test_deleting_nothing_is_no_error(objects: Objects) -> None:
    objects.store.delete(objects.bucket, [])
    objects.store.delete(objects.bucket, ["never there", "nor/this"])


def test_deleting_a_name_leaves_what_lies_below_it(objects: Objects) -> None:
    put(objects.store, objects.bucket, "folder/file")
    objects.store.delete(objects.bucket, ["folder"])
    assert get(objects.store, objects.bucket, "folder/file") == b"data"
