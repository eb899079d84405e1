"""What every service's module needs to know about the stack that it is part of."""

from dataclasses import dataclass

from wisqu_pipelines.devstack.credentials import Credentials
from wisqu_pipelines.devstack.declaration import Declaration
from wisqu_pipelines.devstack.layout import Layout
from wisqu_pipelines.devstack.ports import HOST, Ports


@dataclass(frozen=True, slots=True)
class Site:
    """One stack: its names, its folders, its ports, its secrets."""

    declared: Declaration
    ports: Ports
    credentials: Credentials
    durable: bool = True
    """Whether data must survive the machine's crash; tests need them to survive only the processes'."""

    @property
    def layout(self) -> Layout:
        """Its folders."""
        return self.declared.layout

    def address(self, port: str) -> str:
        """Host and port of a port's name."""
        return f"{HOST}:{self.ports[port]}"
