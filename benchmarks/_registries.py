"""What calls of our contracts cost: each measured on the same state, and taken back."""

from collections.abc import Callable
from typing import Any

from _chain import NEVER, BenchChain, digest
from eth_utils.crypto import keccak
from web3.contract import Contract

from registry.chain.merkle import MerkleTree
from registry.chain.records import Release, release_hash

PUBLISHER, DELEGATE, GRANTEE, RELAYER = 0, 3, 4, 5
NAME, FIRST, SECOND, VERSION = "all-minilm-l6-v2", "1.0.0", "1.0.1", "1.0.2"  # a full release: 16 + 5 characters
BATCH = 1_000
ZERO, NOBODY = bytes(32), "0x" + "00" * 20
DEADLINE = (1 << 40) - 1
CONVERSION = 7
DEPRECATED, SUPERSEDED = 1, 1
EVALUATION, OF_A_RELEASE = 1, 3
RUN, COMMERCIAL, REDISTRIBUTE, DISTIL = 0, 1, 2, 4
UNKNOWN, ALLOWED, CONDITIONAL, DENIED = range(4)
STATES = (ALLOWED, UNKNOWN, CONDITIONAL, ALLOWED, DENIED, DENIED)  # in the order of uses
USES = sum(state << 2 * use for use, state in enumerate(STATES))

_RELEASE = (
    "Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,"
    "bytes32 trainingData,Parent[] parents)"
)
_PARENT = "Parent(bytes32 releaseId,uint8 relation)"
_PUBLISH = f"Publish(address actor,Release release,bytes32 salt,uint256 deadline){_PARENT}{_RELEASE}"
_GRANT = (
    "Grant(address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,"
    "bool irrevocable)"
)
_SET_GRANT = f"SetGrant(address actor,Grant grant,uint256 nonce,uint256 deadline){_GRANT}"
_STATEMENT = "Statement(address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)"
_ATTEST = f"Attest(address actor,Statement statement,uint256 deadline){_STATEMENT}"


