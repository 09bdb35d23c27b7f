"""A node on which something of every kind has been recorded, by people who are there for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from geth_node import Geth
from newcomers import address_of

from registry.chain.anchors import Anchor
from registry.chain.deploy import deploy
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Parent, Reason, Relation, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.policy.terms import packed_terms_id

DIGEST, DOCUMENT = b"\5" * 32, b"\6" * 32
LARGEST = (1 << 64) - 1


@dataclass(frozen=True)
class World:
    """`releases`, `statements` and `anchors` are ids by the names that this module gives them."""

    node: DevNode | Geth
    alice: Registries
    bob: Registries
    carol: Registries
    releases: dict[str, bytes]
    terms: tuple[bytes, bytes]
    statements: dict[str, bytes]
    anchors: dict[str, bytes]

    @property
    def head(self) -> int:
        return self.node.chain.latest().number


@contextmanager
def deployed() -> Iterator[DevNode]:
    """A node of one's own with the registries deployed, and no record yet."""
    with dev_node() as node:
        deploy(node.chain, dev_signer(9))
        yield node


@contextmanager
def recorded() -> Iterator[World]:
    with deployed() as node:
        yield record(node)


def record(node: DevNode | Geth) -> World:
    """Something of every kind, some of it changed or taken back afterwards, one record a block."""
    alice, bob, carol = (Registries(node.chain, dev_signer(index), timeout=60) for index in range(3))
    a, b, c = address_of(alice), address_of(bob), address_of(carol)
    terms = (packed_terms_id(DOCUMENT, 0b01), packed_terms_id(DOCUMENT, 0b0101))
    alice.licenses.register_terms(terms[0], DOCUMENT, 0b01)
    releases = {
        f"{name} {version}": alice.models.publish(Release(a, name, version, DIGEST, DIGEST, terms[0])).release_id
        for name, version in (("base", "1"), ("base", "2"), ("basement", "1"))
    }
    parents = (Parent(releases["base 1"], Relation.FINETUNE),)
    child = bob.models.publish(Release(b, "child", "1", DOCUMENT, DIGEST, parents=parents)).release_id
    parents = tuple(sorted([Parent(child, Relation.MERGE), Parent(releases["base 1"], Relation.MERGE)]))
    grandchild = carol.models.publish(Release(c, "base", "1", DOCUMENT, DIGEST, parents=parents)).release_id
    releases |= {"child 1": child, "grandchild": grandchild}
    bob.licenses.register_terms(terms[1], DOCUMENT, 0b0101)

    alice.publishers.set_delegate(b, Scope.PUBLISH | Scope.GRANT, NEVER)
    alice.publishers.set_delegate(c, Scope.STATUS, NEVER)
    alice.publishers.set_guardian(c)
    alice.publishers.set_guardian(b)  # which waits
    alice.publishers.set_delegate(c, Scope(0), 0)

    def grant(version: str, grantee: str, uses: int, until: int = NEVER, irrevocable: bool = False) -> None:
        wanted = Grant(a, "base", version, grantee, uses, 0, until if uses else 0, irrevocable)
        alice.licenses.set_grant(releases[f"base {version}"], wanted)

    grant("1", b, 0b1)
    grant("1", EVERYONE, 0b10, irrevocable=True)
    grant("1", b, 0b11)
    grant("2", b, 0b100)
    grant("1", c, 0b1)
    grant("1", c, 0)

    def state(by: Registries, kind: Kind, document: bytes, expires: int = NEVER) -> bytes:
        statement = Statement(address_of(by), kind, SubjectKind.ARTIFACT, DIGEST, document, expires)
        return by.statements.attest(statement)[0]

    soon = node.chain.latest().timestamp + 3
    statements = {
        "audit": state(bob, Kind.AUDIT, DIGEST),
        "dispute": state(bob, Kind.DISPUTE, DIGEST),
        "evaluation": state(carol, Kind.EVALUATION, DIGEST),
        "brief": state(carol, Kind.ENDORSEMENT, DIGEST, expires=soon + 60),
        "answer": state(alice, Kind.ANSWER, DIGEST),
    }
    bob.statements.retract(statements["audit"])

    anchors = {
        name: alice.models.publish_anchor(Anchor(a, root, count, DIGEST))[0]
        for name, root, count in (("first", DIGEST, 3), ("largest", DOCUMENT, LARGEST))
    }
    alice.models.withdraw_anchor(Anchor(a, DIGEST, 3, DIGEST))
    alice.models.set_status("base", "1", Status.DEPRECATED, Reason.SUPERSEDED, successor=("base", "2"))

    before_evaluation = carol.statements.statement(statements["evaluation"]).since - 1
    carol.publishers.freeze(c, b, before_evaluation)
    return World(node, alice, bob, carol, releases, terms, statements, anchors)
