"""The verdict: allow, refuse or unknown, as a pure function of a subject, a policy and the evidence as of a block.

Only releases by publishers that the policy names count, with their lineage. Any counted denial, revocation or conflict
refuses; else anything undecided or unavailable leaves it unknown; else a permission for every use asked allows. There
is no other way to `allow`: whatever strangers record changes what is listed, and nothing else.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from registry.artifacts.canonical import canonical_of_plain
from registry.policy.case import Case, case_of
from registry.policy.claims import claim_reasons, declared_reasons, manifest_reasons, superseded, too_young
from registry.policy.evidence import (
    ArtifactSubject,
    AsOf,
    ClaimedRelease,
    Coverage,
    DocumentState,
    Evidence,
    Subject,
)
from registry.policy.lineage import walk
from registry.policy.matching import Acceptance, Match, check_subject, compare, nearness
from registry.policy.names import release_name, time_text
from registry.policy.policy import MatchKind, Policy
from registry.policy.reasons import Effect, VerdictReason, because, listed
from registry.policy.rendering import Claim, as_of_json, claim_json, documents_json, match_json, subject_json
from registry.policy.stated import held_against_files, required
from registry.policy.training import teachers, training_reasons

Outcome = Literal["allow", "refuse", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, with all that it rests on. `match` is against the nearest release that counts, or against none.

    `claims_total` is None when there are more strangers' claims than were counted.
    """

    outcome: Outcome
    subject: Subject
    as_of: AsOf
    policy_digest: bytes | None
    match: Match
    release: ClaimedRelease | None
    claims: tuple[Claim, ...]
    claims_total: int | None
    reasons: tuple[VerdictReason, ...]
    documents: tuple[tuple[str, DocumentState], ...]
    coverage: Coverage

    def to_json(self) -> dict[str, Any]:
        """The verdict as a JSON value."""
        return {
            "verdict": self.outcome,
            "subject": subject_json(self.subject),
            "as_of": as_of_json(self.as_of),
            "policy": None if self.policy_digest is None else f"sha256:{self.policy_digest.hex()}",
            "match": match_json(self.match, self.release),
            "claims": [claim_json(claim, self.as_of) for claim in self.claims],
            "claims_total": self.claims_total,
            "reasons": [reason.to_json() for reason in self.reasons],
            "documents": documents_json(self.documents),
            "coverage": {"manifests": {"read": self.coverage.read, "of": self.coverage.of}},
        }

    def to_bytes(self) -> bytes:
        """The verdict as canonical JSON: same inputs, same bytes."""
        return canonical_of_plain(self.to_json())


def judge(subject: Subject, policy: Policy | None, evidence: Evidence) -> Verdict:
    """The verdict on a subject under a policy. Without a policy nothing counts.

    Raises:
        MalformedRequest, EmptyArtifact, UnsafeName, NameCollision: the subject is no folder and no file.
    """
    check_subject(subject)
    case = None if policy is None else case_of(policy, evidence)
    claims = _claims(subject, case, evidence)
    if policy is None or case is None:
        reasons = [_no_publisher("There is no policy"), *_nobody(subject, claims, evidence)]
        return _verdict(subject, None, None, evidence, claims, reasons, ())
    accepted = Acceptance(policy)
    if not policy.publishers_on(evidence.as_of.deployment):
        chain = evidence.as_of.deployment.chain_id
        why = f"The policy names no publisher{f' on chain {chain}' if policy.publishers else ''}"
        reasons = [_no_publisher(why), *_nobody(subject, claims, evidence)]
        return _verdict(subject, policy, accepted, evidence, claims, reasons, ())

    counted = tuple(claim for claim in claims if claim.counted)
    chosen = _chosen(counted, accepted)
    reasons, judged, ancestors = _judge_claims(subject, chosen, case)
    reasons += held_against_files(subject, case, {reason.statement for reason in reasons})
    limits = {*evidence.limits_reached, *(["the extra files and their patterns"] if accepted.cut else [])}
    reasons += [because("limit", limit=limit) for limit in sorted(limits)]
    reasons += _stale(policy, evidence)
    unread = _unread(subject, chosen, counted)
    reasons += unread
    if not judged:
        reasons += _nothing_accepted(subject, claims, counted, evidence, unread)
        if policy.otherwise == "refuse":
            reasons.append(because("otherwise-refuse"))
    documents = [*(claim.release for claim in counted), *judged, *ancestors]
    return _verdict(subject, policy, accepted, evidence, claims, reasons, documents)


