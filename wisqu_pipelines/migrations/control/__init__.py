"""The control database's revisions."""
