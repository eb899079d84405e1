"""The detector as Wisqu's code calls it, with nothing to set up: one for the whole process."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

from sqlalchemy import inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import AccountType, EnvironmentRow
from wisqu_pipelines.database.session import ENVIRONMENT
from wisqu_pipelines.detection.context import RowFacts
from wisqu_pipelines.detection.engine import Taught, TextJudge
from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.fields import FIELDS, text_fields
from wisqu_pipelines.detection.patterns import compile_pattern
from wisqu_pipelines.detection.reading import Reader
from wisqu_pipelines.detection.scanning import ROWS_AT_ONCE, Scan
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ports.clock import SystemClock

KINDS: Mapping[str, FieldKind] = {name: kind for fields in FIELDS.values() for name, kind in fields.items()}
"""What a mapping's keys are taken for, where they are called like a column."""


class TestDataDetector:
    """Says whether a text or a row is test data, and why, by the default thresholds and without what was learnt."""

    __test__ = False  # pytest takes it for one of its own

    _judge: ClassVar[TextJudge | None] = None
    _patterns: ClassVar[dict[str, str]] = {}

    @classmethod
    def is_test_data(cls, text: str | None) -> tuple[bool, str]:
        """Whether a text is test data, and why; the reason is empty if nothing speaks for it."""
        if text is not None and not isinstance(text, str):
            raise BadInput(what=f"the text {text!r}", reason="it is no text")
        verdict = cls._current().judge(text)
        return verdict.is_test_data, verdict.reason

    @classmethod
    def check_model(cls, row: EnvironmentRow | Mapping[str, Any]) -> tuple[bool, str]:
        """Whether a row is test data, and why.

        Args:
            row: A row of an environment, or its values by column; of a mapping, every text is read.

        Raises:
            UnknownType: it is a row of a type that detection does not read.
        """
        verdict = cls._current().judge_row(_facts(row))
        return verdict.is_test_data, verdict.reason

    @classmethod
    def scan_and_mark_test_data(
        cls, session: Session, model: type[EnvironmentRow], environment: str, batch_size: int = ROWS_AT_ONCE
    ) -> dict[str, Any]:
        """Read a type's rows that were not read before, and mark what is test data, within the caller's transaction.

        Titles, names and messages are read, and no chunks of documents: `wisqu promote scan-test-data` reads those too.

        Args:
            session: A session of the environment's `Database`; the caller ends it.
            model: Whose rows.
            environment: The environment's name.
            batch_size: Rows that are read and marked together.

        Returns:
            `scanned`, `marked_as_test`, `unmarked`, `to_review` and more, as `ScanReport.as_dict` has them.

        Raises:
            BadInput: the session is another environment's, or the batch size is not positive.
            UnknownType: detection reads no such rows.
        """
        text_fields(model)
        own = session.info[ENVIRONMENT].name if ENVIRONMENT in session.info else None
        if own != environment:
            raise BadInput(what=f"the environment '{environment}'", reason=f"the session is one of {own}")
        if batch_size < 1:
            raise BadInput(what=f"the batch size {batch_size}", reason="it must be at least 1")
        judge = cls._current()
        scan = Scan(
            environment,
            lambda: nullcontext(session),
            Reader(judge),
            judge.version,
            SystemClock(),
            batch_size=batch_size,
        )
        return scan.run([model]).as_dict()

    @classmethod
    def add_custom_pattern(cls, pattern: str, reason: str = "a pattern of this organisation") -> None:
        """Let a pattern (RE2, searched in normalised text) speak for test data, in this process. For all processes, and
        after a trial, `wisqu detect patterns --add` does it.

        Raises:
            BadInput: it does not compile, or matches the empty string.
        """
        compile_pattern(pattern)
        cls._patterns = {**cls._patterns, pattern: reason}
        cls._judge = None

    @classmethod
    def _current(cls) -> TextJudge:
        judge = cls._judge
        if judge is None:
            judge = cls._judge = TextJudge(taught=Taught(patterns=cls._patterns))
        return judge


def _facts(row: EnvironmentRow | Mapping[str, Any]) -> RowFacts:
    if isinstance(row, Mapping):
        texts = {str(name): value for name, value in row.items() if isinstance(value, str)}
        return RowFacts(
            item_type=str(row.get("item_type", "row")),
            texts=texts,
            kinds={name: KINDS[name] for name in texts if name in KINDS},
            is_test_account=bool(row.get("is_test_account"))
            or row.get("account_type") == AccountType.DEVELOPER_TEST.value,
        )
    try:
        model = inspect(row).mapper.class_
    except NoInspectionAvailable:
        raise BadInput(what=f"the row {row!r}", reason="it is neither a row of an environment nor a mapping") from None
    fields = text_fields(model)
    return RowFacts(
        item_type=str(model.__tablename__),
        texts={name: getattr(row, name) for name in fields},
        kinds=fields,
        row_created_at=row.created_at,
        is_test_account=bool(getattr(row, "is_test_account", False))
        or getattr(row, "account_type", None) == AccountType.DEVELOPER_TEST.value,
    )
