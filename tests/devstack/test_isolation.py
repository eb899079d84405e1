"""No credentials open anything but their own: every store of every environment, tried from every other one."""

import io
import itertools
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus

import psycopg
import pytest
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from tests.fixtures.stack import PROJECT, Stack
from wisqu_pipelines.devstack import databases, seaweedfs
from wisqu_pipelines.devstack.seaweedfs import Account
from wisqu_pipelines.settings import CacheSettings, EnvironmentSettings

DECLARED = tomllib.loads((PROJECT / "wisqu.toml").read_text(encoding="utf-8"))
ENVIRONMENTS = list(DECLARED["environments"])
PAIRS = list(itertools.permutations(ENVIRONMENTS, 2))
DATABASES = [
    DECLARED["control"]["database"]["name"],
    DECLARED["dagster"]["database"]["name"],
    *(each["database"]["name"] for each in DECLARED["environments"].values()),
]
PATHS = [path.split("->") for path in DECLARED["paths"]]
BODY = b"what only its own environment may see"
KEY = "isolation"


def put(client: Minio, bucket: str, key: str) -> None:
    client.put_object(bucket, key, io.BytesIO(BODY), len(BODY))


def read(client: Minio, bucket: str, key: str) -> bytes:
    response = client.get_object(bucket, key)
    try:
        return response.read()
    finally:
        response.release_conn()


def s3(stack: Stack, account: Account | None) -> Minio:
    secret = None if account is None else stack.site.credentials.text(seaweedfs.secret_name(account))
    return Minio(
        stack.site.address(seaweedfs.S3_PORT),
        None if account is None else account.access_key,
        secret,
        secure=False,
        region=seaweedfs.REGION,
        http_client=urllib3.PoolManager(timeout=10, retries=False),
    )


def bucket_of(stack: Stack, environment: str) -> str:
    """A bucket of the environment that has an object."""
    client = s3(stack, seaweedfs.environment_account(environment))
    bucket = f"{environment}-isolation"
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket)
    put(client, bucket, KEY)
    return bucket


def intrusions(client: Minio, bucket: str) -> dict[str, Callable[[], object]]:
    """Everything that somebody might try with a bucket that is not theirs."""
    return {
        "see": lambda: client.bucket_exists(bucket),
        "list": lambda: list(client.list_objects(bucket)),
        "stat": lambda: client.stat_object(bucket, KEY),
        "read": lambda: read(client, bucket, KEY),
        "write": lambda: put(client, bucket, "intruder"),
        "overwrite": lambda: put(client, bucket, KEY),
        "delete": lambda: client.remove_object(bucket, KEY),
        "delete bucket": lambda: client.remove_bucket(bucket),
        "make bucket": lambda: client.make_bucket(f"{bucket}-more"),
        "read policy": lambda: client.get_bucket_policy(bucket),
        "write policy": lambda: client.set_bucket_policy(bucket, '{"Version": "2012-10-17", "Statement": []}'),
    }


def redis(cache: CacheSettings, database: int) -> Redis:
    return Redis(
        host=cache.host,
        port=cache.port,
        db=database,
        username=cache.username,
        password=cache.password.get_secret_value(),
    )


def vectors(url: str, key: str | None) -> QdrantClient:
    return QdrantClient(url=url, api_key=key, check_compatibility=False)


def environment(stack: Stack, name: str) -> EnvironmentSettings:
    return stack.settings.environment(name)


@pytest.mark.parametrize(("own", "other"), list(itertools.permutations(DATABASES, 2)))
def test_no_role_of_a_database_enters_another(stack: Stack, own: str, other: str) -> None:
    for role in databases.roles(stack.site, own):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(stack, role, other)


@pytest.mark.parametrize("name", DATABASES)
def test_each_role_enters_its_own_database_and_no_maintenance_database(stack: Stack, name: str) -> None:
    for role in databases.roles(stack.site, name):
        connect(stack, role, name).close()
        for shared in ("postgres", "template1"):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                connect(stack, role, shared)


@pytest.mark.parametrize("name", DATABASES)
def test_nobody_enters_a_database_without_the_password(stack: Stack, name: str) -> None:
    role = databases.owner_role(name)
    for password in ("", role, "postgres"):
        with pytest.raises(psycopg.OperationalError, match=r"password authentication failed|no password supplied"):
            connect(stack, role, name, password=password)


def test_the_application_makes_no_tables_and_no_roles(stack: Stack) -> None:
    for name in DATABASES:
        for role in databases.roles(stack.site, name)[1:]:
            with connect(stack, role, name) as connection:
                for statement in (b"CREATE TABLE intruder (id int)", b"CREATE TEMP TABLE intruder (id int)"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement)
                    connection.rollback()


def connect(stack: Stack, role: str, database: str, password: str | None = None) -> psycopg.Connection[tuple[object]]:
    settings = stack.settings.control.database
    secret = stack.site.credentials.text(role) if password is None else password
    return psycopg.connect(host=settings.host, port=settings.port, dbname=database, user=role, password=secret)


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_an_environments_account_reaches_no_bucket_of_another(stack: Stack, own: str, other: str) -> None:
    theirs, mine = bucket_of(stack, other), bucket_of(stack, own)
    client = s3(stack, seaweedfs.environment_account(own))
    refused_everything(intrusions(client, theirs))
    with pytest.raises(S3Error, match="AccessDenied"):
        client.copy_object(mine, "stolen", CopySource(theirs, KEY))
    assert all(each.name.startswith(f"{own}-") for each in client.list_buckets())
    assert untouched(stack, other, theirs)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_anonymous_reaches_no_bucket(stack: Stack, name: str) -> None:
    bucket = bucket_of(stack, name)
    refused_everything(intrusions(s3(stack, None), bucket))
    assert untouched(stack, name, bucket)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_dagsters_account_and_the_environments_leave_each_other_alone(stack: Stack, name: str) -> None:
    logs, account = stack.settings.dagster.logs_bucket, seaweedfs.logs_account(stack.site)
    put(s3(stack, account), logs, KEY)
    refused_everything(intrusions(s3(stack, account), bucket_of(stack, name)))
    refused_everything(intrusions(s3(stack, seaweedfs.environment_account(name)), logs))


