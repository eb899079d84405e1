"""What the assets are called and what they hang on: one for each store or table of each environment."""

from dataclasses import dataclass

from dagster import AssetKey, MetadataValue

from wisqu_pipelines.settings import Declared

OWNER = "team:wisqu-data"
"""Who answers for the assets and jobs."""
VECTORS = "vectors"
RECEIPTS = "environment_promotions"


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of asset that every environment has."""

    name: str
    description: str
    kinds: frozenset[str]
    """What Dagster shows as the asset's technologies."""
    upstream: tuple[str, ...] = ()
    """Kinds of the same environment that it is made of."""
    promoted: bool = False
    """Whether its content comes from another environment by promotion."""
    page: str = "architecture.md"
    """What of the docs is about it."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "stored_files",
            "The files: rows in `stored_files`, bytes in the environment's buckets.",
            frozenset({"postgres", "s3"}),
            promoted=True,
        ),
        Kind(
            "rag_documents",
            "The documents that can be searched: rows in `rag_documents`, each with its file and its vectors.",
            frozenset({"postgres"}),
            upstream=("stored_files",),
            promoted=True,
        ),
        Kind(
            VECTORS,
            "The points of the vector collections. Readers find those that carry the environment's name.",
            frozenset({"qdrant"}),
            upstream=("rag_documents",),
            promoted=True,
        ),
        Kind(
            "users",
            "The accounts, counted by role and type; nobody is named.",
            frozenset({"postgres"}),
            page="identity.md",
        ),
        Kind(RECEIPTS, "The receipts of promotions into this environment (append-only).", frozenset({"postgres"})),
        Kind(
            "environment_access_logs",
            "Who entered this environment from outside of it (append-only), counted by kind.",
            frozenset({"postgres"}),
        ),
        Kind(
            "developer_actions",
            "What people did here with a privilege (append-only), counted by action.",
            frozenset({"postgres"}),
        ),
    )
}


def key(environment: str, kind: str) -> AssetKey:
    """The asset of that kind in that environment: `{environment}/{kind}`."""
    return AssetKey([environment, kind])


def upstream_keys(declared: Declared, environment: str, kind: Kind) -> list[AssetKey]:
    """What an asset hangs on: other stores of its environment, and the same store of where promotions come from."""
    own = [key(environment, name) for name in kind.upstream]
    return own + ([key(source, kind.name) for source in declared.sources_of(environment)] if kind.promoted else [])


def links(declared: Declared, page: str = "architecture.md") -> dict[str, MetadataValue]:
    """Where to go from an asset: the page of what waits for a decision, and its page of the docs.

    Args:
        declared: Where they are.
        page: The file in the project's folder `docs`; where the settings do not say where people read it, it is named.
    """
    docs = declared.docs_url
    read = MetadataValue.url(f"{docs.rstrip('/')}/{page}") if docs else MetadataValue.path(f"docs/{page}")
    approvals = declared.approvals_url
    return {**({"approvals": MetadataValue.url(approvals)} if approvals else {}), "docs": read}


def pool(environment: str) -> str:
    """The pool that bounds how many steps use an environment's stores at once."""
    return f"{environment}_stores"
