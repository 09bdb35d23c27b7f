"""What a publisher permits, as LicenseRegistry answers as of a block, with what decides each answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from registry.chain.identifiers import Account, ReleaseId, TermsId
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO
from registry.index.queries import Snapshot
from registry.policy.answers import Declared, DeclaredTerms, StandingGrant, answer_of, answer_of_terms
from registry.policy.permissions import grantees_of
from registry.policy.rendering import as_of_json
from registry.policy.terms import Use


def permission_view(
    snapshot: Snapshot, identifier: bytes, account: str | None, uses: Iterable[Use], names: Mapping[bytes, str]
) -> dict[str, Any]:
    """What the publisher of a release says of these uses by an account (EIP-55; None: by everyone), and why.

    It speaks of the release alone, not of what it was made from. `names` are those of the catalogue, by terms id.
    Raises RecordNotFound, IndexUnavailable, NotQuick.
    """
    as_of = snapshot.as_of()
    claim = snapshot.release(identifier, "none")
    release = claim.record.release
    freeze = snapshot.freezes([release.publisher]).get(release.publisher)
    given = {one.record.grantee: one.record for one in snapshot.grants_for([identifier], account).get(identifier, ())}
    snapshot.expect_known(limit for one in given.values() for limit in (one.from_, one.until))
    declared = Declared(
        terms=_terms(snapshot, release.terms, names),
        grants=[StandingGrant(who, given[who], given[who].timestamp) for who in grantees_of(account) if who in given],
        recorded_at=claim.record.timestamp,
        status=claim.status,
        trusted=NEVER if freeze is None else freeze.compromised_since,
        timestamp=as_of.block.timestamp,
    )
    return {
        "release": str(ReleaseId(identifier)),
        "publisher": str(Account(as_of.deployment.chain_id, release.publisher)),
        "account": None if account is None else str(Account(as_of.deployment.chain_id, account)),
        "terms": None if release.terms == ZERO else str(TermsId(release.terms)),
        "uses": {use.value: answer_of(declared, use).to_json() for use in uses},
        "as_of": as_of_json(as_of),
    }


def terms_permission_view(
    snapshot: Snapshot, terms: bytes, uses: Iterable[Use], names: Mapping[bytes, str]
) -> dict[str, Any]:
    """What terms alone say of these uses to contracts, and why. Raises IndexUnavailable, NotQuick."""
    as_of = snapshot.as_of()
    declared = _terms(snapshot, terms, names)
    return {
        "terms": str(TermsId(terms)),
        "registered": declared.packed is not None,
        "uses": {use.value: answer_of_terms(declared, use).to_json() for use in uses},
        "as_of": as_of_json(as_of),
    }


def _terms(snapshot: Snapshot, terms: bytes, names: Mapping[bytes, str]) -> DeclaredTerms:
    registered = snapshot.registered_terms([terms]).get(terms)
    packed = None if registered is None else registered.record.uses
    return DeclaredTerms(terms, packed, snapshot.terms_document(terms), names.get(terms))
