"""Trying again is quiet where nobody listens, and told where somebody does."""

import logging
import subprocess
import sys

import pytest

from wisqu_pipelines.storage.retries import with_retries

AGAIN = """
from wisqu_pipelines.storage.retries import with_retries

def act(attempt):
    if attempt == 1:
        raise OSError("away")
    print(attempt)

with_retries(act, lambda error: True)
"""


def test_a_command_shows_nothing_of_what_passes() -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_who_has_set_logging_up_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def act(attempt: int) -> int:
        if attempt == 1:
            raise OSError("away")
        return attempt

    with caplog.at_level(logging.WARNING, "stamina"):
        assert with_retries(act, lambda error: isinstance(error, OSError)) == 2
    assert [each.name for each in caplog.records] == ["stamina"]
