"""Whether the API lives, whether it is ready, and how each store is."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.requests import Request

from wisqu_pipelines.api.access import DEVELOPERS, PUBLIC, Opened, anywhere, route
from wisqu_pipelines.bootstrap import check_stores
from wisqu_pipelines.environments import schema
from wisqu_pipelines.environments.markers import StoreState

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """It answers."""

    live: bool = True


class Ready(BaseModel):
    """The control database answers as well."""

    ready: bool = True


@route(router, "GET", "/health/live", PUBLIC, takes_others=True)
def live() -> Live:
    """Whether the process answers."""
    return Live()


@route(router, "GET", "/health/ready", PUBLIC, takes_others=True)
def ready(services: Opened) -> Ready:
    """Whether logins and promotions can be served: the control database answers, with the schema of this version."""
    with services.control.begin() as session:
        schema.require(session, "control database", schema.CONTROL_REVISION)
    return Ready()


@route(router, "GET", "/health/stores", anywhere(*DEVELOPERS))
def stores(services: Opened) -> list[StoreState]:
    """How each store of each environment is."""
    return list(check_stores(services.settings))


@route(router, "GET", "/metrics", PUBLIC, takes_others=True, response_class=Response)
def metrics(request: Request) -> Response:
    """Figures for Prometheus: the API's requests, and what there is in the environments, at most a minute old."""
    registry: CollectorRegistry = request.app.state.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
