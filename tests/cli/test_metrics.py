"""`wisqu metrics` and `wisqu report`."""

import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Wisqu
from tests.retention.conftest import OLD, Rows
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.metrics import registry


def test_frames_as_tables_and_as_json(wisqu: Wisqu, services: Services) -> None:
    Rows(services).document(OLD)
    everything = wisqu("metrics", "--json").json
    assert set(everything) == set(registry.METRICS)
    (files,) = [each for each in everything["storage"] if each["bytes"]]
    assert (files["environment"], files["type"], files["bytes"]) == ("dev", "stored_files", 36)
    shown = wisqu("metrics", "distribution", "--environment", "dev")
    assert "What is where (distribution)" in shown.out
    assert "rag_documents" in shown.out
    assert "prod" not in shown.out
    assert wisqu("metrics", "sweeps", "--json").json == []
    assert "Sweeps (sweeps): none" in wisqu("metrics", "sweeps").out
    assert set(wisqu("metrics", "--environment", "prod", "--json").json) < set(registry.METRICS)


def test_what_there_is_not_is_refused(wisqu: Wisqu, services: Services) -> None:
    del services  # they have set the world up
    refused = wisqu("metrics", "rows")
    assert refused.code == 2
    assert "There is no metric 'rows'; the known ones are access" in refused.err
    assert wisqu("metrics", "storage", "--environment", "nowhere").code == 2
    assert wisqu("metrics", "access", "--environment", "dev").code == 2
    assert wisqu("metrics", "--days", "0").code == 2


def test_the_report_goes_where_it_is_wanted(wisqu: Wisqu, services: Services, tmp_path: Path) -> None:
    Rows(services).document(OLD)
    page = wisqu("report", "--days", "3")
    assert page.code == 0, page.err
    assert page.out.startswith("<!doctype html>")
    assert "What happened in 3 days" in page.out
    written = tmp_path / "report.html"
    told = wisqu("report", "--output", written)
    assert told.code == 0, told.err
    assert "The report of 7 days is in" in told.out
    assert "What happened in 7 days" in written.read_text(encoding="utf-8")
    figures = wisqu("report", "--days", "3", "--json").json
    assert (figures["days"], set(figures["rows"])) == (3, set(registry.METRICS))
    told = wisqu("report", "--output", written, "--json").json
    assert told == {"done": "written", "file": str(written), "days": 7}
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")
    refused = wisqu("report", "--output", tmp_path / "nowhere" / "report.html")
    assert refused.code == 2
    assert "No such file or directory" in refused.err


def test_other_commands_do_not_wait_for_pandas() -> None:
    script = (
        "import sys, wisqu_pipelines.cli.commands, wisqu_pipelines.bootstrap, wisqu_pipelines.api.app, "
        "wisqu_pipelines.definitions\n"
        "print([each for each in ('pandas', 'pyarrow', 'matplotlib.figure') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
