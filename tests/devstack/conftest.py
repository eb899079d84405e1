"""A directory for a stack of the test's own."""

from collections.abc import Iterator

import pytest

from tests.devstack.commands import Commands
from tests.fixtures.stack import temporary_directory


@pytest.fixture
def commands() -> Iterator[Commands]:
    """The commands for a fresh directory; what the test leaves running is ended."""
    with temporary_directory() as directory:
        commands = Commands(directory)
        try:
            yield commands
        finally:
            commands.end()
