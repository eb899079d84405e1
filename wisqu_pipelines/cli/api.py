"""`wisqu api`: serve the REST API."""

from typing import Annotated

import typer


def api(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any that is free.")] = 8_400,
) -> None:
    """Serve the REST API until it is interrupted. Its OpenAPI is at /v1/openapi.json; its log, in JSON, says where."""
    import uvicorn  # noqa: PLC0415 - only this command serves

    from wisqu_pipelines.api.app import opened_app  # noqa: PLC0415

    with opened_app() as app:
        uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)
