"""The fault tests at length: `python -m tests.faults [TIMES] [SEED]`; prints seeds, counts and violations."""

import os
import sys
from pathlib import Path

import pytest

from tests.faults.budget import SEED_VARIABLE, VARIABLE

TIMES = "1000"
FIRST = "test_kill.py"
"""What `make faults` is there for comes first: it does not wait for hours of the rest."""
DAEMON = "tests/devstack/killed_daemon.py"
"""Too long for every run of the tests: Dagster takes half a minute to come back."""
SECONDS = 8 * 3600
"""One test may take so long."""


def main() -> int:
    """Kill a worker `TIMES` times, and try the rest as often as that asks for."""
    times, *seed = sys.argv[1:] or [TIMES]
    os.environ[VARIABLE] = times
    if seed:
        os.environ[SEED_VARIABLE] = seed[0]
    tests = sorted(Path("tests/faults").glob("test_*.py"), key=lambda each: (each.name != FIRST, each))
    return pytest.main([*map(str, tests), DAEMON, "-s", "-v", "--timeout", str(SECONDS)])


if __name__ == "__main__":
    sys.exit(main())
