"""What a command says when nobody can read what it prints."""

import subprocess
import sys
from pathlib import Path

from tests.cli.processes import wisqu_process
from wisqu_pipelines.errors import OutputFailed

HELP = ("promote", "--help")
"""Needs no store."""


def test_a_full_disk_is_one_sentence_and_an_exit_code() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "wisqu_pipelines.cli", *HELP]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == f"failed: {OutputFailed(cause='No space left on device')}\n"
    assert ended.returncode == OutputFailed.exit_code


def test_a_reader_that_has_gone_is_no_trouble() -> None:
    with wisqu_process(*HELP) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_closed_output_is_no_trouble() -> None:
    command = f"exec {sys.executable} -m wisqu_pipelines.cli {' '.join(HELP)} >&-"
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
