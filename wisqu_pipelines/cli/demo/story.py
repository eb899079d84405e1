"""What the demo does, step by step, and what it proves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import select

from wisqu_pipelines.assets.tags import PROMOTION
from wisqu_pipelines.audit.verification import verify_control, verify_environment
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog.mixins import PromotionStatus
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.catalog.repository import EnvironmentAwareRepository
from wisqu_pipelines.cli.demo import corpus
from wisqu_pipelines.cli.demo.dagster_runs import DagsterRuns
from wisqu_pipelines.cli.demo.proofs import fingerprint, parity
from wisqu_pipelines.cli.output import ERR, OUT, cell, progress_bar, table
from wisqu_pipelines.figures import size
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.ingest.report import IngestReport, Outcome
from wisqu_pipelines.promotion.results import PromotionReport

SOURCE, TARGET = "dev", "stage"
"""The path that the demo takes; both ends are the embedded stack's."""
QUERY = "permission is granted free of charge to use, copy, modify, merge, publish and distribute the software"
"""Words that many licences have."""
TEST_TOOLS = ("pytest", "hypothesis")
"""Packages whose papers the demo marks as test data."""
RUN_SECONDS = 120.0


@dataclass
class Figures:
    """What the demo measured and proved."""

    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    proofs: dict[str, bool] = field(default_factory=dict)
    promotions: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether there are proofs, and every one held."""
        return bool(self.proofs) and all(self.proofs.values())


class Story:
    """One run of the demo."""

    def __init__(self, services: Services, runs: DagsterRuns, folder: Path, run: str) -> None:
        """Tell it on `services` and their Dagster, with the documents in `folder`; `run` names this run."""
        self._services = services
        self._runs = runs
        self._folder = folder
        self._run = run
        self._source = services.environments[SOURCE]
        self._target = services.environments[TARGET]
        self.figures = Figures()
        with services.control.begin() as session:
            self._developer = people.find(session, demo_people.DEVELOPER).id

    def tell(self) -> Figures:
        """Ingest, promote, prove; then promote again, take that back, and prove that too.

        Raises:
            WisquError: a step was refused or failed.
        """
        with self._timed(f"1. ingest real documents into {SOURCE}"):
            report = self._ingest()
        with self._timed("2. mark test data, approve the rest"):
            marked, approved = self._mark_and_approve(report)
            self.figures.counts |= {"marked as test data": marked, "newly approved": approved}
        promotion = self._promote("3", "promoted")
        self._prove_parity(promotion)
        with self._timed(f"5. search in {TARGET}"):
            self._prove_search()
        before = fingerprint(self._target, self._services.settings)
        self._roll_back_a_mistake(before)
        self._prove_audit()
        return self.figures

    def _ingest(self) -> IngestReport:
        corpus.gather(self._folder / "packages")
        corpus.write_notes(self._folder / "notes", self._run)
        with progress_bar() as progress:
            report = self._services.ingest(SOURCE).ingest(
                [self._folder / "packages", self._folder / "notes"], ingested_by=self._developer, progress=progress
            )
        self.figures.counts |= {f"files {outcome}": report.count(outcome) for outcome in Outcome}
        self.figures.counts |= {"bytes in dev": report.bytes, "points in dev": report.points}
        OUT.print(
            f"   {len(report.files)} files, {size(report.bytes)}, {report.points} chunks with vectors: "
            + ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
        )
        for refused in report.refused[:3]:
            OUT.print(f"   [dim]refused {cell(refused.filename)}: {cell(refused.reason)}[/]")
        return report

    def _mark_and_approve(self, report: IngestReport) -> tuple[int, int]:
        """Mark the test tools' papers, and approve every other draft; returns how many of each."""
        ids = {file.document_id for file in report.files if file.document_id}
        marked = approved = 0
        with self._source.database.begin() as session:
            repository = EnvironmentAwareRepository(session, RagDocument)
            rows = session.scalars(select(RagDocument).where(RagDocument.id.in_(ids)).order_by(RagDocument.id)).all()
            names = {file.document_id: file.filename for file in report.files}
            for row in rows:
                if names[row.id].startswith(TEST_TOOLS):
                    if not row.is_test_data:
                        repository.mark_as_test_data(row.id, "a test tool's own papers", developer_id=self._developer)
                    marked += 1
                elif row.promotion_status == PromotionStatus.DRAFT and not row.is_test_data:
                    repository.approve_for_promotion(row.id, developer_id=self._developer, reason="demo")
                    approved += 1
        OUT.print(f"   {marked} are marked as test data and stay in {SOURCE}; {approved} are newly approved")
        return marked, approved

    def _promote(self, number: str, name: str) -> PromotionReport:
        """Preview by the Dagster job, approve as a person, and let the sensor execute."""
        with self._timed(f"{number}. preview {SOURCE} → {TARGET} (Dagster job)"):
            run_id = self._runs.launch(
                "promotion_preview",
                {
                    "ops": {
                        "preview_promotion": {
                            "config": {
                                "promotion_type": RagDocument.__tablename__,
                                "source_environment": SOURCE,
                                "target_environment": TARGET,
                                "reason": f"demo {self._run}: {name}",
                            }
                        }
                    }
                },
            )
            promotion_id = UUID(self._runs.succeed(run_id, RUN_SECONDS)[PROMOTION])
            preview = self._services.promotions.preview(promotion_id)
        by_effect = preview.totals["by_effect"]
        OUT.print(
            "   plan: "
            + ", ".join(f"{total['items']} {effect}" for effect, total in by_effect.items())
            + f"; {size(preview.total_size_bytes)} and {preview.total_points} points go"
        )
        with self._timed(f"{number}. approve as {demo_people.DEVELOPER}; the sensor runs it"):
            self._services.approvals.grant(promotion_id, demo_people.DEVELOPER, f"demo {self._run}")
            asked = monotonic()
            run_id = self._runs.wait_for_run_of("promotion_execute", {PROMOTION: str(promotion_id)}, RUN_SECONDS)
            self.figures.seconds[f"{name}: approval → run launched"] = monotonic() - asked
            self._runs.succeed(run_id, RUN_SECONDS)
        report = self._services.promotions.status(promotion_id)
        self.figures.promotions[name] = str(promotion_id)
        self.figures.seconds[f"{name}: execution alone"] = report.duration_seconds or 0.0
        self.figures.counts |= {f"{name}: items": report.success_count, f"{name}: errors": report.error_count}
        OUT.print(f"   {report.success_count} items arrived, {report.error_count} stayed behind")
        return report

    def _prove_parity(self, promotion: PromotionReport) -> None:
        with self._timed(f"4. compare every row, byte and vector of {SOURCE} and {TARGET}"):
            compared = parity(self._source, self._target)
        self.figures.counts |= {
            "documents compared": compared.documents,
            "bytes compared": compared.bytes,
            "points compared": compared.points,
        }
        for difference in compared.differences[:5]:
            OUT.print(f"   [red]{cell(difference)}[/]")
        self._prove(
            f"{compared.documents} documents, {size(compared.bytes)} and {compared.points} points are the same in both",
            "parity",
            compared.holds and promotion.success_count > 0 and promotion.error_count == 0,
        )

    def _prove_search(self) -> None:
        hits = self._services.search(TARGET).search(QUERY, limit=3)
        for hit in hits[:1]:
            OUT.print(f"   “{cell(' '.join(hit.text.split())[:110])}…” — {cell(hit.filename)} ({hit.score:.2f})")
        with self._target.database.snapshot() as session:
            repository = EnvironmentAwareRepository(session, RagDocument)
            promoted = all(repository.get_by_id(hit.document_id).is_promoted_item for hit in hits)
        self._prove(f"a search in {TARGET} is answered from promoted vectors", "search", bool(hits) and promoted)

    def _roll_back_a_mistake(self, before: str) -> None:
        with self._timed("6. ingest and approve a mistake"):
            folder = corpus.write_mistake(self._folder / "mistakes" / self._run, self._run)
            report = self._services.ingest(SOURCE).ingest([folder], ingested_by=self._developer)
            self._mark_and_approve(report)
        mistake = self._promote("6", "mistake")
        changed = fingerprint(self._target, self._services.settings) != before
        with self._timed("7. ask to take it back; the sensor runs it"):
            self._services.promotions.request_rollback(mistake.promotion_id, demo_people.DEVELOPER, "a mistake")
            tags = {PROMOTION: str(mistake.promotion_id)}
            self._runs.succeed(self._runs.wait_for_run_of("promotion_rollback", tags, RUN_SECONDS), RUN_SECONDS)
        after = fingerprint(self._target, self._services.settings)
        with self._source.database.begin() as session:
            repository = EnvironmentAwareRepository(session, RagDocument)
            for file in report.files:
                if file.document_id:
                    repository.mark_as_test_data(file.document_id, "the demo's mistake", developer_id=self._developer)
        self._prove(f"{TARGET} is to the byte what it was before the mistake", "rollback", changed and after == before)

    def _prove_audit(self) -> None:
        control = self._services.control
        reports = [verify_environment(control, each.database, each.name) for each in (self._source, self._target)]
        holds = all(report.holds for report in [*reports, verify_control(control)])
        self._prove("the audit chains are whole", "audit", holds)

    def _prove(self, sentence: str, name: str, holds: bool) -> None:
        self.figures.proofs[name] = holds
        OUT.print(f"   {'[green]proved:[/]' if holds else '[red]NOT TRUE:[/]'} {sentence}")

    @contextmanager
    def _timed(self, title: str) -> Iterator[None]:
        """Say what is being done, with a clock while it takes time."""
        OUT.print(f"[bold]{title}[/]")
        started = monotonic()
        columns = SpinnerColumn(), TextColumn("working"), TimeElapsedColumn()
        with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as spinner:
            spinner.add_task(title, total=None)
            yield
        self.figures.seconds[title] = monotonic() - started


def summary(figures: Figures) -> Any:
    """The table at the end."""
    rows: list[list[Any]] = [[name, f"{seconds:.1f} s"] for name, seconds in figures.seconds.items()]
    rows += [[name, f"{count:,}"] for name, count in figures.counts.items()]
    rows += [[f"proof: {name}", "holds" if holds else "DOES NOT HOLD"] for name, holds in figures.proofs.items()]
    return table("Summary", ("what", "#figure"), rows)
