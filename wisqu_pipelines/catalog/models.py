"""The rows of an environment: people's accounts, files, documents, conversations, quotas."""

from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    inspect,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.catalog.mixins import EnvironmentPromotionMixin, SoftDeleteMixin, TimestampMixin
from wisqu_pipelines.database.base import EnvironmentBase


class AccountType(StrEnum):
    """What an account may use."""

    FREE = "free"
    PREMIUM = "premium"
    UNLIMITED = "unlimited"
    DEVELOPER_TEST = "developer_test"


class EnvironmentRow(EnvironmentPromotionMixin, TimestampMixin, SoftDeleteMixin, EnvironmentBase):
    """A table of an environment, with the three mixins."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


def table_of(model: type[EnvironmentRow]) -> Table:
    """The table of a model, for statements that leave the ORM aside."""
    return cast("Table", inspect(model).local_table)


class User(EnvironmentRow):
    """A person's account in this environment; its id is the person's central id."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255), unique=True)
    full_name: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(50))
    account_type: Mapped[str] = mapped_column(
        String(50), default=AccountType.FREE, server_default=AccountType.FREE.value
    )
    is_test_account: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_by_developer: Mapped[UUID | None]
    test_expires_at: Mapped[datetime | None]
    last_login: Mapped[datetime | None]
    login_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """Only a developer's test account has one; people log in centrally."""
    test_place: Mapped[int | None] = mapped_column(
        SmallInteger, CheckConstraint("test_place BETWEEN 1 AND 5", name="test_place")
    )
    """Which of its developer's five places a live test account takes."""


# Beside the class: `__table_args__` in it would take the place of the mixins' indexes.
Index(
    None,
    User.created_by_developer,
    User.test_place,
    unique=True,
    postgresql_where=text("test_place IS NOT NULL"),
)


class StoredFile(EnvironmentRow):
    """A file: what it is called, and where its bytes are."""

    __tablename__ = "stored_files"

    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    """Whose it is in this environment. People differ between environments, so it is never promoted."""
    filename: Mapped[str] = mapped_column(String(255), index=True)
    bucket: Mapped[str] = mapped_column(String(63))
    """The base name; the environment's own bucket is `{environment}-{bucket}`."""
    object_name: Mapped[str] = mapped_column(String(1024))
    content_type: Mapped[str] = mapped_column(String(255))
    file_size_bytes: Mapped[int] = mapped_column(BigInteger, CheckConstraint("file_size_bytes >= 0", name="file_size"))
    checksum_sha256: Mapped[str | None] = mapped_column(
        String(64),
        # A counted repetition in the pattern would take nine times as long, in every write of a row.
        CheckConstraint("length(checksum_sha256) = 64 AND checksum_sha256 !~ '[^0-9a-f]'", name="checksum"),
    )
    """SHA-256 of the bytes, hex. None: the row is older than this schema and nobody has read its bytes since; it cannot
    be promoted."""
    purpose: Mapped[str] = mapped_column(String(50), default="rag_corpus", server_default="rag_corpus")


Index(None, StoredFile.owner_id, postgresql_where=text("owner_id IS NOT NULL"))


class RagDocument(EnvironmentRow):
    """A document that can be searched: one file, cut into chunks that lie as points in a vector collection.

    The points of a document carry `document_id`, `version`, `chunk` (0, 1, …), `environment` and `text` in their
    payload; the id of chunk n is UUIDv5(`vector_version`, n).
    """

    __tablename__ = "rag_documents"

    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_files.id"), index=True)
    title: Mapped[str] = mapped_column(String(500))
    language: Mapped[str | None] = mapped_column(String(35))
    """BCP 47, where it is known."""
    collection: Mapped[str] = mapped_column(String(100))
    """The base name; the environment's own collection is `{collection}_{environment}`."""
    vector_version: Mapped[UUID]
    """Which set of points is this document's; a new content gets a new set, and nothing is overwritten."""
    point_count: Mapped[int] = mapped_column(Integer, CheckConstraint("point_count >= 0", name="point_count"))
    embedding: Mapped[str] = mapped_column(String(100))
    """Which embedder made the vectors."""


