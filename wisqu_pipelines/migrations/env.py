"""What Alembic runs for every command."""

from wisqu_pipelines.migrations.command_line import run_environment

run_environment()
