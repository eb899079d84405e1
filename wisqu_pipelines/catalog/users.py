"""Finding an account of an environment by what people call it."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wisqu_pipelines.catalog.models import User
from wisqu_pipelines.errors import ItemNotFound


def find_user(session: Session, user: str | UUID, environment: str) -> User:
    """An account, by its id or its address in any case; also one that is deleted.

    Args:
        session: A transaction in the environment.
        user: What people call it.
        environment: Its name.

    Raises:
        ItemNotFound: there is none.
    """
    try:
        named = User.id == UUID(str(user))
    except ValueError:
        named = func.lower(User.email) == str(user).strip().lower()
    found = session.scalar(select(User).where(named))
    if found is None:
        raise ItemNotFound(type=str(User.__tablename__), item_id=str(user), environment=environment)
    return found
