"""What the issuers that a policy names have stated: disputes, rulings on them, and the statements that it requires.

Only statements of the evidence whose issuer the policy names for that are read. What speaks against a release counts
from the latest block on and until its end is final; what speaks for one, from the block that is final.
"""

from collections.abc import Collection, Iterable, Iterator

from registry.chain.identifiers import Account, FileHash
from registry.chain.records import ZERO
from registry.chain.statements import Kind, SubjectKind
from registry.content.cid import Cid
from registry.content.names import printable
from registry.policy.case import Case
from registry.policy.evidence import (
    ArtifactSubject,
    ClaimedRelease,
    FilesSubject,
    RecordedStatement,
    Subject,
    Topic,
)
from registry.policy.names import release_name
from registry.policy.permissions import statement_in_force
from registry.policy.policy import Requirement, addresses_on
from registry.policy.reasons import VerdictReason, because

_WHAT = {
    SubjectKind.ARTIFACT: "the files of ",
    SubjectKind.RELEASE: "",
    SubjectKind.ACCOUNT: "the publisher of ",
    SubjectKind.TERMS: "the terms of ",
    SubjectKind.DATASET: "the training data of ",
}


def topics(claim: ClaimedRelease) -> tuple[Topic, ...]:
    """What a statement may be about so that it is about this release."""
    release = claim.record.release
    found: list[Topic] = [
        (SubjectKind.ARTIFACT, release.artifact),
        (SubjectKind.RELEASE, claim.release_id),
        (SubjectKind.ACCOUNT, bytes.fromhex(release.publisher[2:]).rjust(32, b"\0")),
    ]
    if release.terms != ZERO:
        found.append((SubjectKind.TERMS, release.terms))
    if release.training_data != ZERO:
        found.append((SubjectKind.DATASET, release.training_data))
    return tuple(found)


def file_topics(sha256: bytes | None, cid: Cid | None) -> tuple[Topic, ...]:
    """What a statement may be about so that it is about this file: its SHA-256, or the digest of its CID.

    A CID of the one kind that artifacts have too is written as theirs are.
    """
    found: list[Topic] = [] if sha256 is None else [(SubjectKind.FILE, sha256)]
    if cid is not None:
        found += [(SubjectKind.FILE, cid.digest), (SubjectKind.ARTIFACT, cid.digest)]
    return tuple(dict.fromkeys(found))


def asked_files(subject: Subject) -> dict[Topic, str]:
    """What a statement may be about so that it is about a file asked about, and how that file is shown."""
    if isinstance(subject, ArtifactSubject):
        return {}
    if isinstance(subject, FilesSubject):
        named = [(file.sha256, file.cid, f"“{printable(file.path)}”") for file in subject.files]
    else:
        shown = FileHash(subject.sha256) if subject.sha256 is not None else subject.cid
        named = [(subject.sha256, subject.cid, str(shown))]
    return {topic: name for sha256, cid, name in reversed(named) for topic in file_topics(sha256, cid)}


def held_against(
    claim: ClaimedRelease, case: Case, *, about: ClaimedRelease | None = None, path: tuple[bytes, ...] = ()
) -> list[VerdictReason]:
    """Disputes in force and rulings that upheld one, of the release or a file in it. `about` is the release judged,
    where `claim` is its ancestor.
    """
    files = case.evidence.stated_files.get(claim.release_id, {})
    prefix = "" if about is None else "ancestor-"
    return [
        _stated(
            code if dismissal is not None else prefix + code,
            statement,
            about or claim,
            claim,
            case,
            path,
            by=dismissal,
            in_file=files.get((statement.record.subject_kind, statement.record.subject)),
        )
        for code, statement, dismissal, _ in _held((*topics(claim), *files), case)
    ]


def held_against_files(subject: Subject, case: Case, told: Collection[bytes | None]) -> list[VerdictReason]:
    """The same of the files asked about, whether a release has them or not; `told` are statements told of already."""
    files = asked_files(subject) if case.disputing or case.ruling else {}
    chain_id = case.evidence.as_of.deployment.chain_id
    return [
        because(
            f"file-{code}",
            statement=statement.statement_id,
            issuer=Account(chain_id, statement.record.issuer),
            arbiter="" if dismissal is None else Account(chain_id, dismissal.record.issuer),
            which=files[topic],
        )
        for code, statement, dismissal, topic in _held(files, case)
        if statement.statement_id not in told
    ]