class Registries:
    """The four contracts, with terms and two releases of a publisher in them."""

    def __init__(self, chain: BenchChain) -> None:
        self.chain = chain
        self.publisher = chain.accounts[PUBLISHER].address
        self.grantee = chain.accounts[GRANTEE].address
        self.publishers = chain.deploy("PublisherRegistry")
        self.models = chain.deploy("ModelRegistry", self.publishers.address)
        self.licenses = chain.deploy("LicenseRegistry", self.models.address)
        self.statements = chain.deploy("StatementRegistry", self.publishers.address)
        self.probe = chain.deploy("GasProbe")
        document = digest("terms")
        chain.gas(self.licenses.functions.registerTerms(document, USES))
        self.terms = bytes(self.licenses.functions.termsIdOf(document, USES).call())
        self.first = self.release(FIRST)
        publish = self.models.functions.publish(self.first, ZERO)
        (self.published,) = chain.events(publish, self.models.events.ReleasePublished())
        self.first_id = bytes(self.published["releaseId"])
        chain.gas(self.models.functions.publish(self.release(SECOND), ZERO))
        self.parents = sorted(
            bytes(self.models.functions.releaseIdOf(self.publisher, NAME, version).call())
            for version in (FIRST, SECOND)
        )

    def measure(self) -> dict[str, float]:
        """Gas of each call by its name; for `anchor`, a release's share of a batch."""
        rows: dict[str, Callable[[], float]] = {
            "release": self.publish,
            "release-signed": self.publish_signed,
            "release-by-delegate": self.publish_by_delegate,
            "release-with-reservation": self.publish_reserved,
            "release-claimed-before": lambda: self.publish(sender=DELEGATE, artifact=self.first[3]),
            "parent": lambda: self.publish(parents=1) - self.publish(),
            "parent-next": lambda: self.publish(parents=2) - self.publish(parents=1),
            "reserve": lambda: self.chain.gas(self.models.functions.reserve(digest("commitment"))),
            "status": lambda: self.set_status("", ""),
            "status-with-successor": lambda: self.set_status(NAME, SECOND),
            "terms": lambda: self.chain.gas(self.licenses.functions.registerTerms(digest("other terms"), USES)),
            "grant": self.grant,
            "grant-change": lambda: self.grant(times=2),
            "grant-signed": lambda: self.grant_signed(times=2),
            "grant-signed-first": self.grant_signed,
            "statement": self.attest,
            "statement-signed": self.attest_signed,
            "retract": self.retract,
            "anchor": lambda: self.anchor("publish") / BATCH,
            "anchor-membership": lambda: self.anchor("verify"),
            "anchor-membership-view": lambda: self.anchor("view"),
            "promote": lambda: self.anchor("promote"),
            "permission-terms": lambda: self.permission(RUN, ALLOWED),
            "permission-grant": lambda: self.permission(COMMERCIAL, ALLOWED),
            "permission-grant-everyone": lambda: self.permission(REDISTRIBUTE, ALLOWED),
            "permission-refused": lambda: self.permission(DISTIL, DENIED),
            "status-view": lambda: self.chain.execution_gas(self.models.functions.statusOf(self.first_id)),
            "status-view-contract": lambda: self.probed("statusOf", self.models, self.first_id),
            "verify-record": lambda: self.probed("verifyRecord", self.models, self.record(hashed=False)),
            "delegate": self.delegate,
            "guardian": lambda: self.chain.gas(self.publishers.functions.setGuardian(self.grantee)),
            "freeze": lambda: self.chain.gas(
                self.publishers.functions.freeze(self.publisher, self.grantee, self.chain.timestamp)
            ),
        }
        measured = {}
        for name, experiment in rows.items():
            with self.chain.undone():
                measured[name] = experiment()
        return measured

    def release(self, version: str, parents: int = 0, **changes: Any) -> tuple[Any, ...]:
        """A full release: four digests."""
        fields = {
            "publisher": self.publisher,
            "name": NAME,
            "version": version,
            "artifact": digest(f"artifact {version}"),
            "manifest": digest(f"manifest {version}"),
            "terms": self.terms,
            "trainingData": digest("training data"),
            "parents": [(parent, CONVERSION) for parent in self.parents[:parents]] if parents else [],
        }
        return tuple({**fields, **changes}.values())

    def publish(self, parents: int = 0, sender: int = PUBLISHER, **changes: Any) -> int:
        with self.chain.undone():
            release = self.release(VERSION, parents, publisher=self.chain.accounts[sender].address, **changes)
            return self.chain.gas(self.models.functions.publish(release, ZERO), sender)

    def publish_signed(self) -> int:
        release = self.release(VERSION)
        members = ("publisher", "name", "version", "artifact", "manifest", "terms", "trainingData", "parents")
        message = {"release": dict(zip(members, release, strict=True)), "salt": ZERO}
        signed = self.sign(self.models, "ModelRegistry", _PUBLISH, message)
        return self.chain.gas(self.models.functions.publishWithSignature(release, ZERO, signed), RELAYER)

    def publish_by_delegate(self) -> int:
        self.delegate()
        return self.chain.gas(self.models.functions.publish(self.release(VERSION), ZERO), DELEGATE)

    def publish_reserved(self) -> int:
        release, salt = self.release(VERSION), digest("salt")
        commitment = self.models.functions.reservationOf(self.publisher, release[3], salt).call()
        self.chain.gas(self.models.functions.reserve(commitment))
        return self.chain.gas(self.models.functions.publish(release, salt))

    def set_status(self, *successor: str) -> int:
        update = (self.publisher, NAME, FIRST, DEPRECATED, SUPERSEDED, digest("why"), *successor)
        return self.chain.gas(self.models.functions.setStatus(update))

    def grant(self, times: int = 1, grantee: str | None = None, use: int = COMMERCIAL) -> int:
        """The gas of the last of several changes of a grant."""
        changes = [self._grant(grantee or self.grantee, use, start) for start in range(times)]
        return [self.chain.gas(self.licenses.functions.setGrant(values)) for values in changes][-1]

    def grant_signed(self, times: int = 1) -> int:
        """The last of several grants, each to another account; a word of nonces is paid for by the first."""
        spent = []
        for nonce in range(1, times + 1):
            values = self._grant(self.chain.accounts[GRANTEE + times - nonce].address, COMMERCIAL)
            members = ("publisher", "name", "version", "grantee", "uses", "from", "until", "irrevocable")
            message = {"grant": dict(zip(members, values, strict=True)), "nonce": nonce}
            signed = self.sign(self.licenses, "LicenseRegistry", _SET_GRANT, message)
            spent.append(self.chain.gas(self.licenses.functions.setGrantWithSignature(values, nonce, signed), RELAYER))
        return spent[-1]

    def attest(self) -> int:
        return self.chain.gas(self.statements.functions.attest(self._statement()))

    def attest_signed(self) -> int:
        values = self._statement()
        members = ("issuer", "kind", "subjectKind", "subject", "document", "expires")
        message = {"statement": dict(zip(members, values, strict=True))}
        signed = self.sign(self.statements, "StatementRegistry", _ATTEST, message)
        return self.chain.gas(self.statements.functions.attestWithSignature(values, signed), RELAYER)

    def retract(self) -> int:
        self.attest()
        statement_id = self.statements.functions.statementIdOf(self._statement()).call()
        return self.chain.gas(self.statements.functions.retract(statement_id))

    def anchor(self, what: str) -> int:
        """A step of the life of one release in a batch, which is in its middle."""
        index, release = BATCH // 2, self.release(VERSION)
        leaves = [digest(f"release {number}") for number in range(BATCH)]
        leaves[index] = release_hash(Release(*release[:-1]))
        tree = MerkleTree(leaves)
        anchor = (self.publisher, tree.root, BATCH, digest("list"))
        published = self.chain.gas(self.models.functions.publishAnchor(anchor))
        proven = (anchor, index, tree.proof(index), release)
        if what == "view":
            return self.probed("verifyAnchored", self.models, *proven)
        if what == "verify":
            return self.chain.gas(self.models.functions.verifyAnchored(*proven), RELAYER)
        if what == "promote":
            return self.chain.gas(self.models.functions.promote(*proven), RELAYER)
        return published

    def permission(self, use: int, expected: int) -> int:
        """From a contract, by terms or by the grants that there are: one to the grantee, one to everyone."""
        self.grant()
        self.grant(grantee=NOBODY, use=REDISTRIBUTE)
        arguments = (self.licenses.address, self.first_id, self.record(hashed=True), self.grantee, use)
        gas, state = self.probe.functions.permission(*arguments).call()
        if state != expected:
            raise SystemExit(f"The permission of use {use} is {state}, not {expected}: the price is of something else.")
        return int(gas)

    def delegate(self) -> int:
        delegate = self.chain.accounts[DELEGATE].address
        return self.chain.gas(self.publishers.functions.setDelegate(delegate, 0b1111, DEADLINE))

    def probed(self, function: str, contract: Contract, *arguments: Any) -> int:
        """What a view costs a contract that calls it, everything cold."""
        return int(self.probe.functions[function](contract.address, *arguments).call())

    def record(self, *, hashed: bool) -> tuple[Any, ...]:
        """The record of the first release, or with its texts and parents hashed."""
        release = self.first
        if hashed:
            texts = [keccak(text=text) for text in release[1:3]]
            release = (release[0], *texts, *release[3:7], keccak(b""))
        return (*(self.published[field] for field in ("seq", "timestamp", "actor", "since")), release)

    def sign(self, contract: Contract, name: str, types: str, message: dict[str, Any]) -> tuple[str, int, bytes]:
        """The publisher's signature, as calls take it."""
        whole = {"actor": self.publisher, **message, "deadline": DEADLINE}
        return self.publisher, DEADLINE, self.chain.sign(PUBLISHER, contract, (name, "1"), types, whole)

    def _grant(self, grantee: str, use: int, start: int = 0) -> tuple[Any, ...]:
        return (self.publisher, NAME, FIRST, grantee, 1 << use, start, NEVER, False)

    def _statement(self) -> tuple[Any, ...]:
        return (self.publisher, EVALUATION, OF_A_RELEASE, self.first_id, digest("report"), NEVER)
