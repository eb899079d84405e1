"""Checkpoints of the audit that nobody can take back: signed, and sealed in buckets with Object Lock."""
