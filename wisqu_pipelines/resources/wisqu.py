"""The services as a Dagster resource."""

from contextlib import ExitStack
from typing import Any

from dagster import ConfigurableResource, InitResourceContext
from pydantic import PrivateAttr

from wisqu_pipelines import settings
from wisqu_pipelines.bootstrap import Services, open_services


class WisquResource(ConfigurableResource[Any]):
    """The services of this installation.

    It has no fields on purpose: everything comes from the settings of the process, so nobody can point a run at another
    database from the launchpad. The services are opened at the first use and closed when the run or the tick ends.
    """

    _opened: ExitStack = PrivateAttr(default_factory=ExitStack)
    _services: Services | None = PrivateAttr(default=None)

    @property
    def services(self) -> Services:
        """The services, opened now if they are not yet.

        Raises:
            BadSettings: the settings cannot be used.
            WrongStore: a store is not the one that the settings say.
            StoreNotSetUp: a store carries no marker.
        """
        if self._services is None:
            self._services = self._opened.enter_context(open_services(settings.load()))
        return self._services

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Close the services if they were opened."""
        del context
        self._services = None
        self._opened.close()