def outcome(reasons: Iterable[VerdictReason], policy: Policy | None) -> Outcome:
    """Refusals first, then what is undecided, then a permission for each use."""
    found = tuple(reasons)
    effects = {reason.effect for reason in found}
    if Effect.REFUSE in effects:
        return "refuse"
    if Effect.UNDECIDED in effects or policy is None or not policy.uses:
        return "unknown"
    permitted = {reason.use for reason in found if reason.effect is Effect.ALLOW}
    return "allow" if permitted.issuperset(policy.uses) else "unknown"


def _claims(subject: Subject, case: Case | None, evidence: Evidence) -> tuple[Claim, ...]:
    """Every claim with its match, those that count first. Who counts is decided here, whichever list it stands in."""
    pool = {claim.release_id: claim for claim in (*evidence.others, *evidence.candidates)}
    claims = [
        Claim(release, compare(subject, release), case is not None and case.counts(release))
        for release in pool.values()
    ]
    return tuple(sorted(_same_bytes(claims), key=lambda claim: claim.order))


def _same_bytes(claims: list[Claim]) -> list[Claim]:
    """Counted claims on one artifact match alike: one manifest that was read speaks for those that were not."""
    if all(claim.release.manifest is not None for claim in claims if claim.counted):
        return claims
    read = {
        claim.release.record.release.artifact: claim.match
        for claim in sorted(claims, key=lambda claim: claim.order, reverse=True)
        if claim.counted and claim.release.manifest is not None
    }
    return [
        replace(claim, match=read.get(claim.release.record.release.artifact, claim.match))
        if claim.counted and claim.release.manifest is None and claim.match.kind is MatchKind.NONE
        else claim
        for claim in claims
    ]


def _chosen(counted: tuple[Claim, ...], accepted: Acceptance) -> tuple[Claim, ...]:
    """The claims that decide: those that match in an accepted way, and where one is exact, only exact ones."""
    taken = tuple(claim for claim in counted if accepted(claim.match))
    return tuple(claim for claim in taken if claim.match.kind is MatchKind.EXACT) or taken


def _judge_claims(
    subject: Subject, chosen: tuple[Claim, ...], case: Case
) -> tuple[list[VerdictReason], list[ClaimedRelease], list[ClaimedRelease]]:
    """The reasons of the claims that decide, the releases judged, and their ancestors.

    Refusals count from the latest block on. A release that is not final permits nothing, and beside one that is it
    leaves nothing undecided.
    """
    reasons: list[VerdictReason] = []
    judged: dict[bytes, Claim] = {}
    ancestors: dict[bytes, ClaimedRelease] = {}
    for claim in chosen:
        release = claim.release
        successor = case.active_successor(release)
        if (
            successor is not None
            and case.counts(successor)
            and successor.record.release.artifact == release.record.release.artifact
        ):
            reasons.append(superseded(release, successor))
            judged[successor.release_id] = replace(claim, release=successor)
        else:
            judged[release.release_id] = claim
    final = [claim for claim in judged.values() if case.is_final(claim.release)]
    for claim in judged.values():
        release, lineage = claim.release, walk(claim.release, case)
        found = [*claim_reasons(release, claim.match, case), *declared_reasons(release, subject), *lineage.reasons]
        found += training_reasons(release, lineage.paths, case)
        if not case.is_final(release):
            weighed = (Effect.REFUSE, Effect.INFO) if final else (Effect.REFUSE, Effect.UNDECIDED, Effect.INFO)
            found = [reason for reason in found if reason.effect in weighed]
            found.append(too_young(release, case, alone=not final))
        reasons += found
        ancestors.update((ancestor.release_id, ancestor) for ancestor in lineage.ancestors)
        ancestors.update((one.release_id, one) for one in teachers((release, *lineage.ancestors), case))
    reasons += required((claim.release for claim in final), case)
    return reasons, [claim.release for claim in judged.values()], list(ancestors.values())


def _stale(policy: Policy, evidence: Evidence) -> list[VerdictReason]:
    """Whether the block is older than the policy takes, or may be."""
    if policy.max_age is None:
        return []
    timestamp = evidence.as_of.block.timestamp
    if evidence.asked_at is not None and evidence.asked_at <= timestamp + policy.max_age:
        return []
    return [because("stale", max_age=policy.max_age, time=time_text(timestamp))]


def same_between(policy: Policy | None, as_of: AsOf, asked_at: int) -> tuple[float, float]:
    """The first and the last second in which a question gives the verdict that it gives at `asked_at`."""
    if policy is None or policy.max_age is None:
        return -math.inf, math.inf
    last = as_of.block.timestamp + policy.max_age
    return (-math.inf, last) if asked_at <= last else (last + 1, math.inf)


