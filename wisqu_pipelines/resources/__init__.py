"""What Dagster hands to assets, ops and sensors."""
