"""The command line: `wisqu`."""

import sys

INTERRUPTED = 130
"""The exit code of whoever is ended by Ctrl-C: 128 and the number of the signal."""


def main() -> None:
    """Run a command. Ctrl-C ends it without a traceback, also while it is still being loaded."""
    try:
        from wisqu_pipelines.cli import stdout  # noqa: PLC0415 - all that is loaded is loaded here

        stdout.install()
        from wisqu_pipelines.cli import commands  # noqa: PLC0415 - takes a second, in which people change their minds

        commands.run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
