"""HTTP under the S3 client: the one header that the SDK has no door for."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3
from urllib3 import HTTPHeaderDict

from wisqu_pipelines.storage.connections import BoundedPool


class CreateOnlyPool(urllib3.PoolManager):
    """The same connections for a client whose every write makes a new object or fails.

    `minio` 7.2 takes no condition for a write. S3 heeds `If-None-Match: *` on the requests that make an object appear:
    a put, a copy, and the end of a multipart upload. The header need not be signed.
    """

    def __init__(self, connections: BoundedPool) -> None:
        super().__init__(num_pools=1)
        self._connections = connections

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        """Send a request, with the condition if it makes an object appear."""
        if _makes_object(method, url):
            headers = HTTPHeaderDict(kw.get("headers"))
            headers["If-None-Match"] = "*"
            kw["headers"] = headers
        return self._connections.urlopen(method, url, redirect, **kw)


def _makes_object(method: str, url: str) -> bool:
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return (method == "PUT" and "partNumber" not in query) or (method == "POST" and "uploadId" in query)
