"""What can be promoted: a registry in which a new type is one entry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import Table

from wisqu_pipelines.catalog.models import EnvironmentRow, RagDocument, StoredFile, User, UserStorageQuota, table_of
from wisqu_pipelines.errors import UnknownType


@dataclass(frozen=True, eq=False)  # one entry is only equal to itself
class PromotableType:
    """How the rows of one table are promoted."""

    model: type[EnvironmentRow]
    label: str
    """The column that people know an item by."""
    content: tuple[str, ...]
    """The columns that are the item's content: hashed, compared, and copied as they are. Every other column belongs
    to the environment the row is in."""
    has_file: bool = False
    """Whether the row has `bucket`, `object_name`, `file_size_bytes` and `checksum_sha256`."""
    has_vectors: bool = False
    """Whether the row has `collection`, `vector_version` and `point_count`."""
    belongs_to: Mapping[str, str] = field(default_factory=dict)
    """Foreign keys to rows that are promoted with it: column → type. In the target the column names the twin."""
    needs: Mapping[str, type[EnvironmentRow]] = field(default_factory=dict)
    """Foreign keys to rows that the target must have itself, under the same id: column → model."""

    unique: tuple[str, ...] = ()
    """Columns whose values the target may hold once; a row of the target's own with that value blocks the item."""

    @property
    def name(self) -> str:
        """The type's name: its table."""
        return str(self.model.__tablename__)

    @property
    def table(self) -> Table:
        """The table itself, for statements that leave the ORM aside."""
        return table_of(self.model)


TYPES: Mapping[str, PromotableType] = MappingProxyType(
    {
        entry.name: entry
        for entry in (  # a type stands behind the types that it belongs to
            PromotableType(
                StoredFile,
                label="filename",
                content=(
                    "filename",
                    "bucket",
                    "content_type",
                    "file_size_bytes",
                    "checksum_sha256",
                    "purpose",
                ),
                has_file=True,
            ),
            PromotableType(
                RagDocument,
                label="title",
                content=("title", "language", "collection", "point_count", "embedding"),
                has_vectors=True,
                belongs_to={"file_id": StoredFile.__tablename__},
            ),
            PromotableType(
                UserStorageQuota,
                label="user_id",
                content=("user_id", "max_bytes", "max_files"),
                needs={"user_id": User},
                unique=("user_id",),
            ),
        )
    }
)


def promotable(wanted: type[EnvironmentRow] | str) -> PromotableType:
    """The registry's entry for a model or a type's name.

    Raises:
        UnknownType: it has none.
    """
    name = wanted if isinstance(wanted, str) else getattr(wanted, "__tablename__", wanted.__name__)
    try:
        return TYPES[name]
    except KeyError:
        raise UnknownType(name=name, known=sorted(TYPES)) from None
