"""What a release was made from: the walk over its ancestors, and whether the uses that made it were permitted.

The registry records what publishers declare; this derives what follows. Parents exist before their children, so there
is no cycle. The walk is breadth first in the order of the records, so that the first path found is a shortest one.
Nothing here says what happened, only what is claimed and what the terms say of it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from registry.chain.records import Deployment, Relation, Status
from registry.policy.evidence import ClaimedRelease
from registry.policy.names import release_name
from registry.policy.policy import Policy
from registry.policy.reasons import VerdictReason, because
from registry.policy.terms import Use, UseState

MAX_ANCESTORS = 1000

# What the one who made the child did with the parent. A preference model learns from judged outputs; a distilled
# one from the parent itself (its logits), not only from what it put out.
USE_OF: Mapping[Relation, Use] = {
    Relation.FINETUNE: Use.MODIFY,
    Relation.CONTINUED_PRETRAINING: Use.MODIFY,
    Relation.ADAPTER: Use.MODIFY,
    Relation.MERGE: Use.MODIFY,
    Relation.QUANTIZATION: Use.MODIFY,
    Relation.PRUNING: Use.MODIFY,
    Relation.CONVERSION: Use.MODIFY,
    Relation.DISTILLATION: Use.DISTIL,
    Relation.TRAINED_ON_OUTPUTS: Use.TRAIN_ON_OUTPUTS,
    Relation.PREFERENCE_MODEL: Use.TRAIN_ON_OUTPUTS,
}


@dataclass(frozen=True, slots=True)
class Lineage:
    """What the walk found, and the ancestors whose documents it rests on."""

    reasons: tuple[VerdictReason, ...]
    ancestors: tuple[ClaimedRelease, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """A release on the way up. `carries`: its weights are in the release that the walk began with."""

    claim: ClaimedRelease
    path: tuple[bytes, ...]
    carries: bool


def active_successor(claim: ClaimedRelease, known: Mapping[bytes, ClaimedRelease]) -> ClaimedRelease | None:
    """The active release of the same publisher that a revoked one leads to, over revoked ones in between."""
    seen = {claim.release_id}
    current = claim
    while current.status.status is Status.REVOKED and current.status.successor is not None:
        following = known.get(current.status.successor)
        if following is None or following.release_id in seen:
            return None
        if following.record.release.publisher != claim.record.release.publisher:
            return None
        seen.add(following.release_id)
        current = following
    return current if current.status.status is Status.ACTIVE and current is not claim else None


def walk(
    claim: ClaimedRelease, policy: Policy, deployment: Deployment, known: Mapping[bytes, ClaimedRelease]
) -> Lineage:
    """The reasons that the ancestors of a release give, one of each kind for an ancestor or an edge."""
    reasons: list[VerdictReason] = _external(claim, claim, (), policy)
    ancestors: dict[bytes, ClaimedRelease] = {}
    missing: set[bytes] = set()
    visited: set[tuple[bytes, bool]] = {(claim.release_id, True)}
    queue = deque([_Step(claim, (claim.release_id,), True)])
    conflict = False
    judged: set[tuple[bytes, bytes, Relation]] = set()
    while queue:
        step = queue.popleft()
        for parent in step.claim.record.release.parents:
            path = (*step.path, parent.release_id)
            ancestor = known.get(parent.release_id)
            if ancestor is None:
                if parent.release_id not in missing:
                    missing.add(parent.release_id)
                    reasons.append(_about("ancestor-missing", claim, path, missing=parent.release_id.hex()))
                continue
            edge = (step.claim.release_id, parent.release_id, parent.relation)
            if edge not in judged:
                judged.add(edge)
                found = _permission(claim, step.claim, ancestor, parent.relation, path, policy)
                if found is not None and not (conflict and found.code == "lineage-conflict"):
                    reasons.append(found)
                    conflict = conflict or found.code == "lineage-conflict"
            if parent.release_id not in ancestors:
                ancestors[parent.release_id] = ancestor
                reasons += _standing(claim, ancestor, path, policy, deployment, known)
                reasons += _external(claim, ancestor, path, policy)
            carries = step.carries and USE_OF[parent.relation] is Use.MODIFY
            if (parent.release_id, carries) in visited:
                continue
            if len(visited) > MAX_ANCESTORS:
                reasons.append(
                    because("limit", about=claim.release_id, limit=f"the lineage has over {MAX_ANCESTORS} ancestors")
                )
                return Lineage(tuple(reasons), tuple(ancestors.values()))
            visited.add((parent.release_id, carries))
            if carries:
                reasons += _denied_uses(claim, ancestor, path, policy)
            queue.append(_Step(ancestor, path, carries))
    return Lineage(tuple(reasons), tuple(ancestors.values()))


def _about(
    code: str, claim: ClaimedRelease, path: tuple[bytes, ...], use: Use | None = None, **values: object
) -> VerdictReason:
    return because(
        code, about=claim.release_id, asked=use, path=path, at_file=None, release=release_name(claim), **values
    )


def _permission(
    claim: ClaimedRelease,
    child: ClaimedRelease,
    parent: ClaimedRelease,
    relation: Relation,
    path: tuple[bytes, ...],
    policy: Policy,
) -> VerdictReason | None:
    """Whether the parent's terms permit what made the child. A publisher needs no permission from itself."""
    if child.record.release.publisher == parent.record.release.publisher:
        return None
    use = USE_OF[relation]
    state = parent.terms.state(use) if parent.terms is not None else UseState.UNKNOWN
    match state:
        case UseState.ALLOWED:
            return None
        case UseState.DENIED:
            code = "lineage-conflict"
        case UseState.CONDITIONAL if use in policy.accept_conditional:
            code = "lineage-conditional-accepted"
        case UseState.CONDITIONAL:
            code = "lineage-conditional"
        case UseState.UNKNOWN:
            code = "lineage-unknown"
    return because(
        code,
        about=claim.release_id,
        asked=use,
        path=path,
        release=release_name(child),
        relation=relation.label,
        parent=release_name(parent),
    )


