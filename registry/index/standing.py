"""What stands beside the releases of a verdict: whose keys ended, what was granted, and what named issuers stated.

Everything is looked for by whom the policy or a release names, through indexes that hold the name: what strangers
record takes no time of it and no place.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, select

from registry.chain.licenses import GrantRecord
from registry.chain.publishers import FreezeRecord, freeze_of
from registry.chain.statements import Kind, StatementRecord, SubjectKind
from registry.index.queries import Located, NotQuick, Snapshot, chunks
from registry.index.queries.base import Here, among, located
from registry.index.schema import freezes, grants, retractions, statements
from registry.index.stated_files import stated_files, together
from registry.policy.case import Span, trusted
from registry.policy.evidence import AsOf, ClaimedRelease, Frozen, RecordedGrant, RecordedStatement, Subject, Topic
from registry.policy.permissions import EVERYONE
from registry.policy.policy import Policy, addresses_on
from registry.policy.stated import asked_files, topics

GRANTS_LIMIT: Final = "grants"
STATEMENTS_LIMIT: Final = "statements"

_READ: Final = [int(kind) for kind in (Kind.EVALUATION, Kind.AUDIT, Kind.ENDORSEMENT, Kind.DISPUTE)]
_RULINGS: Final = [int(kind) for kind in (Kind.RULING_UPHELD, Kind.RULING_DISMISSED)]


@dataclass(slots=True)
class Room:
    """How many more rows may be read; `cut` once there were more."""

    left: int
    cut: bool = False

    def take(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Those of the rows that still have a place, of which one more than that was asked for."""
        self.cut |= len(rows) > self.left
        kept = rows[: self.left]
        self.left -= len(kept)
        return kept


def read_freezes(snapshot: Snapshot, addresses: Iterable[str]) -> dict[str, Frozen | None]:
    """How these ended, or None for each that has not."""
    return {
        address: _frozen([located(FreezeRecord, row._mapping) for row in rows])
        for address, rows in snapshot.kept_by_key(_freezes, "publisher", list(addresses)).items()
    }


def read_trusted(snapshot: Snapshot, policy: Policy, as_of: AsOf) -> tuple[dict[str, Span], dict[str, Frozen | None]]:
    """Whose releases count, and the freezes that this rests on: a successor's may name another one."""
    known: dict[str, Frozen | None] = {}
    while True:
        spans = trusted(policy, as_of, known)
        unread = spans.keys() - known.keys()
        if not unread or not policy.trust_successors:
            return spans, known
        known |= read_freezes(snapshot, sorted(unread))


def read_grants(
    snapshot: Snapshot, policy: Policy, known: Mapping[bytes, ClaimedRelease], room: Room
) -> dict[bytes, tuple[RecordedGrant, ...]]:
    """Every revision of the grants on these releases to everyone, to the account asked for and to their makers."""
    granted = snapshot.granted_any(sorted(known))
    if not granted:
        return {}
    account = policy.account_on(snapshot.deployment)
    makers = {
        claim.record.release.publisher
        for claim in known.values()
        if claim.record.release.parents or (claim.training is not None and claim.training.teachers)
    }
    grantees = sorted({EVERYONE, *makers, *([] if account is None else [account])})
    found: dict[bytes, list[RecordedGrant]] = {}
    for ids in chunks(granted):
        for names in chunks(grantees):
            rows = snapshot.ask(_grants, ids=ids, grantees=names, most=room.left + 1).mappings().all()
            for row in room.take(rows):
                grant = located(GrantRecord, row)
                snapshot.expect_known((grant.record.from_, grant.record.until))
                found.setdefault(grant.record.release_id, []).append(
                    RecordedGrant(grant.record, grant.location.block_number)
                )
    return {release: tuple(recorded) for release, recorded in found.items()}


def read_statements(
    snapshot: Snapshot, policy: Policy, known: Collection[ClaimedRelease], asked: Subject, room: Room
) -> tuple[tuple[RecordedStatement, ...], dict[bytes, dict[Topic, str]]]:
    """What the issuers that the policy names stated about these releases, their files and those asked about, and the
    rulings that bear on them; and which of the releases' files it is about.

    Raises `NotQuick` in a snapshot that is to be quick: whoever is named may have stated ever so much.
    """
    issuers = sorted(policy.issuers_on(snapshot.deployment))
    if not issuers:
        return (), {}
    if snapshot.is_quick:
        raise NotQuick
    arbiters = sorted(addresses_on(snapshot.deployment, policy.rulings))
    files = _files_held_against(snapshot, policy, known)
    about = {subject for claim in known for _, subject in topics(claim)}
    about |= {subject for places in files.values() for _, subject in places}
    if policy.disputes or policy.rulings:
        about |= {subject for _, subject in asked_files(asked)}
    found = _about(snapshot, sorted(about), issuers, [*_READ, *_RULINGS], room)
    disputes = [state.statement_id for state in found if state.record.kind is Kind.DISPUTE]
    found += _about(snapshot, disputes, arbiters, _RULINGS, room)
    upheld, more = _upheld(snapshot, arbiters, about, known, room)
    found += upheld
    return tuple({statement.statement_id: statement for statement in found}.values()), together(files, more)


