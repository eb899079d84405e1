"""What Alembic runs for every command."""

from wisqu_pipelines.migrations.runner import run_environment

run_environment()
