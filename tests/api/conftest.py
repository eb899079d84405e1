"""The API over real stores, and people of every role who are logged in."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi.testclient import TestClient

from wisqu_pipelines.api.app import create_app
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.identity import demo_people, people
from wisqu_pipelines.identity.service import Login

REASON = "Looking into the login issue 4711"


@dataclass
class Api:
    """A client, and tokens by person."""

    client: TestClient
    services: Services
    logins: dict[str, Login] = field(default_factory=dict)

    def login(self, email: str = demo_people.DEVELOPER) -> Login:
        if email not in self.logins:
            with self.services.control.begin() as session:
                person = people.find(session, email).id
            self.logins[email] = self.services.identity.login_known(person, "demo")
        return self.logins[email]

    def headers(self, email: str = demo_people.DEVELOPER) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.login(email).access_token}"}


@pytest.fixture
def api(services: Services) -> Iterator[Api]:
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        yield Api(client, services)
