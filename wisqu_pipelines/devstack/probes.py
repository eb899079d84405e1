"""Questions that show whether a service works."""

import http.client
from http import HTTPStatus

from wisqu_pipelines.devstack.ports import HOST

SECONDS = 2.0


def http_ok(port: int, path: str) -> bool:
    """Whether a GET on a loopback port gives 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
