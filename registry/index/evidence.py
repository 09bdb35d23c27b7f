"""What the index knows about a subject, gathered for a verdict from one snapshot.

Releases by publishers that the policy names are looked for on their own, through indexes that begin with what is asked
and continue with the publisher: however many strangers claim the same bytes, they take no place and no time of these.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import select

from registry.index.ground import Ground
from registry.index.looked_for import (
    Shared,
    Wanted,
    all_releases,
    distinct_files,
    look_together,
    of_artifact,
    of_files,
    places_of,
    unread_of,
    wanted_of,
)
from registry.index.queries import Allowance, NotQuick, Snapshot
from registry.index.schema import releases
from registry.index.standing import (
    GRANTS_LIMIT,
    STATEMENTS_LIMIT,
    Room,
    read_freezes,
    read_grants,
    read_statements,
    read_trusted,
)
from registry.policy.evidence import (
    ClaimedRelease,
    Evidence,
    Frozen,
    SharedFiles,
    Subject,
)
from registry.policy.lineage import MAX_GENERATIONS
from registry.policy.policy import Policy

CANDIDATES_LIMIT: Final = "candidates"
ANCESTORS_LIMIT: Final = "lineage"
DOCUMENTS_LIMIT: Final = "documents"

_FEW: Final = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is gathered. What is cut short of `whole` or `related` is named in `Evidence.limits_reached`.

    `whole`: releases of one publisher that can decide: the artifact asked about, those whose files are all among those
    asked about or have all of these among them, and those whose files are not known yet. `partial`: releases of one
    publisher that share some files, the nearest first: these only show what changed. `others`: strangers' releases
    shown. `counted`: how far strangers are counted. `related`: ancestors and successors. `documents`: bytes of the
    manifests, terms and training data of all that can decide; those of strangers are never looked at. `grants`:
    revisions of grants. `statements`: statements by issuers that the policy names.
    """

    whole: int = 200
    partial: int = 20
    others: int = 100
    counted: int = 1_000
    related: int = 1_000
    documents: int = 32 << 20
    grants: int = 10_000
    statements: int = 10_000


DEFAULT_LIMITS: Final = Limits()
_QUICK_GENERATIONS: Final = 8


@dataclass(slots=True)
class _Found:
    ids: list[bytes] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Sought:
    """A subject under a policy, and the releases that it concerns: those that count, and strangers'."""

    subject: Subject
    ground: Ground
    wanted: Wanted
    counted: _Found
    others: Sequence[bytes]
    others_total: int | None


def gather(
    snapshot: Snapshot,
    subject: Subject,
    policy: Policy,
    *,
    limits: Limits = DEFAULT_LIMITS,
    asked_at: int | None = None,
) -> Evidence:
    """The evidence about a subject under a policy, asked at a time in seconds since the epoch.

    Raises `IndexUnavailable` while the index has read nothing.
    """
    (sought,) = seek(snapshot, [(subject, policy)], limits=limits)
    return evidence_of(snapshot, sought, limits=limits, asked_at=asked_at)


def seek(
    snapshot: Snapshot, asked: Iterable[tuple[Subject, Policy]], *, limits: Limits = DEFAULT_LIMITS
) -> list[Sought]:
    """The first half of `gather`, for many subjects: the snapshot reads together what the second half takes of each.

    Raises `IndexUnavailable`.
    """
    all_asked = [(subject, wanted_of(subject), policy) for subject, policy in asked]
    look_together(snapshot, (wanted for _, wanted, _ in all_asked), limits.counted + 1)
    found = [_sought(snapshot, subject, wanted, policy, limits) for subject, wanted, policy in all_asked]
    described = [one for sought in found if not sought.wanted.is_folder for one in sought.counted.ids]
    snapshot.look_ahead({one for sought in found for one in (*sought.counted.ids, *sought.others)}, described)
    return found


def _sought(snapshot: Snapshot, subject: Subject, wanted: Wanted, policy: Policy, limits: Limits) -> Sought:
    ground = _ground(snapshot, policy)
    counted = _counted(snapshot, wanted, ground, limits)
    return Sought(subject, ground, wanted, counted, *_others(snapshot, wanted, ground.named, limits))


def _ground(snapshot: Snapshot, policy: Policy) -> Ground:
    ground = snapshot.kept_ground(policy.digest)
    if ground is None:
        as_of = snapshot.as_of(policy.finality_on(snapshot.deployment))
        spans, freezes = read_trusted(snapshot, policy, as_of)
        named = {address: spans[address] for address in sorted(spans)}
        heard = {*policy.publishers_on(snapshot.deployment), *policy.issuers_on(snapshot.deployment)}
        freezes |= read_freezes(snapshot, heard - freezes.keys())
        ground = Ground(policy, as_of, named, _publishers_with_releases(snapshot, list(named)), freezes)
        snapshot.keep_ground(policy.digest, ground, len(freezes))
    return ground


