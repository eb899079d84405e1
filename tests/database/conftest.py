from tests.database.postgres import postgres

__all__ = ["postgres"]
