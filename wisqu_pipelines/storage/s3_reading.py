"""Reading an object's bytes as a stream that survives a broken connection."""

from collections.abc import Callable, Iterator

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

CHUNK = 256 * 1024
"""Most bytes in one piece."""
RESUMED_AT_MOST = 5
"""Times per object."""

Open = Callable[[str | None, int], BaseHTTPResponse]
"""Opens an object: pinned to an etag, or as it stands; from a byte on."""


class Reading:
    """One object being read. After a broken connection it goes on at the next byte, of the very same version."""

    def __init__(self, open_at: Open, etag: str | None) -> None:
        """Open the object; what `open_at` raises comes out here."""
        self._open_at = open_at
        self._response = open_at(etag, 0)
        self._etag = self._response.headers.get("ETag", "").strip('"') or etag

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they are stored, whatever encoding the object claims.

        Raises:
            HTTPError: the connection broke too often.
        """
        done = resumed = 0
        while True:
            try:
                for chunk in self._response.stream(CHUNK, decode_content=False):
                    done += len(chunk)
                    yield chunk
            except HTTPError:
                resumed += 1
                if resumed > RESUMED_AT_MOST or self._etag is None:
                    raise
                self.close()
                self._response = self._open_at(self._etag, done)
            else:
                return

    def close(self) -> None:
        """End the reading; a connection that still has bytes to give is given up."""
        self._response.close()
        self._response.release_conn()
