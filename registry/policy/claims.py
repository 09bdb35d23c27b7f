"""What one claim that counts says for and against the asked uses: its publisher, status, documents, terms, grants."""

from registry.chain.identifiers import Account, TermsId
from registry.chain.records import ZERO, Status
from registry.content.names import printable
from registry.policy.case import Case
from registry.policy.code import code_reasons
from registry.policy.evidence import ClaimedRelease, FilesSubject, Subject
from registry.policy.matching import Match
from registry.policy.names import release_name, time_text
from registry.policy.permissions import EVERYONE
from registry.policy.policy import Policy
from registry.policy.reasons import Effect, VerdictReason, because
from registry.policy.stated import held_against
from registry.policy.terms import Terms, Use, UseState


def claim_reasons(claim: ClaimedRelease, match: Match, case: Case) -> list[VerdictReason]:
    """Every reason that a claim gives by itself. One whose manifest cannot be read permits nothing."""
    return [
        *_publisher(claim, case),
        *_status(claim),
        *manifest_reasons(claim),
        *code_reasons(claim, match, case.policy),
        *_license(claim, case.policy),
        *_uses(claim, case),
        *held_against(claim, case),
    ]


def too_young(claim: ClaimedRelease, case: Case, *, alone: bool) -> VerdictReason:
    """That a release is not final, so that it permits nothing. `alone`: nor is any other that decides."""
    finality = case.policy.finality_on(case.evidence.as_of.deployment)
    code = "not-final" if alone else "awaits-finality"
    return because(
        code, about=claim.release_id, release=release_name(claim), block=claim.block_number, finality=finality
    )


def manifest_reasons(claim: ClaimedRelease) -> list[VerdictReason]:
    """Why a manifest is of no use, if it is not."""
    if claim.manifest is not None:
        return []
    code = "manifest-invalid" if claim.manifest_state.state == "invalid" else "manifest-unavailable"
    detail = claim.manifest_state.detail or "the reason is not known."
    return [because(code, about=claim.release_id, release=release_name(claim), detail=detail)]


def declared_reasons(claim: ClaimedRelease, subject: Subject) -> list[VerdictReason]:
    """The files whose bytes are the release's by their CID, and not by the SHA-256 that its manifest declares."""
    if claim.manifest is None or not isinstance(subject, FilesSubject):
        return []
    declared = {(file.path, file.cid): file.sha256 for file in claim.manifest.files}
    return [
        because("file-hash-mismatch", about=claim.release_id, at_file=printable(file.path), release=release_name(claim))
        for file in subject.files
        if file.cid is not None
        and file.sha256 is not None
        and declared.get((file.path, file.cid), file.sha256.hex()) != file.sha256.hex()
    ]


def superseded(claim: ClaimedRelease, successor: ClaimedRelease) -> VerdictReason:
    """That a revoked release yields to another, which is judged in its place."""
    return because(
        "revoked-superseded",
        about=claim.release_id,
        release=release_name(claim),
        why=claim.status.reason.label,
        successor=release_name(successor),
    )


def license_name(claim: ClaimedRelease) -> str:
    """The licence expression where the terms are known, else their id."""
    return claim.terms.license if claim.terms is not None else str(TermsId(claim.record.release.terms))


def _publisher(claim: ClaimedRelease, case: Case) -> list[VerdictReason]:
    """Whether the record is the publisher's own, and why one counts that the policy does not name."""
    publisher, chain_id = claim.record.release.publisher, case.evidence.as_of.deployment.chain_id
    reasons: list[VerdictReason] = []
    span = case.trust.get(publisher)
    if span is not None and span.through is not None:
        reasons.append(
            because(
                "successor-trusted",
                about=claim.release_id,
                release=release_name(claim),
                publisher=Account(chain_id, publisher),
                predecessor=Account(chain_id, span.through),
            )
        )
    if not case.is_read(publisher):
        return [*reasons, because("publisher-unread", about=claim.release_id, publisher=Account(chain_id, publisher))]
    frozen = case.frozen(publisher)
    if frozen is None:
        return reasons
    code = "compromised" if case.is_compromised(claim) else "publisher-frozen"
    since, at = time_text(frozen.freeze.compromised_since), time_text(frozen.freeze.frozen_at)
    return [*reasons, because(code, about=claim.release_id, release=release_name(claim), since=since, frozen=at)]


