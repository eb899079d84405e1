"""Reading an environment's rows for detection: their texts column by column, and for the few that look like something,
the account they belong to and some words of their own.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import or_ as or_else
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, Text, case, cast, exists, false, func, or_, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import (
    AccountType,
    Conversation,
    EnvironmentRow,
    Message,
    RagDocument,
    StoredFile,
    User,
    table_of,
)
from wisqu_pipelines.catalog.points import TEXT, point_id
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.engine import READ_FROM_END, READ_FROM_START, TextJudge
from wisqu_pipelines.detection.evidence import Evidence, FieldKind, Verdict
from wisqu_pipelines.detection.fields import MODELS, label_of, text_fields, typed
from wisqu_pipelines.detection.models import TestDataReview
from wisqu_pipelines.ports.vectors import VectorIndex

VOUCHED = {PromotionStatus.APPROVED.value, PromotionStatus.PROMOTING.value, PromotionStatus.PROMOTED.value}
CHUNK_TEXT = "chunk text"
"""The field that evidence from a document's chunk names."""
SAMPLED_OF = 2**16


class ReadRow(NamedTuple):
    """A row that looks like something, as far as detection needs it."""

    id: UUID
    created_at: datetime
    is_test_data: bool
    """Marked by an earlier scan."""
    is_vouched_for: bool
    """Whether a person approved it, here or where it came from: a scan asks people before it contradicts them."""
    texts: tuple[str | None, ...]
    """In the order of the table's text fields."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were read together, and what is thought of those that look like something."""

    model: type[EnvironmentRow]
    count: int
    """Rows that were read."""
    last: tuple[datetime, UUID] | None = None
    """When the last of them was created, and its id; None if there are none."""
    looked_at: Sequence[ReadRow] = ()
    """Those of them that are marked, or that something speaks for or against."""
    asked_about: Collection[UUID] = ()
    """Those of them that wait for a person's word."""
    verdicts: Mapping[UUID, Verdict] = field(default_factory=dict)

    def label(self, item_id: UUID) -> str:
        """What people know a row by."""
        row = next(each for each in self.looked_at if each.id == item_id)
        return label_of(dict(zip(text_fields(self.model), row.texts, strict=True))) or str(item_id)


@dataclass(frozen=True, slots=True)
class Chunks:
    """Where the chunks of documents are, and how many are read."""

    vectors: VectorIndex
    collection_name: Callable[[str], str]
    """The environment's own name of a collection."""
    share: float
    """Of how many of the documents that look real a chunk is read as well."""


