"""The jobs: each op calls one service and tells Dagster what came of it."""
