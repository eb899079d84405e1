"""The port to what carries messages to people."""

from typing import Protocol


class Messenger(Protocol):
    """Carries messages."""

    def send(self, url: str, title: str, body: str) -> bool:
        """Send a message.

        Args:
            url: Where to, with its credentials, as the messenger writes such addresses.
            title: One line.
            body: Plain text.

        Returns:
            Whether the other side took it.

        Raises:
            BadSettings: the messenger knows no such kind of address.
        """
        ...
