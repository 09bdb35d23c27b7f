"""What a release was made from: the walk over its ancestors, and whether the uses that made it were permitted.

The registry records what publishers declare; this derives what follows. Parents exist before their children, so there
is no cycle. The walk is breadth first in the order of the records, so that the first path found is a shortest one.
Nothing here says what happened, only what is claimed and what the terms say of it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from registry.chain.identifiers import Account
from registry.chain.records import Relation, Status
from registry.policy.case import Case
from registry.policy.evidence import ClaimedRelease
from registry.policy.names import release_name, time_text
from registry.policy.permissions import Moment, granted, grantees_of
from registry.policy.policy import Policy
from registry.policy.reasons import VerdictReason, because
from registry.policy.stated import held_against
from registry.policy.terms import Use, UseState

MAX_ANCESTORS = 1000
MAX_GENERATIONS = 64
"""How far up is looked: each generation is read after the one below it, and a path to it is told."""

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
    """What the walk found, and the ancestors whose documents it rests on, each with the way to it."""

    reasons: tuple[VerdictReason, ...]
    paths: tuple[tuple[ClaimedRelease, tuple[bytes, ...]], ...]

    @property
    def ancestors(self) -> tuple[ClaimedRelease, ...]:
        return tuple(ancestor for ancestor, _ in self.paths)


@dataclass(frozen=True, slots=True)
class _Step:
    """A release on the way up. `carries`: its weights are in the release that the walk began with."""

    claim: ClaimedRelease
    path: tuple[bytes, ...]
    carries: bool


def walk(claim: ClaimedRelease, case: Case) -> Lineage:
    """The reasons that the ancestors of a release give, one of each kind for an ancestor or an edge."""
    reasons: list[VerdictReason] = _external(claim, claim, (), case.policy)
    ancestors: dict[bytes, tuple[ClaimedRelease, tuple[bytes, ...]]] = {}
    missing: set[bytes] = set()
    visited: set[tuple[bytes, bool]] = {(claim.release_id, True)}
    queue = deque([_Step(claim, (claim.release_id,), True)])
    conflict = False
    judged: set[tuple[bytes, bytes, Relation]] = set()
    while queue:
        step = queue.popleft()
        if len(step.path) > MAX_GENERATIONS and step.claim.record.release.parents:
            reasons.append(
                because("limit", about=claim.release_id, limit=f"the lineage has over {MAX_GENERATIONS} generations")
            )
            return Lineage(tuple(reasons), tuple(ancestors.values()))
        for parent in step.claim.record.release.parents:
            path = (*step.path, parent.release_id)
            ancestor = case.known.get(parent.release_id)
            if ancestor is None:
                if parent.release_id not in missing:
                    missing.add(parent.release_id)
                    reasons.append(_about("ancestor-missing", claim, path, missing=parent.release_id.hex()))
                continue
            edge = (step.claim.release_id, parent.release_id, parent.relation)
            if edge not in judged:
                judged.add(edge)
                found = _permission(claim, step.claim, ancestor, parent.relation, path, case)
                if found is not None and not (conflict and found.code == "lineage-conflict"):
                    reasons.append(found)
                    conflict = conflict or found.code == "lineage-conflict"
            if parent.release_id not in ancestors:
                ancestors[parent.release_id] = (ancestor, path)
                reasons += _standing(claim, ancestor, path, case)
                reasons += _external(claim, ancestor, path, case.policy)
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
                reasons += _denied_uses(claim, ancestor, path, case)
            queue.append(_Step(ancestor, path, carries))
    return Lineage(tuple(reasons), tuple(ancestors.values()))


def _about(
    code: str, claim: ClaimedRelease, path: tuple[bytes, ...], use: Use | None = None, **values: object
) -> VerdictReason:
    return because(
        code,
        about=claim.release_id,
        asked=use,
        path=path,
        at_file=None,
        statement=None,
        dataset=None,
        release=release_name(claim),
        **values,
    )


def _permission(
    claim: ClaimedRelease,
    child: ClaimedRelease,
    parent: ClaimedRelease,
    relation: Relation,
    path: tuple[bytes, ...],
    judging: Case,
) -> VerdictReason | None:
    """Whether the parent permitted what made the child, at the end of the child's block: by its terms, or by a grant
    to the child's publisher or to everyone. A publisher needs no permission from itself."""
    if child.record.release.publisher == parent.record.release.publisher:
        return None
    use = USE_OF[relation]
    state = parent.terms.state(use) if parent.terms is not None else UseState.UNKNOWN
    match state:
        case _ if parent.status.status is Status.REVOKED and parent.status.since <= child.record.timestamp:
            code = "lineage-revoked"
        case UseState.ALLOWED:
            return None
        case _ if _was_granted(child, parent, use, judging):
            code = "lineage-granted"
        case UseState.DENIED:
            code = "lineage-conflict"
        case UseState.CONDITIONAL if use in judging.policy.accept_conditional:
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


