import pytest

from tests.storage_audit.stores import Stores
from wisqu_pipelines.bootstrap import Services


@pytest.fixture
def stores(services: Services) -> Stores:
    return Stores(services)
