"""The revisions of every environment's database."""