def evidence_of(
    snapshot: Snapshot, sought: Sought, *, limits: Limits = DEFAULT_LIMITS, asked_at: int | None = None
) -> Evidence:
    """The second half of `gather`, with the same limits."""
    ground, wanted = sought.ground, sought.wanted
    policy = ground.policy
    allowance = Allowance(limits.documents)
    candidates = _candidates(snapshot, wanted, sought.counted.ids, allowance)
    related, related_cut = _related(snapshot, candidates, ground.named, limits, allowance)
    if policy.training_data is not None:
        candidates = snapshot.with_training(candidates, allowance)
        related = snapshot.with_training(related, allowance)
        if policy.training_data.outputs == "permitted":
            teachers, more = _teachers(snapshot, candidates | related, limits.related - len(related), allowance)
            related, related_cut = related | teachers, related_cut or more
    strangers = _shared(snapshot, wanted, snapshot.releases(sought.others, "none")) if sought.others else {}
    known = candidates | related if related else candidates
    grants, statements = Room(limits.grants), Room(limits.statements)
    granted = read_grants(snapshot, policy, known, grants)
    stated, stated_files = read_statements(snapshot, policy, known.values(), sought.subject, statements)
    reached = (
        [CANDIDATES_LIMIT] * sought.counted.cut + [ANCESTORS_LIMIT] * related_cut + [DOCUMENTS_LIMIT] * allowance.cut
    )
    reached += [GRANTS_LIMIT] * grants.cut + [STATEMENTS_LIMIT] * statements.cut
    return Evidence(
        as_of=ground.as_of,
        candidates=_ordered(candidates.values()),
        others=_ordered(strangers.values()),
        others_total=sought.others_total,
        related=related,
        coverage=snapshot.coverage(),
        publishers=_with_publishers(snapshot, ground.frozen, known.values()),
        limits_reached=tuple(reached),
        grants=granted,
        statements=stated,
        stated_files=stated_files,
        asked_at=asked_at,
    )


def _teachers(
    snapshot: Snapshot, known: Mapping[bytes, ClaimedRelease], room: int, allowance: Allowance
) -> tuple[dict[bytes, ClaimedRelease], bool]:
    """The releases that these declare to have learnt from, and whether there are more than there is room for."""
    named = {one for claim in known.values() if claim.training is not None for one in claim.training.teachers}
    new = sorted(named - known.keys())
    shown = new[: max(0, room)]
    return snapshot.releases(shown, "described", allowance), len(new) > len(shown)


def _with_publishers(
    snapshot: Snapshot, frozen: Mapping[str, Frozen | None], known: Iterable[ClaimedRelease]
) -> Mapping[str, Frozen | None]:
    """Of everybody of whom it matters whether their key ended: the publishers of these releases too."""
    lacking = {claim.record.release.publisher for claim in known} - frozen.keys()
    return {**frozen, **read_freezes(snapshot, lacking)} if lacking else frozen


def needed(snapshot: Snapshot, policy: Policy, limits: Limits = DEFAULT_LIMITS) -> list[bytes]:
    """The releases whose documents can decide under a policy: those of publishers that it names, and ancestors."""
    found: dict[bytes, None] = {}
    spans, _ = read_trusted(snapshot, policy, snapshot.as_of())
    for publisher in sorted(spans):
        found.update(dict.fromkeys(snapshot.ids_of_publisher(publisher)))
    frontier = list(found)
    room = len(found) + limits.related
    while frontier and len(found) < room:
        frontier = [parent for parent in snapshot.parents_of(frontier) if parent not in found]
        found.update(dict.fromkeys(frontier))
    return list(found)


def _candidates(
    snapshot: Snapshot, wanted: Wanted, ids: Sequence[bytes], allowance: Allowance
) -> dict[bytes, ClaimedRelease]:
    """Files are compared with those of manifests; where one file lies, and a root, is known from the rows."""
    if wanted.is_folder:
        return snapshot.releases(ids, "whole", allowance)
    return _shared(snapshot, wanted, snapshot.releases(ids, "described", allowance))


def _shared(snapshot: Snapshot, wanted: Wanted, found: dict[bytes, ClaimedRelease]) -> dict[bytes, ClaimedRelease]:
    """Says of each release what its rows say of the files that were looked for."""
    marked = {}
    for identifier, claim in found.items():
        release = claim.record.release
        if wanted.artifact is not None and release.artifact == wanted.artifact:
            marked[identifier] = claim
        elif wanted.is_folder:
            marked[identifier] = replace(claim, shared=SharedFiles())
        else:
            marked[identifier] = replace(claim, shared=places_of(snapshot, wanted, release.publisher, identifier))
    return marked