@pytest.mark.parametrize(("source", "target"), PATHS)
def test_a_transfer_account_reads_its_source_writes_its_target_and_does_no_more(
    stack: Stack, source: str, target: str
) -> None:
    client = s3(stack, seaweedfs.transfer_account(source, target))
    theirs, mine = bucket_of(stack, source), bucket_of(stack, target)
    client.copy_object(mine, "arrived", CopySource(theirs, KEY))
    assert read(client, mine, "arrived") == BODY
    for_writing = {"write", "overwrite", "delete", "delete bucket", "make bucket", "write policy"}
    refused_everything({name: act for name, act in intrusions(client, theirs).items() if name in for_writing})
    for third in set(ENVIRONMENTS) - {source, target}:
        refused_everything(intrusions(client, bucket_of(stack, third)))
    refused_everything(intrusions(client, stack.settings.dagster.logs_bucket))


@pytest.mark.parametrize("part", ["filer", "volume"])
def test_there_is_no_way_around_the_accounts(stack: Stack, part: str) -> None:
    """Asked over HTTP, the parts behind the S3 server want a token that only the server has."""
    bucket = bucket_of(stack, ENVIRONMENTS[0])
    address = stack.site.address(f"seaweedfs-{part}")
    path = {"filer": f"/buckets/{bucket}/{KEY}", "volume": "/1,01637037d6"}[part]
    for method in ("GET", "PUT", "DELETE"):
        body = BODY if method == "PUT" else None
        request = urllib.request.Request(f"http://{address}{path}", data=body, method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310
        refused.value.close()
        assert refused.value.code == HTTPStatus.UNAUTHORIZED
    assert untouched(stack, ENVIRONMENTS[0], bucket)


def refused_everything(acts: dict[str, Callable[[], object]]) -> None:
    let_in = []
    for name, act in acts.items():
        try:
            act()
        except S3Error as error:
            if error.code != "AccessDenied":
                let_in.append(f"{name}: {error.code}")
        else:
            let_in.append(name)
    assert let_in == []


def untouched(stack: Stack, name: str, bucket: str) -> bool:
    return read(s3(stack, seaweedfs.environment_account(name)), bucket, KEY) == BODY


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_an_environments_key_opens_no_vector_index_of_another(stack: Stack, own: str, other: str) -> None:
    key, url = environment(stack, own).vector_index.api_key, environment(stack, other).vector_index.url
    refused_by_index(url, key.get_secret_value())


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_anonymous_opens_no_vector_index(stack: Stack, name: str) -> None:
    refused_by_index(environment(stack, name).vector_index.url, None)


def refused_by_index(url: str, key: str | None) -> None:
    client = vectors(url, key)
    acts: list[Callable[[], object]] = [
        client.get_collections,
        lambda: client.create_collection("c", models.VectorParams(size=1, distance=models.Distance.DOT)),
        lambda: client.scroll("wisqu_documents"),
        lambda: client.upsert("wisqu_documents", [models.PointStruct(id=1, vector=[1.0])]),
        lambda: client.delete_collection("wisqu_documents"),
    ]
    for act in acts:
        with pytest.raises(UnexpectedResponse) as refused:
            act()
        assert refused.value.status_code in {401, 403}
    client.close()


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_an_environments_user_reaches_no_redis_database_of_another(stack: Stack, own: str, other: str) -> None:
    cache, theirs = environment(stack, own).cache, environment(stack, other).cache
    for number in theirs.databases.model_dump().values():
        with redis(theirs, number) as client:
            client.set(KEY, BODY)
        with redis(cache, number) as intruder, pytest.raises(NoPermissionError):
            intruder.get(KEY)
        with redis(cache, cache.databases.cache) as intruder:
            intruder.set("mine", b"1")
            for command in (
                ("SELECT", number),
                ("MOVE", "mine", number),
                ("COPY", "mine", KEY, "DB", number),
                ("SWAPDB", cache.databases.cache, number),
                ("EVAL", f"redis.call('select', {number}) return redis.call('get', '{KEY}')", 0),
                ("FLUSHALL",),
                ("CONFIG", "GET", "*"),
                ("ACL", "LIST"),
                ("CLIENT", "LIST"),
                ("MONITOR",),
                ("SHUTDOWN",),
            ):
                with pytest.raises(NoPermissionError):
                    intruder.execute_command(*command)
        with redis(theirs, number) as client:
            assert client.get(KEY) == BODY


def test_anonymous_reaches_no_redis_database(stack: Stack) -> None:
    cache = environment(stack, ENVIRONMENTS[0]).cache
    for username, password in ((None, None), ("default", ""), (cache.username, "guess")):
        with (
            Redis(host=cache.host, port=cache.port, username=username, password=password) as client,
            pytest.raises(AuthenticationError),
        ):
            client.ping()
