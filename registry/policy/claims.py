"""What one claim that counts says for and against the asked uses: its status, its documents, its terms."""

from registry.chain.identifiers import TermsId
from registry.chain.records import ZERO, Status
from registry.content.names import printable
from registry.policy.evidence import ClaimedRelease, FilesSubject, Subject
from registry.policy.names import release_name
from registry.policy.policy import Policy
from registry.policy.reasons import VerdictReason, because
from registry.policy.terms import Use, UseState


def claim_reasons(claim: ClaimedRelease, policy: Policy) -> list[VerdictReason]:
    """Every reason that a claim gives by itself. One whose manifest cannot be read permits nothing."""
    return [*_status(claim), *manifest_reasons(claim), *_license(claim, policy), *_uses(claim, policy)]


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


def _uses(claim: ClaimedRelease, policy: Policy) -> list[VerdictReason]:
    release = release_name(claim)
    if claim.record.release.terms == ZERO:
        return [because("terms-unknown", about=claim.release_id, release=release)]
    if claim.terms is None:
        state = claim.terms_state
        invalid = state is not None and state.state == "invalid"
        code = "terms-invalid" if invalid else "terms-unavailable"
        return [
            because(
                code,
                about=claim.release_id,
                release=release,
                detail=(state and state.detail) or "the reason is not known.",
            )
        ]
    return [reason for use in policy.uses if (reason := _use(claim, use, policy)) is not None]


def _use(claim: ClaimedRelease, use: Use, policy: Policy) -> VerdictReason | None:
    if claim.terms is None:
        return None
    reading = claim.terms.reading(use)
    permits = claim.manifest is not None
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
    if not permits and code in ("use-allowed", "use-conditional-accepted"):
        return None
    return because(
        code,
        about=claim.release_id,
        asked=use,
        release=release_name(claim),
        license=claim.terms.license,
        conditions=reading.conditions or "",
    )
