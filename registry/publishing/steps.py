"""Doing what was planned: store, then register. Every step does nothing where its work is done."""

from collections.abc import Callable

from registry.chain.model_registry import ModelRegistryClient, Published
from registry.chain.records import ZERO
from registry.content.store import Store
from registry.publishing.plan import Plan


def keep(
    plan: Plan,
    store: Store,
    *,
    on_step: Callable[[str], None] = lambda step: None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Stores the artifact and its documents; does only what is not done yet.

    Of an artifact that is not public the bytes stay where they are.
    """
    on_step("store-artifact")
    if plan.access == "public":  # also what is kept already: a store hashes it, and mends what rotted
        store.put_dag(plan.artifact.dag(), progress)
    on_step("store-documents")
    for document in plan.documents:
        store.put_document(document)


def execute(
    plan: Plan,
    store: Store,
    registry: ModelRegistryClient,
    *,
    salt: bytes = ZERO,
    on_step: Callable[[str], None] = lambda step: None,
    progress: Callable[[int], None] | None = None,
) -> Published:
    """Stores the artifact and its documents, then registers the release; does only what is not done yet.

    The artifact comes first: what the chain names can be had. `on_step` is told each step as it begins.
    """
    keep(plan, store, on_step=on_step, progress=progress)
    if plan.existing is not None:
        done = Published(plan.release_id, plan.existing.record, plan.existing.location, created=False)
    else:
        on_step("register")
        done = registry.publish(plan.release, salt)
    on_step("done")
    return done
