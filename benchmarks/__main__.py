"""`make bench`: prints each ratio with its goal, and writes them to var/bench.json.

`python -m benchmarks [--rounds N] [NAME]…` measures some of them: promotions, files, vectors, rows, growth, detecting,
quality, scanning, retention, entering.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import detecting, entering, files, growth, promotions, quality, retention, rows, scanning, vectors
from benchmarks.ratios import ROUNDS, Ratio
from tests.fixtures.stack import declared_in
from wisqu_pipelines.bootstrap import set_up
from wisqu_pipelines.devstack.supervisor import running
from wisqu_pipelines.settings import Settings, load

MEASURES: dict[str, Callable[[Settings, int], Iterator[Ratio]]] = {
    "promotions": promotions.measure,
    "files": files.measure,
    "vectors": vectors.measure,
    "rows": rows.measure,
    "growth": growth.measure,
    "detecting": detecting.measure,
    "quality": quality.measure,
    "scanning": scanning.measure,
    "retention": retention.measure,
    "entering": entering.measure,
}


def main() -> int:
    """Measure; 0 if every goal is met."""
    arguments = _arguments()
    found: list[Ratio] = []
    with _settings() as settings:
        for name in arguments.measures or MEASURES:
            print(f"{name} …", file=sys.stderr)
            for each in MEASURES[name](settings, arguments.rounds):
                found.append(each)
                mark = "holds" if each["holds"] else "MISSED"
                print(f"{each['name']}: {each['ratio']:.2f} (goal {each['goal']:.2f}, {mark})", flush=True)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(each["holds"] for each in found) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("measures", nargs="*", choices=[*MEASURES, []], help="what to measure; all of it if left out")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often; the median counts")
    return parser.parse_args()


@contextmanager
def _settings() -> Iterator[Settings]:
    """The settings of an embedded stack of this run's own, set up."""
    with tempfile.TemporaryDirectory(prefix="wisqu-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with declared_in(Path(folder)) as declared, running(declared):
            settings = load()
            set_up(settings)
            yield settings


if __name__ == "__main__":
    sys.exit(main())