def _status(claim: ClaimedRelease) -> list[VerdictReason]:
    if claim.status.status is Status.ACTIVE:
        return []
    code = "revoked" if claim.status.status is Status.REVOKED else "deprecated"
    why = claim.status.reason.label
    return [because(code, about=claim.release_id, release=release_name(claim), why=why)]


def _license(claim: ClaimedRelease, policy: Policy) -> list[VerdictReason]:
    terms = claim.record.release.terms
    if policy.licenses is None or terms == ZERO or terms in policy.licenses:
        return []
    return [
        because(
            "license-not-allowed",
            about=claim.release_id,
            release=release_name(claim),
            license=license_name(claim),
        )
    ]


def _uses(claim: ClaimedRelease, case: Case) -> list[VerdictReason]:
    """For each asked use a grant that permits it, or what the terms say; once, if they say nothing."""
    reasons: list[VerdictReason] = []
    by_terms: list[Use] = []
    for use in case.policy.uses:
        allowed = claim.terms is not None and claim.terms.state(use) is UseState.ALLOWED
        granted = [] if allowed else _granted(claim, use, case)
        reasons += granted
        if not any(reason.effect is Effect.ALLOW for reason in granted):
            by_terms.append(use)
    release = release_name(claim)
    if not by_terms:
        return _only_with_manifest(claim, reasons)
    if claim.record.release.terms == ZERO:
        return [*reasons, because("terms-unknown", about=claim.release_id, release=release)]
    if claim.terms is None:
        state = claim.terms_state
        invalid = state is not None and state.state == "invalid"
        code = "terms-invalid" if invalid else "terms-unavailable"
        detail = (state and state.detail) or "the reason is not known."
        return [*reasons, because(code, about=claim.release_id, release=release, detail=detail)]
    reasons += [_use(claim, claim.terms, use, case.policy) for use in by_terms]
    return _only_with_manifest(claim, reasons)


def _only_with_manifest(claim: ClaimedRelease, reasons: list[VerdictReason]) -> list[VerdictReason]:
    return [reason for reason in reasons if claim.manifest is not None or reason.effect is not Effect.ALLOW]


def _granted(claim: ClaimedRelease, use: Use, case: Case) -> list[VerdictReason]:
    """A grant must permit the use as it is, and as it was when its block became final."""
    grant = case.granted(claim, use)
    if grant is None:
        return []
    chain_id = case.evidence.as_of.deployment.chain_id
    grantee = grant.record.grantee
    return [
        because(
            "use-granted" if case.is_granted(claim, use) else "grant-not-final",
            about=claim.release_id,
            asked=use,
            release=release_name(claim),
            publisher=Account(chain_id, claim.record.release.publisher),
            grantee="everyone" if grantee == EVERYONE else Account(chain_id, grantee),
            until=time_text(grant.record.until),
            block=grant.block_number,
            finality=case.policy.finality_on(case.evidence.as_of.deployment),
        )
    ]


def _use(claim: ClaimedRelease, terms: Terms, use: Use, policy: Policy) -> VerdictReason:
    reading = terms.reading(use)
    match reading.value:
        case UseState.DENIED:
            code = "use-denied"
        case UseState.UNKNOWN:
            code = "use-unknown"
        case UseState.CONDITIONAL if use not in policy.accept_conditional:
            code = "use-conditional"
        case UseState.CONDITIONAL:
            code = "use-conditional-accepted"
        case UseState.ALLOWED:
            code = "use-allowed"
    return because(
        code,
        about=claim.release_id,
        asked=use,
        release=release_name(claim),
        license=terms.license,
        conditions=reading.conditions or "",
    )