def _freezes(here: Here) -> Select[Any]:
    query = select(freezes).where(here(freezes), freezes.c.publisher.in_(among("keys")))
    return query.order_by(freezes.c.seq)


def _grants(here: Here) -> Select[Any]:
    of = (grants.c.release_id.in_(among("ids")), grants.c.grantee.in_(among("grantees")))
    return select(grants).where(here(grants), *of).order_by(grants.c.seq).limit(bindparam("most"))


def _frozen(found: Sequence[Located[FreezeRecord]]) -> Frozen | None:
    freeze = freeze_of([one.record for one in found])
    return None if freeze is None else Frozen(freeze, found[-1].location.block_number)


def _about(
    snapshot: Snapshot, subjects: Sequence[bytes], issuers: Sequence[str], kinds: Sequence[int], room: Room
) -> list[RecordedStatement]:
    found: list[RecordedStatement] = []
    for part in chunks(subjects):
        for names in chunks(issuers):
            query = select(statements).where(
                statements.c.subject.in_(part), statements.c.issuer.in_(names), statements.c.kind.in_(kinds)
            )
            found += _statements(snapshot, query, room)
    return found


def _files_held_against(
    snapshot: Snapshot, policy: Policy, known: Iterable[ClaimedRelease]
) -> dict[bytes, dict[Topic, str]]:
    """The files of these releases that somebody whom the policy names disputes, or has ruled on."""
    releases = sorted(claim.release_id for claim in known)
    found: dict[bytes, dict[Topic, str]] = {}
    for accounts, kind in ((policy.disputes, Kind.DISPUTE), (policy.rulings, Kind.RULING_UPHELD)):
        for names in chunks(sorted(addresses_on(snapshot.deployment, accounts))):
            by_these = and_(statements.c.issuer.in_(names), statements.c.kind == int(kind))
            found = together(found, stated_files(snapshot, releases, by_these))
    return found


def _upheld(
    snapshot: Snapshot,
    arbiters: Sequence[str],
    subjects: Collection[bytes],
    known: Iterable[ClaimedRelease],
    room: Room,
) -> tuple[list[RecordedStatement], dict[bytes, dict[Topic, str]]]:
    """Rulings that upheld a statement on one of these subjects or on a file of these releases, whoever made it, with
    that statement; and which files.

    Looked for from the arbiters' side: anyone may make any number of statements on a subject.
    """
    rulings: list[RecordedStatement] = []
    for arbiter in arbiters:
        query = select(statements).where(
            statements.c.issuer == arbiter,
            statements.c.kind == int(Kind.RULING_UPHELD),
            statements.c.subject_kind == int(SubjectKind.STATEMENT),
        )
        rulings += _statements(snapshot, query, room)
    releases = sorted(claim.release_id for claim in known)
    upheld: dict[bytes, RecordedStatement] = {}
    files: dict[bytes, dict[Topic, str]] = {}
    for part in chunks(sorted({ruling.record.subject for ruling in rulings})):
        these = statements.c.statement_id.in_(part)
        held = stated_files(snapshot, releases, these)
        files = together(files, held)
        meant = {*subjects, *(subject for places in held.values() for _, subject in places)}
        query = select(statements).where(these)
        upheld |= {one.statement_id: one for one in _statements(snapshot, query, room) if one.record.subject in meant}
    return [*upheld.values(), *(ruling for ruling in rulings if ruling.record.subject in upheld)], files


def _statements(snapshot: Snapshot, query: Select[Any], room: Room) -> list[RecordedStatement]:
    query = query.where(snapshot.here(statements)).order_by(statements.c.seq).limit(room.left + 1)
    rows = room.take(snapshot.connection.execute(query).mappings().all())
    snapshot.expect_known(row["expires"] for row in rows)
    taken_back: dict[bytes, Any] = {}
    for part in chunks([row["statement_id"] for row in rows]):
        retracted = select(retractions).where(snapshot.here(retractions), retractions.c.statement_id.in_(part))
        taken_back |= {row["statement_id"]: row for row in snapshot.connection.execute(retracted).mappings()}
    return [_statement(row, taken_back.get(row["statement_id"])) for row in rows]


def _statement(row: Any, retraction: Any) -> RecordedStatement:
    made = located(StatementRecord, row)
    return RecordedStatement(
        row["statement_id"],
        made.record,
        made.location.block_number,
        None if retraction is None else retraction["timestamp"],
        None if retraction is None else retraction["block_number"],
    )
