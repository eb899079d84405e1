"""Who was let into an environment, as its apps see them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EnvironmentUser:
    """Somebody who was let in; `request.state.user` is one, or None."""

    id: UUID
    """The central id of a person, which is also the id of their row in `users`; or a test account's."""
    email: str
    role: str
    is_test_account: bool
    test_accounts: bool
    """Whether they may make test accounts here."""
    reason: str | None
    """Why they entered, as they said it."""
    expires_at: datetime
    token_id: str
    """Of a person's token its `jti`; of a test account's session the SHA-256 of its token. Neither opens anything."""
