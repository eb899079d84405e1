"""The API as an app: routes under /v1, problems for errors, and what every request passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from wisqu_pipelines.api import problems
from wisqu_pipelines.api.gauges import Gauges
from wisqu_pipelines.api.logs import log_as_json
from wisqu_pipelines.api.middleware import EveryRequest, Figures
from wisqu_pipelines.api.page import routes as page
from wisqu_pipelines.api.routes import (
    audit,
    ci,
    detection,
    environments,
    erasure,
    freezes,
    health,
    identity,
    people,
    promotions,
    retention,
)
from wisqu_pipelines.bootstrap import Services, open_services
from wisqu_pipelines.metrics.gauges import Watched
from wisqu_pipelines.settings import Settings, load

ABOUT = """The life of data in Wisqu's environments: who may enter which one, what goes from one to the next, who said
so, and what was written down of it. Errors are problem+json (RFC 9457); a POST with an `Idempotency-Key` is done once.
"""


def create_app(services: Services) -> FastAPI:
    """The API over services that somebody else opens and closes."""
    app = FastAPI(
        title="Wisqu pipelines",
        version=version("wisqu_pipelines"),
        description=ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # their page would load scripts from elsewhere
        redoc_url=None,
    )
    registry = CollectorRegistry()
    registry.register(Gauges(Watched(services.metrics, services.clock.now)))
    app.state.services, app.state.registry = services, registry
    problems.install(app)
    for module in (
        identity,
        people,
        environments,
        promotions,
        freezes,
        detection,
        retention,
        erasure,
        ci,
        audit,
        health,
    ):
        app.include_router(module.router)
    app.include_router(page.router)
    app.add_middleware(EveryRequest, figures=Figures(registry))
    return app


@contextmanager
def opened_app(settings: Settings | None = None) -> Iterator[FastAPI]:
    """The API with services of its own, by the settings of this process; they are closed with the block."""
    chosen = settings or load()
    log_as_json(chosen.secrets())
    with open_services(chosen) as services:
        yield create_app(services)
