"""`python -m wisqu_pipelines.devstack.qdrant_edge --port P --data DIR --api-key-file FILE`."""

import argparse
import gc
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from wisqu_pipelines.devstack.qdrant_edge.errors import DataUnusableError
from wisqu_pipelines.devstack.qdrant_edge.server import application
from wisqu_pipelines.devstack.qdrant_edge.store import Store

SHUTDOWN_SECONDS = 10
"""How long requests may take to end after a signal."""


def main() -> None:
    """Serve one data directory until SIGTERM or SIGINT; exit code 0 then, and 2 if it cannot be served."""
    parser = argparse.ArgumentParser(prog="qdrant_edge", description="A local vector server on Qdrant's own engine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="data directory; made if it is not there")
    parser.add_argument("--api-key-file", type=Path, required=True, help="file with the key that clients must send")
    arguments = parser.parse_args()
    try:
        api_key = arguments.api_key_file.read_bytes().strip()
    except OSError as error:
        parser.error(f"the API key cannot be read: {error}")
    if not api_key:
        parser.error(f"the API key file {arguments.api_key_file} is empty")

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # uvicorn raises the signal that stopped it once more, which ends the process here, after the store is closed.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        with Store(arguments.data) as store:
            gc.freeze()  # what is loaded stays, and need not be looked through for garbage again and again
            uvicorn.run(
                application(store, api_key),
                host=arguments.host,
                port=arguments.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
    except DataUnusableError as error:
        parser.error(str(error))


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
