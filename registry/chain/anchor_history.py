"""Anchors by their events: found by id alone, and those of a publisher that still count.

An anchor's id binds all that it says, so that an event which leads to the id is the anchor's, whoever gave it. That
none is left out is the node's word.
"""

from dataclasses import dataclass

from registry.chain.anchors import Anchor, AnchorRecord, anchor_id
from registry.chain.events import topic_of
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.static import to_word
from registry.errors import ReleaseNotFound


@dataclass(frozen=True, slots=True)
class Anchored:
    """An anchor with its id."""

    anchor_id: bytes
    record: AnchorRecord


def find_anchor(registry: ModelRegistryClient, identifier: bytes) -> Anchor:
    """The anchor of this id. Raises `ReleaseNotFound` where the node gives no event of it."""
    for event in registry.events_with(topic_of(AnchorRecord), identifier):
        record = event.record
        if isinstance(record, AnchorRecord) and anchor_id(registry.deployment, record.anchor) == identifier:
            return record.anchor
    raise ReleaseNotFound(f"There is no anchor:0x{identifier.hex()} in this registry.")


def standing_anchors(registry: ModelRegistryClient, publisher: str, actor: str) -> list[Anchored]:
    """Anchors of `publisher` that `actor` made and nobody took back, newest first: anyone can promote from them."""
    found = []
    for event in registry.events_with(topic_of(AnchorRecord), None, to_word("address", publisher)):
        record = event.record
        if not isinstance(record, AnchorRecord) or record.actor != actor:
            continue
        identifier = anchor_id(registry.deployment, record.anchor)
        entry = registry.anchor(identifier)
        if entry is not None and entry.withdrawn_at == 0:
            found.append(Anchored(identifier, record))
    return found
