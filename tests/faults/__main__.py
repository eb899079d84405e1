"""The fault tests at length: `python -m tests.faults [TIMES] [SEED]`; prints seeds, counts and violations."""

import os
import sys

import pytest

from tests.faults.budget import SEED_VARIABLE, VARIABLE

TIMES = "1000"
DAGSTER = "tests/devstack/test_dagster.py"
SECONDS = 8 * 3600
"""One test may take so long."""


def main() -> int:
    """Kill a worker `TIMES` times, and try the rest as often as that asks for."""
    times, *seed = sys.argv[1:] or [TIMES]
    os.environ[VARIABLE] = times
    if seed:
        os.environ[SEED_VARIABLE] = seed[0]
    return pytest.main(["tests/faults", DAGSTER, "-s", "-v", "--timeout", str(SECONDS)])


if __name__ == "__main__":
    sys.exit(main())
