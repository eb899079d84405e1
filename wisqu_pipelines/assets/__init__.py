"""The environments' stores as Dagster assets: what lies in them, and whether they agree."""
