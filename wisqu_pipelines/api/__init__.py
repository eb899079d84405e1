"""The REST API: a thin door to the same services as the CLI and Dagster."""
