"""Why the LicenseRegistry answers a use as it does: the state that its answer rests on, read at the same block."""

import contextlib

from registry.chain.publishers import NEVER
from registry.chain.records import Record, Release
from registry.cli.parts import Parts
from registry.cli.registered import terms_of
from registry.errors import ContentError, InvalidDocument, InvalidManifest, RpcUnavailable
from registry.policy.answers import Answer, Declared, DeclaredTerms, StandingGrant, answer_of
from registry.policy.catalogue import of_catalogue
from registry.policy.evidence import StatusState
from registry.policy.permissions import grantees_of
from registry.policy.terms import Use, UseState


def answers(parts: Parts, identifier: bytes, record: Record, account: str | None) -> dict[Use, Answer]:
    """What the contract answers for each use at the newest block, with its reason.

    Raises `RpcUnavailable` where the answer is another than what the node says of terms, grants, status and freeze.
    """
    licenses, block = parts.registries.licenses, parts.chain.latest()
    status = parts.registry.status(identifier, block.hash)
    freeze = parts.registries.publishers.freeze_of(record.release.publisher, block.hash)
    grants = [(who, licenses.grant(identifier, who, block.hash)) for who in grantees_of(account)]
    declared = Declared(
        terms=_terms(parts, record.release, licenses.registered_uses(record.release.terms, block.hash)),
        grants=[StandingGrant(who, entry, entry.since) for who, entry in grants if entry is not None],
        recorded_at=record.timestamp,
        status=StatusState(status.status, status.reason, status.since),
        trusted=NEVER if freeze is None else freeze.compromised_since,
        timestamp=block.timestamp,
    )
    found = {}
    for place, use in enumerate(Use):
        answer = answer_of(declared, use)
        said = UseState(licenses.permission(identifier, record, account, place, block.hash))
        if said is not answer.state:
            raise RpcUnavailable(
                f"The node at {parts.chain.rpc.name} gives an answer ({said.name.lower()}) that does not agree with "
                "the terms, grants, status and freeze that it gives."
            )
        found[use] = answer
    return found


def _terms(parts: Parts, release: Release, packed: int | None) -> DeclaredTerms:
    """The terms of a release, with their document where that is in the catalogue or can be read, and they count."""
    known = of_catalogue(release.terms)
    if known is not None:
        return DeclaredTerms(release.terms, packed, known.terms, known.name)
    document = None
    if packed is not None:
        with contextlib.suppress(ContentError, InvalidDocument, InvalidManifest):
            _, document = terms_of(parts, release)
    return DeclaredTerms(release.terms, packed, document)