def _ordered(found: Collection[ClaimedRelease]) -> tuple[ClaimedRelease, ...]:
    if len(found) < 2:
        return tuple(found)
    return tuple(sorted(found, key=lambda claim: (claim.record.since, claim.record.seq)))


def _counted(snapshot: Snapshot, wanted: Wanted, ground: Ground, limits: Limits) -> _Found:
    found = _Found()
    asked = ground.worth_asking
    exact = of_artifact(snapshot, wanted, asked, limits.whole + 1, limits.counted + 1)
    shared = of_files(snapshot, wanted, asked, limits.counted + 1)
    for publisher in sorted({*exact, *shared}) if wanted.is_root else asked:
        whole, partial = _by_weight(snapshot, wanted, shared.get(publisher, {}))
        unread = unread_of(snapshot, wanted, publisher, limits.whole + 1)
        deciding = list(dict.fromkeys([*exact.get(publisher, ()), *whole, *unread]))
        found.cut |= len(deciding) > limits.whole
        found.ids.extend(dict.fromkeys([*deciding[: limits.whole], *partial[: limits.partial]]))
    return found


def _publishers_with_releases(snapshot: Snapshot, named: Sequence[str]) -> list[str]:
    """Of the publishers named, those worth asking about: a policy may name a thousand that were never here."""
    if len(named) <= _FEW:
        return list(named)
    return [
        publisher
        for publisher in named
        if snapshot.connection.execute(
            select(releases.c.seq).where(snapshot.here(releases), releases.c.publisher == publisher).limit(1)
        ).first()
    ]


def _by_weight(snapshot: Snapshot, wanted: Wanted, shared: dict[bytes, Shared]) -> tuple[list[bytes], list[bytes]]:
    """A publisher's releases that share files: those that can decide, and the rest with the nearest first."""
    if wanted.is_root:
        return [], sorted(shared)  # the root decides; that some release holds it as a file is shown
    if not wanted.is_folder:
        return sorted(shared), []
    sizes = distinct_files(snapshot, list(shared))
    whole = {
        identifier
        for identifier, entry in shared.items()
        if entry.contents >= wanted.contents or entry.contents >= sizes.get(identifier, 0)
    }
    by_nearness = sorted(
        shared, key=lambda identifier: (-shared[identifier].size, -shared[identifier].contents, identifier)
    )
    return (
        [identifier for identifier in by_nearness if identifier in whole],
        [identifier for identifier in by_nearness if identifier not in whole],
    )


def _others(
    snapshot: Snapshot, wanted: Wanted, trusted: Container[str], limits: Limits
) -> tuple[list[bytes], int | None]:
    """Strangers' releases, and how many there are; None: more than were counted. Never more work than the limits."""
    seen: dict[bytes, None] = {}
    cut = False
    for rows in all_releases(snapshot, wanted, limits.counted + 1):
        seen.update((row.release_id, None) for row in rows if row.publisher not in trusted)
        if len(rows) > limits.counted or len(seen) > limits.counted:
            cut = True
            break
    return list(seen)[: limits.others], None if cut else len(seen)


def _related(
    snapshot: Snapshot,
    candidates: dict[bytes, ClaimedRelease],
    named: Container[str],
    limits: Limits,
    allowance: Allowance,
) -> tuple[dict[bytes, ClaimedRelease], bool]:
    """Ancestors and successors, by id, and whether there are more than the limit, or more generations than are judged.

    Successors are followed from named publishers' releases only: they stay with their publisher, while an ancestor's
    could be led on without end by whoever owns it.
    """
    found: dict[bytes, ClaimedRelease] = {}
    frontier = list(candidates.values())
    for generation in range(MAX_GENERATIONS + 1):
        if not frontier:
            break
        if snapshot.is_quick and generation == _QUICK_GENERATIONS:
            raise NotQuick
        next_ids = {parent.release_id for claim in frontier for parent in claim.record.release.parents}
        next_ids |= {
            claim.status.successor
            for claim in frontier
            if claim.status.successor is not None and claim.record.release.publisher in named
        }
        new = sorted(identifier for identifier in next_ids if identifier not in found) if next_ids else []
        if not new:
            return found, False
        room = limits.related - len(found)
        loaded = snapshot.releases(new[:room], "described", allowance)
        found.update(loaded)
        if len(new) > room:
            return found, True
        frontier = list(loaded.values())
    return found, bool(frontier)
