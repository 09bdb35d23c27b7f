"""A registry in memory for the tests of the policy: real manifests, terms and records, gathered as an index does."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from registry.artifacts.canonical import canonical
from registry.artifacts.manifest import Manifest, parse_manifest
from registry.chain.identifiers import Account, ReleaseId, TermsId
from registry.chain.licenses import GrantRecord
from registry.chain.publishers import NEVER, Freeze
from registry.chain.records import ZERO, Deployment, Parent, Reason, Record, Relation, Release, Status, release_id
from registry.chain.statements import Kind, Statement, StatementRecord, SubjectKind, statement_id
from registry.content.cid import RAW, Cid
from registry.content.unixfs import directory_root, document_shape
from registry.policy.case import trusted
from registry.policy.evidence import (
    ArtifactSubject,
    AsOf,
    Availability,
    Block,
    ClaimedRelease,
    Coverage,
    DocumentState,
    Evidence,
    FileEntry,
    FilesSubject,
    FileSubject,
    Frozen,
    RecordedGrant,
    RecordedStatement,
    StatusState,
    Subject,
    Topic,
)
from registry.policy.facts import facts_of
from registry.policy.permissions import EVERYONE
from registry.policy.policy import Policy, parse_policy
from registry.policy.stated import file_topics
from registry.policy.terms import NOTICE, TERMS_TYPE, Terms, Use, parse_terms, terms_id, write_terms
from registry.policy.verdict import Verdict, judge

DEPLOYMENT = Deployment(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
ALICE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MALLORY = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"

Files = Mapping[str, bytes]
MODEL: Files = {"README.md": b"# A model\n", "config.json": b"{}\n", "model.safetensors": b"weights " * 40}


def account(address: str, chain_id: int = 31337) -> str:
    return str(Account(chain_id, address))


def cid_of(data: bytes) -> Cid:
    return document_shape(data).cid


def root_of(files: Files) -> Cid:
    return directory_root(((path, len(data), cid_of(data)) for path, data in files.items()), ())


def entries(files: Files, *, cid: bool = True, sha256: bool = True) -> tuple[FileEntry, ...]:
    return tuple(
        FileEntry(path, len(data), hashlib.sha256(data).digest() if sha256 else None, cid_of(data) if cid else None)
        for path, data in files.items()
    )


def artifact(files: Files) -> ArtifactSubject:
    return ArtifactSubject(root_of(files))


def folder(files: Files) -> FilesSubject:
    """A folder as `provenance verify FOLDER` asks about it: its root and its files."""
    return FilesSubject(entries(files), root_of(files))


def listed(files: Files, **hashes: bool) -> FilesSubject:
    """A list of files without a root."""
    return FilesSubject(entries(files, **hashes))


def terms_document(name: str = "open", **states: str) -> bytes:
    """Terms in which every use is allowed but those that are given."""
    uses: dict[str, dict[str, str]] = {}
    for use in ("run", "commercial", "redistribute", "modify", "distil", "train_on_outputs"):
        state = states.get(use, "allowed")
        uses[use] = {"state": state} | ({} if state == "unknown" else {"clause": "Section 1."})
        if state == "conditional":
            uses[use]["conditions"] = "Ask first."
    document = {
        "type": TERMS_TYPE,
        "name": name,
        "title": name,
        "license": f"LicenseRef-{name}",
        "text": {"sha256": "00" * 32},
        "uses": uses,
        "notice": NOTICE,
    }
    return write_terms(Terms.model_validate(document))


OPEN = terms_document()
NO_CODE: Mapping[str, Any] = {"runs_code": []}


def runs_code(*files: str) -> Mapping[str, Any]:
    """What a manifest says of a model whose loading runs code in these files."""
    return {"runs_code": [{"path": path, "kind": "python"} for path in files]}


def block_time(number: int) -> int:
    """The time of a block, ten seconds after the one before it."""
    return 1_700_000_000 + 10 * number


BLOCK = Block(1000, b"\xb1" * 32, 1_900_000_000)


@dataclass
class World:
    """Releases in the order in which they were published; one a block."""

    releases: dict[bytes, ClaimedRelease] = field(default_factory=dict)
    frozen: dict[str, Frozen] = field(default_factory=dict)
    grants: dict[bytes, list[RecordedGrant]] = field(default_factory=dict)
    statements: list[RecordedStatement] = field(default_factory=list)
    block: Block = BLOCK
    safe: int | None = None
    deployment: Deployment = DEPLOYMENT

    def publish(
        self,
        publisher: str = ALICE,
        files: Files = MODEL,
        *,
        name: str = "model",
        version: str | None = None,
        terms: bytes | None = OPEN,
        parents: Sequence[tuple[bytes, Relation]] = (),
        external: Sequence[tuple[str, str]] = (),
        manifest: Availability = "available",
        terms_state: Availability = "available",
        model: Mapping[str, Any] | None = NO_CODE,
        training_data: bytes = ZERO,
        block: int | None = None,
    ) -> bytes:
        """Record a release; its id. Blocks are ten seconds apart, so that `block` says the time too."""
        seq = len(self.releases)
        block = seq + 1 if block is None else block
        time = block_time(block)
        version = version or f"{seq + 1}"
        parsed_terms = None if terms is None else parse_terms(terms)
        identity = ZERO if terms is None or parsed_terms is None else terms_id(terms, parsed_terms)
        ancestry = tuple(sorted(Parent(parent, relation) for parent, relation in parents))
        document = _manifest(publisher, name, version, files, identity, terms, ancestry, external, model, training_data)
        release = Release(
            publisher, name, version, document.artifact.digest, document.digest, identity, training_data, ancestry
        )
        identifier = release_id(DEPLOYMENT, publisher, name, version)
        first = not any(other.record.release.artifact == release.artifact for other in self.releases.values())
        self.releases[identifier] = ClaimedRelease(
            identifier,
            Record(seq, time, publisher, time, release),
            block_number=block,
            status=StatusState(),
            manifest_state=DocumentState(document.digest, manifest, "It is broken." if manifest == "invalid" else ""),
            manifest=facts_of(document) if manifest == "available" else None,
            terms_state=None if terms is None else DocumentState(identity, terms_state),
            terms=parsed_terms if terms_state == "available" else None,
            first_claim=first,
        )
        return identifier

    def set_status(self, release: bytes, status: Status, successor: bytes | None = None) -> None:
        state = StatusState(status, Reason.DEFECTIVE, 1_800_000_000, successor)
        self.releases[release] = replace(self.releases[release], status=state)

    def revoke(self, release: bytes, successor: bytes | None = None) -> None:
        self.set_status(release, Status.REVOKED, successor)

    def freeze(self, publisher: str, since_block: int, block: int = 500, successor: str | None = None) -> None:
        """End a publisher in a block, its key being compromised since the time of another."""
        freeze = Freeze(successor, block_time(block), block_time(since_block))
        self.frozen[publisher] = Frozen(freeze, block)

    def grant(
        self,
        release: bytes,
        use: Use = Use.RUN,
        grantee: str = EVERYONE,
        *,
        block: int = 400,
        until: int = NEVER,
        uses: int | None = None,
    ) -> None:
        """Set a grant in a block; with `uses` zero take it back."""
        publisher = self.releases[release].record.release.publisher
        before = [one for one in self.grants.get(release, []) if one.record.grantee == grantee]
        bits = 1 << list(Use).index(use) if uses is None else uses
        time = block_time(block)
        record = GrantRecord(0, time, publisher, publisher, release, grantee, bits, 0, until, False, len(before) + 1)
        self.grants.setdefault(release, []).append(RecordedGrant(record, block))

    def state(
        self,
        issuer: str,
        kind: Kind,
        subject_kind: SubjectKind,
        subject: bytes,
        *,
        block: int = 400,
        expires: int = NEVER,
        retracted_block: int | None = None,
    ) -> bytes:
        """Make a statement in a block; its id."""
        seq = len(self.statements)
        document = seq.to_bytes(32, "big")
        statement = Statement(issuer, kind, subject_kind, subject, document, expires)
        identifier = statement_id(self.deployment.chain_id, ALICE, statement)
        record = StatementRecord(seq, block_time(block), issuer, issuer, kind, subject_kind, subject, document, expires)
        retracted_at = None if retracted_block is None else block_time(retracted_block)
        self.statements.append(RecordedStatement(identifier, record, block, retracted_at, retracted_block))
        return identifier

    def dispute(self, issuer: str, release: bytes, **more: Any) -> bytes:
        return self.state(issuer, Kind.DISPUTE, SubjectKind.RELEASE, release, **more)

    def evidence(self, subject: Subject, policy: Policy | None) -> Evidence:
        """What an index would gather: the releases that share anything with the subject, and their relatives."""
        as_of = AsOf(self.deployment, self.block, safe=self.safe)
        named = set() if policy is None else set(trusted(policy, as_of, self.frozen))
        touched = [claim for claim in self.releases.values() if _shares(subject, claim)]
        candidates = tuple(claim for claim in touched if claim.record.release.publisher in named)
        others = tuple(claim for claim in touched if claim.record.release.publisher not in named)
        everybody = {claim.record.release.publisher for claim in self.releases.values()}
        everybody |= named | {statement.record.issuer for statement in self.statements} | set(self.frozen)
        everybody |= {freeze.freeze.successor or publisher for publisher, freeze in self.frozen.items()}
        return Evidence(
            as_of,
            candidates,
            others,
            len(others),
            self._related(candidates),
            Coverage(len(self.releases), len(self.releases)),
            publishers={address: self.frozen.get(address) for address in everybody},
            grants={release: tuple(grants) for release, grants in self.grants.items()},
            statements=tuple(self.statements),
            stated_files=self._stated_files(),
        )

    def judge(self, subject: Subject, policy: Policy | None) -> Verdict:
        return judge(subject, policy, self.evidence(subject, policy))

    def _stated_files(self) -> dict[bytes, dict[Topic, str]]:
        stated = {(one.record.subject_kind, one.record.subject) for one in self.statements}
        return {
            claim.release_id: {
                topic: file.path
                for file in claim.manifest.files
                for topic in file_topics(bytes.fromhex(file.sha256), file.cid)
                if topic in stated
            }
            for claim in self.releases.values()
            if claim.manifest is not None
        }

    def _related(self, candidates: Sequence[ClaimedRelease]) -> dict[bytes, ClaimedRelease]:
        found: dict[bytes, ClaimedRelease] = {}
        frontier = list(candidates)
        while frontier:
            claim = frontier.pop()
            wanted = [parent.release_id for parent in claim.record.release.parents]
            if claim.status.successor is not None:
                wanted.append(claim.status.successor)
            if claim.training is not None:
                wanted += claim.training.teachers
            for identifier in wanted:
                if identifier not in found and identifier in self.releases:
                    found[identifier] = self.releases[identifier]
                    frontier.append(found[identifier])
        return found


def policy(*publishers: str, **more: Any) -> Policy:
    """A policy that trusts these addresses (by default Alice) for running, unless it says more."""
    trusted = [account(publisher) for publisher in publishers or (ALICE,)]
    return parse_policy({"version": 1, "publishers": trusted} | more, {})


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def _shares(subject: Subject, claim: ClaimedRelease) -> bool:
    files = claim.manifest.files if claim.manifest is not None else ()
    cids = {file.cid for file in files}
    hashes = {bytes.fromhex(file.sha256) for file in files}
    match subject:
        case ArtifactSubject(cid):
            return cid.digest == claim.record.release.artifact or cid in cids
        case FileSubject(sha256, cid):
            return cid in cids if cid is not None else sha256 in hashes
        case FilesSubject(asked, root):
            if root is not None and root.digest == claim.record.release.artifact:
                return True
            return any(file.cid in cids if file.cid is not None else file.sha256 in hashes for file in asked)


def _manifest(
    publisher: str,
    name: str,
    version: str,
    files: Files,
    identity: bytes,
    terms: bytes | None,
    parents: Sequence[Parent],
    external: Sequence[tuple[str, str]],
    model: Mapping[str, Any] | None,
    training_data: bytes,
) -> Manifest:
    root = root_of(files)
    table = [
        {"path": entry.path, "size": entry.size, "sha256": (entry.sha256 or b"").hex(), "cid": str(entry.cid)}
        for entry in sorted(entries(files), key=lambda entry: entry.path.encode())
    ]
    predicate: dict[str, Any] = {
        "name": name,
        "version": version,
        "publisher": account(publisher),
        "registry": account(DEPLOYMENT.model_registry),
        "files": table,
        "empty_directories": [],
        "left_out": {"rules": "left-out/v1", "paths": []},
        "terms": None if terms is None else {"id": str(TermsId(identity)), "document": str(cid_of(terms))},
        "training_data": {"disclosure": "undisclosed"}
        if training_data == ZERO
        else {
            "digest": f"sha256:{training_data.hex()}",
            "cid": str(Cid(RAW, training_data)),
            "form": "training-data-manifest",
        },
        "parents": [{"release": str(ReleaseId(p.release_id)), "relation": p.relation.label} for p in parents],
        "external_parents": [{"purl": purl, "relation": relation} for purl, relation in external],
        "preflight": {"overridden": False, "findings": []},
        "access": "public",
        "tool": {"name": "provenance", "version": "0"},
    }
    if model is not None:
        predicate["model_document" if "cid" in model else "model"] = model
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": f"{account(publisher)}/{name}@{version}",
                "uri": f"ipfs://{root}",
                "digest": {"sha256": root.digest.hex()},
            }
        ],
        "predicateType": "https://model-provenance-registry.org/model-release/v1",
        "predicate": predicate,
    }
    return parse_manifest(canonical(statement))
