"""HTTP connections under the clients: bounded in number, with bounded waits, and without attempts of their own."""

from typing import Any

import urllib3
from urllib3.exceptions import NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
CONNECTIONS = 32

PASSING_ERRORS = (HTTPTimeoutError, NewConnectionError, ProtocolError)
"""What the network does for a while."""


class BoundedPool(urllib3.PoolManager):
    """Connections to one server; who finds all of them taken waits, but not for ever."""

    def __init__(self) -> None:
        super().__init__(
            num_pools=1,
            maxsize=CONNECTIONS,
            block=True,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,  # the store decides what is tried again
        )

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        """Send a request on one of the connections."""
        return super().urlopen(method, url, redirect, pool_timeout=READ_SECONDS, **kw)
