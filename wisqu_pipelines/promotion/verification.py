"""Reading back what was published, independently of what was done to publish it.

Nothing that staging knows is trusted: what counts is the target's row, the object that this row names, the points that
a reader of the target finds, and the hashes that were approved.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, func, select

from wisqu_pipelines.catalog.points import DOCUMENT_ID, ENVIRONMENT, VERSION, point_id, point_ids
from wisqu_pipelines.database.bulk import among
from wisqu_pipelines.ports.progress import Progress
from wisqu_pipelines.ports.vectors import Point
from wisqu_pipelines.promotion import differing
from wisqu_pipelines.promotion.batches import by_weight, in_turn
from wisqu_pipelines.promotion.content import have_hash, same_point, standing
from wisqu_pipelines.promotion.models import MOVING, Step
from wisqu_pipelines.promotion.plan import PlannedItem, VectorsAt
from wisqu_pipelines.promotion.staging import POINTS_AT_ONCE, Staging
from wisqu_pipelines.promotion.types import TYPES, PromotableType
from wisqu_pipelines.promotion.work import Work
from wisqu_pipelines.side_by_side import side_by_side

SAMPLE = 100
"""Items of each type that the policy `verify = "sample"` reads, or all if they are fewer: enough to find, in 99 of 100
cases, a fault in 5 % of the items (1 - 0.95^100 = 0.994)."""
CANARIES = 20
"""Searches that must find the promoted twin."""
NEAREST = 10
"""Hits of a search among which the twin may be, if they are all as near as the first."""
SCORE_TOLERANCE = 1e-5
"""How far two scores of the same vector may be apart."""
FINDINGS_KEPT = 50
FINDINGS_NAMED = 5
"""Findings that a sentence about all of them repeats."""
PAGES_AT_ONCE = 2
"""Pages that are compared at the same time."""
SEARCHES_AT_ONCE = 8

Compared: TypeAlias = tuple[str, str | None]
"""What was compared (a check's name), and what is wrong with it, if anything is."""


@dataclass
class Check:
    """One thing that was compared."""

    checked: int = 0
    failed: int = 0


@dataclass
class VerificationReport:
    """What reading back came to."""

    level: str
    checks: dict[str, Check] = field(
        default_factory=lambda: {name: Check() for name in ("rows", "files", "vectors", "counts", "retrieval")}
    )
    findings: list[str] = field(default_factory=list)
    """The first of what is wrong, a sentence each."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(check.failed for check in self.checks.values())

    @property
    def outcome(self) -> str:
        """In one word."""
        return "passed" if self.passed else "failed"

    @property
    def sentence(self) -> str:
        """The first of what is wrong, and how much more there is, as the end of a sentence."""
        named = self.findings[:FINDINGS_NAMED]
        more = sum(check.failed for check in self.checks.values()) - len(named)
        return "; ".join([*named, f"and {more} more"] if more else named)

    def add(self, check: str, problem: str | None) -> None:
        """Count something that was compared, and what is wrong with it."""
        self.checks[check].checked += 1
        if problem is not None:
            self.checks[check].failed += 1
            if len(self.findings) < FINDINGS_KEPT:
                self.findings.append(problem)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        checks = {name: asdict(check) for name, check in self.checks.items()}
        return {"level": self.level, "outcome": self.outcome, "checks": checks, "findings": self.findings}


class Verification:
    """Reads a published promotion back."""

    def __init__(self, work: Work, staging: Staging) -> None:
        """Read back the promotion of `work`; `staging` knows the names under which its things should be."""
        self._work = work
        self._source = work.route.source
        self._target = work.route.target
        self._staging = staging
        self._level = work.route.path.verify
        self._report = VerificationReport(self._level)

    def run(self, progress: Progress) -> VerificationReport:
        """Compare rows, files, vectors, counts, and what a search finds, as far as the path's policy says; and once
        something is wrong, all rows. Which rows are others than were planned is written down.
        """
        differing.begin(self._work)
        amounts = self._work.ledger.items.amounts(self._work.id, not_passed=(Step.SKIPPED,))
        totals = {name: amount["items"] for name, amount in amounts.items()}
        if self._level == "sample":
            totals = {name: min(SAMPLE, count) for name, count in totals.items()}
        done = 0
        read: set[tuple[str, UUID]] = set()
        canaries: list[tuple[PlannedItem, VectorsAt]] = []
        lanes = [self._pages(name, totals[name]) for name in amounts]
        # Pages of each type in turn, so that files and vectors are read at the same time.
        with closing(side_by_side(self._compared, in_turn(lanes), PAGES_AT_ONCE)) as pages:
            for page, compared in pages:
                for check, problem in compared:
                    self._report.add(check, problem)
                done += len(page)
                if self._level != "full":
                    read |= {item.key for item in page}
                if len(canaries) < CANARIES:
                    canaries += [
                        (item, item.vectors) for item in page[:: max(1, len(page) // CANARIES)] if item.vectors
                    ]
                progress("verify", done, sum(totals.values()))
        for problem in side_by_side(self._search, canaries[:CANARIES], SEARCHES_AT_ONCE):
            self._report.add("retrieval", problem)
        self._count(amounts)
        if not self._report.passed and self._level != "full":
            self._read_other_rows(read)
        return self._report

    def _read_other_rows(self, read: Collection[tuple[str, UUID]]) -> None:
        """The rows that were not in the sample: what a rollback may give back is what was looked at."""
        for page in self._work.ledger.items.pages(self._work.id, effects=MOVING, not_passed=(Step.SKIPPED,)):
            if left := [item for item in page if item.key not in read]:
                kind = TYPES[left[0].item_type]
                rows = self._rows(kind, left)
                for item in left:
                    self._report.add("rows", self._row_problem(kind, item, rows.get(item.target_id)))

    def _pages(self, kind: str, wanted: int) -> Iterator[list[PlannedItem]]:
        if self._level == "off":
            return
        size = None if self._level == "full" else wanted
        pages = self._work.ledger.items.pages(
            self._work.id, kinds=[kind], effects=MOVING, not_passed=(Step.SKIPPED,), size=size
        )
        if self._level == "full":
            yield from pages
            return
        # The ids are random, so that the first of them in order are a fair sample; another promotion has others.
        yield list(islice((item for page in pages for item in page), wanted))

    def _compared(self, page: Sequence[PlannedItem]) -> tuple[Sequence[PlannedItem], list[Compared]]:
        """A page of one type, and what was compared of it."""
        return page, list(self._comparisons(TYPES[page[0].item_type], page))

    def _comparisons(self, kind: PromotableType, page: Sequence[PlannedItem]) -> Iterator[Compared]:
        rows = self._rows(kind, page)
        for item in page:
            yield "rows", self._row_problem(kind, item, rows.get(item.target_id))
        filed = [(item, rows[item.target_id]) for item in page if item.file and item.target_id in rows]
        for problem in self._file_problems(filed):
            yield "files", problem
        groups: dict[str, list[tuple[PlannedItem, Row[Any]]]] = {}
        for item in page:
            if item.vectors and item.target_id in rows:
                row = rows[item.target_id]
                groups.setdefault(row.collection, []).append((item, row))
        for base, members in groups.items():
            for batch in by_weight(members, POINTS_AT_ONCE, lambda pair: int(pair[1].point_count)):
                for problem in self._points_problems(base, batch):
                    yield "vectors", problem

    def _rows(self, kind: PromotableType, page: Sequence[PlannedItem]) -> Mapping[UUID, Row[Any]]:
        table = kind.table
        with self._target.database.snapshot() as session:
            found = session.execute(
                select(table, standing(kind, table).label("standing")).where(
                    among(table.c.id, [item.target_id for item in page]), ~table.c.is_deleted
                )
            )
            rows = {row.id: row for row in found}
        stood = {id_: row.standing for id_, row in rows.items()}
        differing.write_down(self._work, self._staging, kind, page, stood)
        return rows

    def _row_problem(self, kind: PromotableType, item: PlannedItem, row: Row[Any] | None) -> str | None:
        there = self._target.name
        if row is None:
            return self._said(item, f"has no row in {there}")
        if row.standing["row"] != item.source_hashes.row:
            return self._said(item, f"has another row in {there} than was planned")
        own = {"environment": there, "source_id": item.source_id, "source_environment": self._source.name}
        for column, wanted in own.items():
            if getattr(row, column) != wanted:
                return self._said(item, f"has the {column} {getattr(row, column)} in {there}")
        if kind.has_file and row.object_name != self._staging.object_name(item):
            return self._said(item, f"names another object in {there} than was staged")
        if kind.has_vectors and row.vector_version != item.version(self._work.id):
            return self._said(item, f"names other vectors in {there} than were staged")
        return None

    def _file_problems(self, filed: Sequence[tuple[PlannedItem, Row[Any]]]) -> Iterator[str | None]:
        places = [(self._target.settings.get_bucket_name(row.bucket), row.object_name) for _, row in filed]
        for (item, _), arrived in zip(filed, self._target.objects.sha256_many(places), strict=True):
            if arrived is None:
                yield self._said(item, f"has no file in {self._target.name}")
            elif arrived != item.source_hashes.file:
                yield self._said(item, f"has a file in {self._target.name} whose bytes have SHA-256 {arrived}")
            else:
                yield None

    def _points_problems(self, base: str, batch: Sequence[tuple[PlannedItem, Row[Any]]]) -> Iterator[str | None]:
        ids = {item.source_id: point_ids(row.vector_version, row.point_count) for item, row in batch}
        collection = self._target.settings.get_collection_name(base)
        found = self._target.vectors.retrieve(collection, [each for group in ids.values() for each in group])
        for item, row in batch:
            points = [found[each] for each in ids[item.source_id] if each in found]
            yield self._points_problem(item, row, points)

    def _points_problem(self, item: PlannedItem, row: Row[Any], points: Sequence[Point]) -> str | None:
        there = self._target.name
        if item.vectors is None or len(points) != item.vectors.count:
            return self._said(item, f"has {len(points)} of its {item.points} vectors in {there}")
        own = {ENVIRONMENT: there, DOCUMENT_ID: str(row.id), VERSION: str(row.vector_version)}
        for point in points:
            for name, wanted in own.items():
                if point.payload.get(name) != wanted:
                    return self._said(item, f"has a vector in {there} whose {name} is {point.payload.get(name)}")
        if have_hash(points, item.source_hashes.vectors):
            return None
        # An index that normalises may have turned a last bit; what counts then is the tolerance.
        here = self._source_points(item.vectors)
        pairs = zip(point_ids(item.vectors.version, item.vectors.count), points, strict=True)
        if all(same_point(here.get(each), point) for each, point in pairs):
            return None
        return self._said(item, f"has other vectors in {there} than were planned")

    def _source_points(self, at: VectorsAt) -> Mapping[UUID, Point]:
        return self._source.vectors.retrieve(
            self._source.settings.get_collection_name(at.collection), point_ids(at.version, at.count)
        )

    def _count(self, amounts: Mapping[str, Mapping[str, int]]) -> None:
        """The receipt, the plan and the target's tables agree on how many rows there are."""
        for name, amount in amounts.items():
            table = TYPES[name].table
            found = 0
            for names in self._work.ledger.items.names(
                self._work.id, kinds=[name], effects=MOVING, not_passed=(Step.SKIPPED,)
            ):
                there = select(func.count()).where(among(table.c.id, [each.target_id for each in names]))
                with self._target.database.snapshot() as session:
                    found += session.scalars(there).one()
            wanted = amount["items"]
            problem = f"{self._target.name} has {found} of {wanted} {name}" if found != wanted else None
            self._report.add("counts", problem)

    def _search(self, canary: tuple[PlannedItem, VectorsAt]) -> str | None:
        """Why searching the target as a reader does, with a vector of the source, does not find the promoted twin
        first; None if it does.
        """
        item, at = canary
        asked = self._source_points(VectorsAt(at.collection, at.version, 1)).get(point_id(at.version, 0))
        if asked is None:
            return self._said(item, f"has lost its first vector in {self._source.name}")
        hits = self._target.vectors.search(
            self._target.settings.get_collection_name(at.collection),
            asked.vector,
            {ENVIRONMENT: self._target.name},
            NEAREST,
        )
        best = [hit for hit in hits if abs(hit.score - hits[0].score) <= SCORE_TOLERANCE]
        twin = str(item.target_id)
        # Several chunks may have the same text, and so the same vector: then any order among them is right.
        if any(hit.payload.get(DOCUMENT_ID) == twin for hit in best) or len(best) == NEAREST:
            return None
        return self._said(item, f"is not what a search for its own text finds in {self._target.name}")

    @staticmethod
    def _said(item: PlannedItem, problem: str) -> str:
        return f"{item.item_type} '{item.label}' ({item.source_id}) {problem}"
