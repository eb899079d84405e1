"""Points from one vector server to another, as `qdrant-client` is used for it."""

from qdrant_client import QdrantClient, models

from wisqu_pipelines.settings import VectorIndexSettings

PAGE = 512


def scroll_and_upsert(here: VectorIndexSettings, there: VectorIndexSettings, collection: str) -> None:
    """Page by page, waiting for each write."""
    source, target = _client(here), _client(there)
    offset = None
    while True:
        records, offset = source.scroll(collection, limit=PAGE, offset=offset, with_payload=True, with_vectors=True)
        points = [models.PointStruct(id=each.id, vector=each.vector, payload=each.payload) for each in records]
        target.upsert(collection, points, wait=True)
        if offset is None:
            break
    source.close()
    target.close()


def _client(settings: VectorIndexSettings) -> QdrantClient:
    headers = {"api-key": settings.api_key.get_secret_value()}
    return QdrantClient(url=settings.url, headers=headers, timeout=60, check_compatibility=False)