def _unread(subject: Subject, chosen: tuple[Claim, ...], counted: tuple[Claim, ...]) -> list[VerdictReason]:
    """Counted claims that cannot be compared because their manifest cannot be read. A root needs no manifest, and
    beside an exact match nothing else counts."""
    if isinstance(subject, ArtifactSubject) or any(claim.match.kind is MatchKind.EXACT for claim in chosen):
        return []
    return [
        reason for claim in counted if claim.match.kind is MatchKind.NONE for reason in manifest_reasons(claim.release)
    ]


def _nothing_accepted(
    subject: Subject,
    claims: tuple[Claim, ...],
    counted: tuple[Claim, ...],
    evidence: Evidence,
    unread: list[VerdictReason],
) -> list[VerdictReason]:
    """Why no claim decides: the nearest one differs, it is one file, or there are only strangers, or nobody."""
    near = [claim for claim in counted if claim.match.kind is not MatchKind.NONE]
    if not near:
        if unread:
            return []
        if any(not claim.counted and claim.match.kind is not MatchKind.NONE for claim in claims):
            return [because("only-strangers", block=evidence.as_of.block.number)]
        return _nobody(subject, claims, evidence)
    files = [claim for claim in near if claim.match.kind is MatchKind.FILE]
    if len(files) == len(near):
        return [
            because(
                "file-only",
                about=claim.release.release_id,
                release=release_name(claim.release),
                files=", ".join(f"“{path}”" for path in claim.match.found_at[:10]),
            )
            for claim in files
        ]
    nearest = min(near, key=lambda claim: nearness(claim.match, claim.release))
    pointers = [change.path for change in nearest.match.changed if change.lfs_pointer]
    return [
        because(
            "match-not-accepted",
            about=nearest.release.release_id,
            release=release_name(nearest.release),
            kind=nearest.match.kind,
            differences=_differences(nearest.match),
        ),
        *(because("lfs-pointer", about=nearest.release.release_id, at_file=path) for path in pointers),
    ]


def _differences(match: Match) -> str:
    if not match.differences:
        return "every file listed is the same and the root is another: empty folders differ, or a declared SHA-256"
    shared = f"shares {match.common_files} of {match.release_files} files"
    return f"{shared}; {len(match.missing)} missing, {len(match.extra)} extra, {len(match.changed)} changed"


def _nobody(subject: Subject, claims: tuple[Claim, ...], evidence: Evidence) -> list[VerdictReason]:
    """That there is no claim at all. Only what is found by files depends on how many manifests were read."""
    if any(claim.match.kind is not MatchKind.NONE for claim in claims):
        return []
    read = evidence.coverage
    coverage = "" if isinstance(subject, ArtifactSubject) else f" (manifests read: {read.read} of {read.of})"
    return [because("no-claim", block=evidence.as_of.block.number, coverage=coverage)]


def _no_publisher(why: str) -> VerdictReason:
    return because("no-trusted-publisher", policy=why)


def _verdict(
    subject: Subject,
    policy: Policy | None,
    accepted: Acceptance | None,
    evidence: Evidence,
    claims: tuple[Claim, ...],
    reasons: Iterable[VerdictReason],
    documents: Iterable[ClaimedRelease],
) -> Verdict:
    found = tuple(reasons)
    counted = [claim for claim in claims if claim.counted and claim.match.kind is not MatchKind.NONE]
    nearest = min(
        counted,
        key=lambda claim: (
            accepted is None or not accepted(claim.match),
            *nearness(claim.match, claim.release),
        ),
        default=None,
    )
    strangers = {claim.release_id for claim in evidence.others} - {claim.release_id for claim in evidence.candidates}
    total = None
    if evidence.others_total is not None or not evidence.others:
        total = len({claim.release_id for claim in evidence.candidates}) + max(
            evidence.others_total or 0, len(strangers)
        )
    return Verdict(
        outcome=outcome(found, policy),
        subject=subject,
        as_of=evidence.as_of if policy is None else _as_asked(policy, evidence.as_of),
        policy_digest=None if policy is None else policy.digest,
        match=Match(MatchKind.NONE) if nearest is None else nearest.match,
        release=None if nearest is None else nearest.release,
        claims=claims,
        claims_total=total,
        reasons=listed(found),
        documents=tuple(sorted(_documents(documents), key=lambda item: (item[0], item[1].digest))),
        coverage=evidence.coverage,
    )


def _as_asked(policy: Policy, as_of: AsOf) -> AsOf:
    finality = policy.finality_on(as_of.deployment)
    return as_of if as_of.finality == finality else replace(as_of, finality=finality)


def _documents(releases: Iterable[ClaimedRelease]) -> set[tuple[str, DocumentState]]:
    found: set[tuple[str, DocumentState]] = set()
    for release in releases:
        found.add(("manifest", release.manifest_state))
        if release.terms_state is not None:
            found.add(("terms", release.terms_state))
        if release.training is not None:
            found.add(("training-data", release.training.state))
    return found
