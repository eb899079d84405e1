"""The command line: `wisqu`."""

import sys

import typer
from rich.console import Console

from wisqu_pipelines.cli import stack
from wisqu_pipelines.errors import WisquError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
stack.register(app)


def main() -> None:
    """Run a command; an error of this project's own is one line on stderr and an exit code, never a traceback."""
    try:
        app()
    except WisquError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