def _standing(
    claim: ClaimedRelease,
    ancestor: ClaimedRelease,
    path: tuple[bytes, ...],
    policy: Policy,
    deployment: Deployment,
    known: Mapping[bytes, ClaimedRelease],
) -> list[VerdictReason]:
    """What is held against the ancestor itself: its publisher, its status, its manifest."""
    reasons: list[VerdictReason] = []
    parent = release_name(ancestor)
    trusted = policy.trusts(deployment, ancestor.record.release.publisher, ancestor.block_number)
    if not trusted:
        code = "ancestor-untrusted" if policy.lineage == "trusted" else "ancestor-declared"
        reasons.append(_about(code, claim, path, parent=parent))
    why = ancestor.status.reason.label
    if ancestor.status.status is Status.REVOKED:
        successor = _same_artifact(ancestor, active_successor(ancestor, known), trusted, policy, deployment)
        if successor is None:
            reasons.append(_about("ancestor-revoked", claim, path, parent=parent, why=why))
        else:
            successor_name = release_name(successor)
            reasons.append(_about("ancestor-superseded", claim, path, parent=parent, why=why, successor=successor_name))
    elif ancestor.status.status is Status.DEPRECATED:
        reasons.append(_about("ancestor-deprecated", claim, path, parent=parent, why=why))
    state = ancestor.manifest_state
    if ancestor.manifest is None:
        code = "ancestor-manifest-invalid" if state.state == "invalid" else "ancestor-manifest-unavailable"
        detail = state.detail or "the reason is not known."
        reasons.append(_about(code, claim, path, parent=parent, detail=detail))
    return reasons


def _same_artifact(
    ancestor: ClaimedRelease,
    successor: ClaimedRelease | None,
    trusted: bool,
    policy: Policy,
    deployment: Deployment,
) -> ClaimedRelease | None:
    """The successor, if it holds the same bytes and counts as much as the ancestor did."""
    if successor is None or successor.record.release.artifact != ancestor.record.release.artifact:
        return None
    if trusted and not policy.trusts(deployment, successor.record.release.publisher, successor.block_number):
        return None
    return successor


def _external(
    claim: ClaimedRelease, child: ClaimedRelease, path: tuple[bytes, ...], policy: Policy
) -> list[VerdictReason]:
    """The parents outside the registry, which only the manifest names."""
    if child.manifest is None:
        return []
    code = "ancestor-external" if policy.lineage == "trusted" else "ancestor-external-declared"
    return [
        _about(code, claim, path, parent=release_name(child), relation=external.relation, purl=external.purl)
        for external in child.manifest.predicate.external_parents
    ]


def _denied_uses(
    claim: ClaimedRelease, ancestor: ClaimedRelease, path: tuple[bytes, ...], policy: Policy
) -> list[VerdictReason]:
    """The asked uses that the terms of another publisher's weights deny: new terms on a copy do not lift them."""
    if ancestor.terms is None or ancestor.record.release.publisher == claim.record.release.publisher:
        return []
    return [
        _about("ancestor-use-denied", claim, path, use, parent=release_name(ancestor))
        for use in policy.uses
        if ancestor.terms.state(use) is UseState.DENIED
    ]
