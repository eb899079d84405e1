from pathlib import Path

import pytest

from tests.ingest.conftest import MakeIngest
from wisqu_pipelines.bootstrap import Services
from wisqu_pipelines.catalog import points
from wisqu_pipelines.catalog.models import RagDocument
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput
from wisqu_pipelines.ingest.names import DocumentNames
from wisqu_pipelines.ingest.search import Search

DOCUMENTS = {
    "prayer.md": "# نماز صبح\n\nنماز صبح دو رکعت است و پیش از طلوع آفتاب خوانده می\u200cشود.",
    "fasting.md": "# روزه\n\nروزه\u200cداری در ماه رمضان واجب است.",
    "install.txt": "Installing the package takes one command.",
    "warranty.txt": "There is no warranty of any kind, express or implied.",
}


@pytest.fixture
def corpus(folder: Path) -> Path:
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return folder


def mark(environment: Environment, name: str, column: str) -> None:
    with environment.database.begin() as session:
        row = session.get_one(RagDocument, DocumentNames.of(environment.name, name).document_id)
        setattr(row, column, True)


def search(services: Services, environment: str, query: str) -> list[str]:
    service = Search(services.environments[environment], services.settings, services.embedder)
    return [hit.filename for hit in service.search(query)]


def test_a_search_finds_the_document_in_its_own_environment(
    services: Services, ingest_into: MakeIngest, corpus: Path
) -> None:
    ingest_into(services.environments["dev"]).ingest([corpus])
    for query, name in {
        "how to install a package": "install.txt",
        "warranties": "warranty.txt",
        "نَماز صبح": "prayer.md",
        "روزه داري": "fasting.md",
    }.items():
        assert search(services, "dev", query)[0] == name
        assert search(services, "stage", query) == []
    with pytest.raises(BadInput, match="empty"):
        search(services, "dev", " \n")


def test_rows_decide_what_is_found(services: Services, ingest_into: MakeIngest, corpus: Path) -> None:
    prod = services.environments["prod"]
    ingest_into(prod).ingest([corpus])
    assert len(search(services, "prod", "package warranty")) == 4
    mark(prod, "install.txt", "is_deleted")
    mark(prod, "warranty.txt", "is_test_data")
    assert set(search(services, "prod", "package warranty")) == {"prayer.md", "fasting.md"}


def test_a_replaced_text_is_not_found_even_while_its_points_are_still_shown(
    services: Services, ingest_into: MakeIngest, corpus: Path
) -> None:
    dev = services.environments["dev"]
    collection = dev.settings.get_collection_name(services.settings.default_collection)
    ingest_into(dev).ingest([corpus])
    own = {points.DOCUMENT_ID: str(DocumentNames.of("dev", "install.txt").document_id)}
    replaced = list(dev.vectors.scroll(collection, own, vectors=True))
    (corpus / "install.txt").write_text("Nothing to see.")
    ingest_into(dev).ingest([corpus])
    dev.vectors.upsert(collection, replaced)  # as between the commit and the sweep
    hits = Search(dev, services.settings, services.embedder).search("installing the package with one command")
    assert hits
    assert "Installing the package takes one command." not in [hit.text for hit in hits]
