"""The environments' own tables, and the one way to read and mark their rows."""
