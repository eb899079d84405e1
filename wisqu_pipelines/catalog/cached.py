"""Under which keys Wisqu keeps what it has read, so that whoever changes an item can drop them."""

from uuid import UUID


def cached_item(item_type: str, item_id: UUID | str) -> str:
    """The key of a cached row."""
    return f"item:{item_type}:{item_id}"


def cached_searches(collection: str) -> str:
    """The prefix of all cached searches in a vector collection (full name)."""
    return f"search:{collection}:"