def _was_granted(child: ClaimedRelease, parent: ClaimedRelease, use: Use, case: Case) -> bool:
    at = Moment(child.block_number, child.record.timestamp)
    publisher = child.record.release.publisher
    trusted = case.believed_until(parent.record.release.publisher)
    return granted(case.grants(parent), grantees_of(publisher), use, at, trusted) is not None


def _standing(
    claim: ClaimedRelease, ancestor: ClaimedRelease, path: tuple[bytes, ...], case: Case
) -> list[VerdictReason]:
    """What is held against the ancestor itself: its publisher, its status, its manifest, what is stated about it."""
    parent = release_name(ancestor)
    reasons = _publisher(claim, ancestor, path, case)
    why = ancestor.status.reason.label
    if ancestor.status.status is Status.REVOKED:
        successor = _same_artifact(ancestor, case)
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
    return [*reasons, *held_against(ancestor, case, about=claim, path=path)]


def _publisher(
    claim: ClaimedRelease, ancestor: ClaimedRelease, path: tuple[bytes, ...], case: Case
) -> list[VerdictReason]:
    """Whether the ancestor counts, and whether it is its publisher's own record."""
    parent, publisher = release_name(ancestor), ancestor.record.release.publisher
    reasons: list[VerdictReason] = []
    if not case.counts(ancestor):
        code = "ancestor-untrusted" if case.policy.lineage == "trusted" else "ancestor-declared"
        reasons.append(_about(code, claim, path, parent=parent))
    if not case.is_read(publisher):
        account = Account(case.evidence.as_of.deployment.chain_id, publisher)
        reasons.append(_about("publisher-unread", claim, path, publisher=account))
    elif case.is_compromised(ancestor):
        since = time_text(case.believed_until(publisher))
        reasons.append(_about("ancestor-compromised", claim, path, parent=parent, since=since))
    return reasons


def _same_artifact(ancestor: ClaimedRelease, case: Case) -> ClaimedRelease | None:
    """The active successor, if it holds the same bytes and counts as much as the ancestor did."""
    successor = case.active_successor(ancestor)
    if successor is None or successor.record.release.artifact != ancestor.record.release.artifact:
        return None
    if case.is_compromised(successor) or (case.counts(ancestor) and not case.counts(successor)):
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
        _about(code, claim, path, parent=release_name(child), relation=relation, purl=purl)
        for purl, relation in child.manifest.external_parents
    ]


def _denied_uses(
    claim: ClaimedRelease, ancestor: ClaimedRelease, path: tuple[bytes, ...], case: Case
) -> list[VerdictReason]:
    """The asked uses that the terms of another publisher's weights deny: new terms on a copy do not lift them, and
    only a grant of that publisher does."""
    if ancestor.terms is None or ancestor.record.release.publisher == claim.record.release.publisher:
        return []
    return [
        _about(
            "ancestor-use-granted" if case.is_granted(ancestor, use) else "ancestor-use-denied",
            claim,
            path,
            use,
            parent=release_name(ancestor),
        )
        for use in case.policy.uses
        if ancestor.terms.state(use) is UseState.DENIED
    ]
