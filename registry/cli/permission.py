"""Why the LicenseRegistry answers a use as it does: the state that its answer rests on, read at the same block."""

from registry.chain.publishers import NEVER
from registry.chain.records import Record
from registry.cli.parts import Parts
from registry.errors import RpcUnavailable
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
        terms=_terms(record.release.terms, licenses.registered_uses(record.release.terms, block.hash)),
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


def _terms(identifier: bytes, packed: int | None) -> DeclaredTerms:
    known = of_catalogue(identifier)
    if known is None:
        return DeclaredTerms(identifier, packed)
    return DeclaredTerms(identifier, packed, known.terms, known.name)