class Conversation(EnvironmentRow):
    """A user's conversation with Wisqu."""

    __tablename__ = "conversations"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(500))


class Message(EnvironmentRow):
    """One message of a conversation."""

    __tablename__ = "messages"

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), index=True)
    role: Mapped[str] = mapped_column(String(50))
    content: Mapped[str] = mapped_column(Text)
    sources: Mapped[list[Any] | None]
    """The chunks that the answer rests on."""


class UserStorageQuota(EnvironmentRow):
    """How much a user may store."""

    __tablename__ = "user_storage_quotas"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), unique=True)
    max_bytes: Mapped[int] = mapped_column(BigInteger, CheckConstraint("max_bytes >= 0", name="max_bytes"))
    max_files: Mapped[int] = mapped_column(Integer, CheckConstraint("max_files >= 0", name="max_files"))
    used_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """Counted in this environment, and so never promoted."""
    used_files: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))


class TestDataMark(EnvironmentBase):
    """What a person said last of an item, with its words as they were: what detection learns from, also when the item
    is gone.
    """

    __tablename__ = "test_data_marks"
    __test__ = False  # pytest takes it for one of its own

    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_test_data: Mapped[bool]
    texts: Mapped[dict[str, Any]]
    """Column → text, for every column of text."""
    marked_at: Mapped[datetime]
    marked_by: Mapped[UUID | None]


class PromotionBeforeImage(EnvironmentBase):
    """A row as it stood before a promotion updated it: what a rollback restores. Written with the receipt, which holds
    the digest of all of them.
    """

    __tablename__ = "promotion_before_images"

    promotion_id: Mapped[UUID] = mapped_column(primary_key=True)
    item_type: Mapped[str] = mapped_column(String(100), primary_key=True)
    target_id: Mapped[UUID] = mapped_column(primary_key=True)
    image: Mapped[dict[str, Any]]
    """All columns of the row, as Postgres's `to_jsonb` gives them."""
    restored_by: Mapped[UUID | None]
    """The rollback that put it back."""

    __table_args__ = (Index(None, "item_type", "target_id"),)


class ListedStore(StrEnum):
    """Which of the environment's stores a storage audit has listed something in."""

    OBJECTS = "objects"
    POINTS = "points"
    STAGED = "staged"
    """No store: the versions that running promotions stage under."""


class StorageOrphan(EnvironmentBase):
    """An object, or a version's points, that no row, promotion or before-image needs: marked, to be swept later."""

    __tablename__ = "storage_orphans"

    store: Mapped[str] = mapped_column(String(20), primary_key=True)
    container: Mapped[str] = mapped_column(String(255), primary_key=True)
    """The full name of the bucket or collection."""
    name: Mapped[str] = mapped_column(String(1024), primary_key=True)
    """The object's key, or the points' version."""
    bytes: Mapped[int] = mapped_column(BigInteger)
    """Of points, those of their vectors."""
    points: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    modified_at: Mapped[datetime | None]
    """When the object was written, as its store says: one that is written again is another one."""
    first_seen_at: Mapped[datetime]
    """Since when it has been found at every audit."""
    swept_at: Mapped[datetime | None]
    """When its sweep began; a sweep that ends takes the mark away."""

    __table_args__ = (CheckConstraint("store IN ('objects', 'points')", name="store"),)


class StorageListing(EnvironmentBase):
    """What a running storage audit has found in one bucket or collection. Scratch: each audit begins by emptying it."""

    __tablename__ = "storage_listings"

    store: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(1024), primary_key=True)
    """An object's key, or a version."""
    document: Mapped[str] = mapped_column(String(36), primary_key=True, default="", server_default="")
    """The document that points say they belong to."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    points: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    visible: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """How many of the points readers find."""
    modified_at: Mapped[datetime | None]
    is_orphan: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