class Reader:
    """Reads rows of one environment and judges them."""

    def __init__(self, judge: TextJudge, chunks: Chunks | None = None) -> None:
        """Judge with `judge`, and read chunks of documents if it is said where they are."""
        self._judge = judge
        self._chunks = chunks

    def read(self, session: Session, model: type[EnvironmentRow], rows: Select[Any]) -> Batch:
        """Read and judge rows.

        Args:
            session: A transaction in the environment.
            model: Whose rows.
            rows: Which, in which order; a query of the table without columns.
        """
        table = table_of(model)
        fields = text_fields(model)
        found = session.execute(
            rows.add_columns(
                cast(table.c.id, Text),
                cast(table.c.created_at, Text),
                table.c.is_test_data,
                or_(table.c.promotion_status.in_(VOUCHED), table.c.source_id.is_not(None)),
                _is_test_account(model),
                _is_asked_about(model),
                *(_as_read(table.c[name]) for name in fields),
            )
        ).all()
        if not found:
            return Batch(model, 0)
        ids, _, are_marked, _, are_accounts, are_asked_about, *texts = zip(*found, strict=True)
        # By place, and a row by itself only where there is something about it: most are read and forgotten.
        places: dict[int, dict[str, Sequence[Evidence]]] = {
            place: {} for place, looks in enumerate(map(or_else, are_marked, are_accounts)) if looks or not fields
        }
        for column, (name, kind) in zip(texts, fields.items(), strict=True):
            for place, verdict in enumerate(self._judge.judge_many(list(map(typed, column)), kind, name)):
                if verdict is not None:
                    places.setdefault(place, {})[name] = verdict.evidence
        words: dict[UUID, str] = {}
        for place, (text, evidence) in self._chunks_of(session, model, ids, places).items():
            words[UUID(ids[place])] = text
            places.setdefault(place, {})[CHUNK_TEXT] = evidence
        looked_at = [_row(found[place]) for place in sorted(places)]
        suspects = {UUID(ids[place]): found_in for place, found_in in places.items()}
        return Batch(
            model,
            len(found),
            (datetime.fromisoformat(found[-1][1]), UUID(ids[-1])),
            looked_at,
            {UUID(id_) for id_ in compress(ids, are_asked_about)},
            self._verdicts(session, model, looked_at, words, suspects),
        )

    def _verdicts(
        self,
        session: Session,
        model: type[EnvironmentRow],
        rows: Sequence[ReadRow],
        chunks: Mapping[UUID, str],
        found_in: Mapping[UUID, Mapping[str, Sequence[Evidence]]],
    ) -> dict[UUID, Verdict]:
        """What is thought of rows, together with the accounts that they belong to; none for what nothing speaks for."""
        fields = text_fields(model)
        accounts = _accounts(session, model, [row.id for row in rows])
        verdicts: dict[UUID, Verdict] = {}
        for row in rows:
            texts = dict(zip(fields, row.texts, strict=True))
            if row.id in chunks:
                texts[CHUNK_TEXT] = chunks[row.id]
            verdict = self._judge.judge_row(
                facts_of(model, texts, row_created_at=row.created_at, **accounts.get(row.id, {})), found_in[row.id]
            )
            if verdict.evidence:
                verdicts[row.id] = verdict
        return verdicts

    def _chunks_of(
        self, session: Session, model: type[EnvironmentRow], ids: Sequence[str], suspects: Collection[int]
    ) -> dict[int, tuple[str, Sequence[Evidence]]]:
        """The middle chunks of documents whose words are evidence, and which, by the documents' places: of all that
        look like something by their names, and of a share of the others, always the same ones.
        """
        if model is not RagDocument or self._chunks is None:
            return {}
        places = {UUID(id_): place for place, id_ in enumerate(ids)}
        chosen = [
            id_
            for id_, place in places.items()
            if place in suspects or id_.int % SAMPLED_OF < self._chunks.share * SAMPLED_OF
        ]
        table = table_of(RagDocument)
        wanted: dict[str, dict[UUID, UUID]] = {}
        for id_, collection, version, count in session.execute(
            select(table.c.id, table.c.collection, table.c.vector_version, table.c.point_count).where(
                among(table.c.id, chosen), table.c.point_count > 0
            )
        ):
            wanted.setdefault(collection, {})[point_id(version, count // 2)] = id_
        found: dict[UUID, str] = {}
        for collection, points in wanted.items():
            for point in self._chunks.vectors.retrieve(
                self._chunks.collection_name(collection), list(points), vectors=False
            ).values():
                if isinstance(words := point.payload.get(TEXT), str):
                    found[points[point.id]] = words
        verdicts = self._judge.judge_many(list(found.values()), FieldKind.PROSE, CHUNK_TEXT)
        return {
            places[id_]: (words, verdict.evidence)
            for (id_, words), verdict in zip(found.items(), verdicts, strict=True)
            if verdict is not None
        }


def _as_read(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text column, and of long texts no more than the judge reads: many are in memory together."""
    if not isinstance(column.type, Text):
        return column
    is_long = func.length(column) > READ_FROM_START + READ_FROM_END
    return case((is_long, func.left(column, READ_FROM_START) + " " + func.right(column, READ_FROM_END)), else_=column)


def _row(found: Row[Any]) -> ReadRow:
    id_, created_at, is_test_data, is_vouched_for, _, _, *texts = tuple(found)
    return ReadRow(UUID(id_), datetime.fromisoformat(created_at), is_test_data, is_vouched_for, tuple(texts))


def facts_of(model: type[EnvironmentRow], texts: Mapping[str, str | None], **about: Any) -> RowFacts:
    """A row as the judge takes it.

    Args:
        model: Its type.
        texts: By column, or `CHUNK_TEXT`.
        about: What else is known, as `RowFacts` names it.
    """
    kinds = {**text_fields(model), CHUNK_TEXT: FieldKind.PROSE}
    return RowFacts(item_type=str(model.__tablename__), texts=texts, kinds=kinds, **about)


def sample(session: Session, rows: int) -> Iterator[list[str]]:
    """The texts of some rows of each table that nobody marked, a list for each row: random ones, as ids are."""
    for model in MODELS.values():
        table = table_of(model)
        if fields := text_fields(model):
            unmarked = select(*(table.c[name] for name in fields)).where(~table.c.is_test_data, ~table.c.is_deleted)
            for row in session.execute(unmarked.order_by(table.c.id).limit(rows)):
                yield [text for text in row if text]


def _is_test_account(model: type[EnvironmentRow]) -> ColumnElement[bool]:
    if model is not User:
        return false()
    users = table_of(User)
    return or_(users.c.is_test_account, users.c.account_type == AccountType.DEVELOPER_TEST.value)


def _is_asked_about(model: type[EnvironmentRow]) -> ColumnElement[bool]:
    return exists().where(
        TestDataReview.item_type == model.__tablename__, TestDataReview.item_id == table_of(model).c.id
    )


def _accounts(session: Session, model: type[EnvironmentRow], ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """What is known of the accounts that rows belong to, as `RowFacts` takes it; nothing for a row that has none."""
    if not ids:
        return {}
    table = table_of(model)
    users = table_of(User) if model is User else table_of(User).alias("account")
    rows = session.execute(
        select(
            table.c.id,
            users.c.email,
            users.c.created_at,
            users.c.is_test_account,
            users.c.account_type,
            users.c.is_test_data,
        )
        .select_from(_with_account(model, users))
        .where(among(table.c.id, ids))
    )
    own = model is User
    return {
        id_: {
            "account_created_at": None if own else created_at,
            "account_email": None if own else email,
            "is_test_account": is_test_account or account_type == AccountType.DEVELOPER_TEST.value,
            "owner_is_test_data": False if own else is_test_data,
        }
        for id_, email, created_at, is_test_account, account_type, is_test_data in rows
    }


def _with_account(model: type[EnvironmentRow], users: FromClause) -> FromClause:
    """A table joined with the accounts that its rows belong to."""
    table, files, conversations = table_of(model), table_of(StoredFile), table_of(Conversation)
    if model is User:
        return table
    if model is StoredFile:
        return table.join(users, users.c.id == table.c.owner_id)
    if model is RagDocument:
        return table.join(files, files.c.id == table.c.file_id).join(users, users.c.id == files.c.owner_id)
    if model is Message:
        owned = table.join(conversations, conversations.c.id == table.c.conversation_id)
        return owned.join(users, users.c.id == conversations.c.user_id)
    return table.join(users, users.c.id == table.c.user_id)
