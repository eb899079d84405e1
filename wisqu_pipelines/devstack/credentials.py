"""The stack's own secrets: made once, kept for restarts, nowhere but in the stack's private folder."""

import json
import secrets
from pathlib import Path

from pydantic import SecretStr

from wisqu_pipelines.devstack.layout import write_private
from wisqu_pipelines.errors import StackFailed

SECRET_BYTES = 32


class Credentials:
    """Secrets by name; one that is asked for and not there yet is made and written before it is given out."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier start wrote.

        Raises:
            StackFailed: the file is not readable as what this class writes.
        """
        self._path = path
        try:
            self._secrets: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (OSError, ValueError) as error:
            raise StackFailed(act=f"read its secrets from {path}", cause=type(error).__name__) from None

    def __contains__(self, name: str) -> bool:
        return name in self._secrets

    def secret(self, name: str) -> SecretStr:
        """The secret of that name: 43 characters of URL-safe base64."""
        if name not in self._secrets:
            self._secrets[name] = secrets.token_urlsafe(SECRET_BYTES)
            write_private(self._path, json.dumps(self._secrets, indent=1, sort_keys=True))
        return SecretStr(self._secrets[name])

    def text(self, name: str) -> str:
        """The same, bare, for the files and connections that need it."""
        return self.secret(name).get_secret_value()