def _held(
    about: Iterable[Topic], case: Case
) -> Iterator[tuple[str, RecordedStatement, RecordedStatement | None, Topic]]:
    """What stands against these: its code, the statement, the ruling that dismissed it, and what it is about."""
    if not case.disputing and not case.ruling:
        return
    for topic in dict.fromkeys(about):
        found = list(case.about.get(topic, ()))
        for dispute in [statement for statement in found if statement.record.kind is Kind.DISPUTE]:
            rulings = case.about.get((SubjectKind.STATEMENT, dispute.statement_id), ())
            found += rulings
            if dispute.record.issuer in case.disputing and _stands(dispute, case):
                dismissal = _ruled(rulings, Kind.RULING_DISMISSED, case)
                yield "disputed" if dismissal is None else "dispute-dismissed", dispute, dismissal, topic
        for ruling in found:
            is_upheld = ruling.record.kind is Kind.RULING_UPHELD and ruling.record.issuer in case.ruling
            if is_upheld and _stands(ruling, case):
                yield "ruling-upheld", ruling, None, topic


def required(judged: Iterable[ClaimedRelease], case: Case) -> list[VerdictReason]:
    """Whether each release has the statements that the policy requires. Of the same bytes one speaks for all."""
    releases = list(judged)
    return [
        _required(requirement, claim, [one for one in releases if _same_bytes(one, claim)], case)
        for requirement in case.policy.require
        for claim in releases
    ]


def _required(requirement: Requirement, claim: ClaimedRelease, same: list[ClaimedRelease], case: Case) -> VerdictReason:
    issuers = addresses_on(case.evidence.as_of.deployment, requirement.issuers)
    about = [topic for one in same for topic in topics(one) if topic[0] in requirement.about]
    for statement in (statement for topic in about for statement in case.about.get(topic, ())):
        named = statement.record.kind is requirement.kind and statement.record.issuer in issuers
        if named and _speaks(statement, case):
            return _stated("statement-found", statement, claim, claim, case)
    return because(
        "statement-required", about=claim.release_id, release=release_name(claim), kind=requirement.kind.label
    )


def _same_bytes(one: ClaimedRelease, other: ClaimedRelease) -> bool:
    return one.record.release.artifact == other.record.release.artifact


def _stands(statement: RecordedStatement, case: Case) -> bool:
    """Whether a statement against a release holds: its end must be final."""
    retracted = statement.retracted_block is not None and statement.retracted_block <= case.final_block
    record = statement.record
    return not retracted and case.at.timestamp < record.expires and record.timestamp <= case.doubted_from(record.issuer)


def _speaks(statement: RecordedStatement, case: Case) -> bool:
    """Whether a statement for a release holds: it must be final itself."""
    return statement.block_number <= case.final_block and statement_in_force(
        statement, case.at, case.believed_until(statement.record.issuer)
    )


def _ruled(rulings: Iterable[RecordedStatement], kind: Kind, case: Case) -> RecordedStatement | None:
    """The first ruling of this kind that counts for a release."""
    for ruling in rulings:
        if ruling.record.kind is kind and ruling.record.issuer in case.ruling and _speaks(ruling, case):
            return ruling
    return None


def _stated(
    code: str,
    statement: RecordedStatement,
    judged: ClaimedRelease,
    about: ClaimedRelease,
    case: Case,
    path: tuple[bytes, ...] = (),
    by: RecordedStatement | None = None,
    in_file: str | None = None,
) -> VerdictReason:
    chain_id = case.evidence.as_of.deployment.chain_id
    return because(
        code,
        about=judged.release_id,
        path=path,
        statement=statement.statement_id,
        issuer=Account(chain_id, statement.record.issuer),
        arbiter="" if by is None else Account(chain_id, by.record.issuer),
        kind=statement.record.kind.label,
        what=_WHAT.get(statement.record.subject_kind, "a statement on ")
        if in_file is None
        else f"the file “{printable(in_file)}” of ",
        release=release_name(judged),
        disputed=release_name(about),
    )
