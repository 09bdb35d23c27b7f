"""Real releases for tests of the index: files on disk, a manifest, a store, a transaction."""

from pathlib import Path

from registry.artifacts.digest import Artifact, digest_artifact
from registry.chain.model_registry import ModelRegistryClient
from registry.content.embedded import EmbeddedStore
from registry.publishing import Asked, execute, prepare


def folder(where: Path, files: dict[str, bytes]) -> Path:
    """A folder of these files."""
    for path, content in files.items():
        target = where / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return where


def publish(
    client: ModelRegistryClient,
    store: EmbeddedStore,
    source: Path,
    name: str,
    version: str = "1",
    **asked: object,
) -> tuple[bytes, Artifact]:
    """Publish a folder; its release id and artifact."""
    artifact = digest_artifact(source)
    assert client.account is not None
    plan = prepare(artifact, Asked(name, version, **asked), client, client.account)
    return execute(plan, store, client).release_id, artifact
