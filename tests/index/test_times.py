"""Answers as of a block whose time the index does not remember: none that rests on which side of a limit it was."""

from collections.abc import Callable
from typing import Any

import pytest
from chain_moves import mine
from releases import folder, publish

from registry.artifacts.digest import Artifact
from registry.chain.deployment import Registries
from registry.chain.devnode import dev_signer
from registry.chain.licenses import Grant
from registry.chain.publishers import GUARDIAN_DELAY, NEVER, Scope
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import BlockNotInChain
from registry.index.permissions import permission_view
from registry.index.queries import Reader, Snapshot
from registry.index.verify import verify
from registry.policy.evidence import ArtifactSubject
from registry.policy.permissions import EVERYONE
from registry.policy.policy import parse_policy
from registry.policy.terms import Use
from tests.index.conftest import ON_ANVIL

A, B = dev_signer(0).address, dev_signer(1).address

pytestmark = ON_ANVIL


@pytest.fixture
def limited(node, publisher, store, tmp_path) -> tuple[Artifact, bytes, int]:
    """A release with a grant, a delegate, a guardian and a statement that end or begin some time after their block.

    The number of that block is the last here; ten empty ones follow, the first of them long after every limit.
    """
    release, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="cc-by-nc-4.0")
    alice, bob = (Registries(node.chain, dev_signer(index), timeout=60) for index in range(2))
    soon = node.chain.latest().timestamp + 600
    alice.publishers.set_guardian(B)
    alice.publishers.set_guardian(dev_signer(2).address)  # which waits
    alice.publishers.set_delegate(B, Scope.PUBLISH, soon)
    bob.statements.attest(Statement(B, Kind.AUDIT, SubjectKind.ARTIFACT, artifact.root.digest, b"\5" * 32, soon))
    alice.licenses.set_grant(release, Grant(A, "m", "1", EVERYONE, 63, 0, soon, False))
    last = node.chain.latest().number
    node.chain.rpc.request("evm_increaseTime", [GUARDIAN_DELAY + 1000])
    mine(node, 10)
    return artifact, release, last


def questions(artifact: Artifact, release: bytes) -> dict[str, Callable[[Snapshot], Any]]:
    """What looks at the clock, each with something that it says of the past limit."""
    subject = artifact.root.digest
    return {
        "permission": lambda index: permission_view(index, release, None, [Use.COMMERCIAL], {})["uses"],
        "delegates": lambda index: [one.in_force for one in index.delegates_of(A).items],
        "publisher": lambda index: index.publisher(A).guardian.guardian,
        "statements": lambda index: [one.in_force for one in index.statements_on(subject).items],
        "statements in force": lambda index: len(index.statements_on(subject, in_force=True).items),
    }


def verdict(reader: Reader, artifact: Artifact, as_of: int | None, **more: Any) -> str:
    asked = {"version": 1, "publishers": [f"eip155:31337:{A}"], "uses": ["commercial"]} | more
    return verify(reader, ArtifactSubject(artifact.root), parse_policy(asked, {}), as_of=as_of).outcome


def test_a_grant_that_ended_before_the_block_permits_nothing_as_of_it(reader, read_all, limited):
    artifact, _, last = limited
    read_all()  # in one go: of the blocks without records only the newest is remembered
    assert verdict(reader, artifact, None) == "refuse"
    assert verdict(reader, artifact, last) == "allow"
    with pytest.raises(BlockNotInChain, match=f"between the blocks {last} and {last + 10}") as caught:
        verdict(reader, artifact, last + 3)
    assert caught.value.details == {"block": last + 3, "before": last, "behind": last + 10}


def test_who_followed_along_knows_the_time_of_each_block(node, reader, read_all, follower, publisher, store, tmp_path):
    release, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="cc-by-nc-4.0")
    alice = Registries(node.chain, dev_signer(0), timeout=60)
    soon = node.chain.latest().timestamp + 600
    alice.licenses.set_grant(release, Grant(A, "m", "1", EVERYONE, 63, 0, soon, False))
    last = node.chain.latest().number
    for _ in range(3):
        node.chain.rpc.request("evm_increaseTime", [300])
        mine(node)
        read_all()
    assert [verdict(reader, artifact, last + more) for more in range(4)] == ["allow", "allow", "refuse", "refuse"]


def test_what_no_limit_decides_is_answered_of_every_block(node, reader, read_all, publisher, store, tmp_path):
    release, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="cc-by-nc-4.0")
    alice = Registries(node.chain, dev_signer(0), timeout=60)
    last = node.chain.latest().number
    node.chain.rpc.request("evm_increaseTime", [10_000])
    mine(node, 10)
    alice.licenses.set_grant(release, Grant(A, "m", "1", EVERYONE, 63, 0, NEVER, False))
    mine(node, 2)
    read_all()
    assert [verdict(reader, artifact, last + more) for more in (5, 11, 12)] == ["refuse", "allow", "allow"]
    with reader.snapshot(as_of=last + 5) as snapshot:
        assert snapshot.as_of().block.number == last  # which the answer names, with its time
        assert snapshot.as_of().block.timestamp == node.chain.block(last).timestamp


def test_a_statement_that_a_policy_requires_is_not_taken_where_it_may_have_expired(
    node, reader, read_all, publisher, store, tmp_path
):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", {"a": b"1"}), "m", license="apache-2.0")
    bob = Registries(node.chain, dev_signer(1), timeout=60)
    soon = node.chain.latest().timestamp + 600
    bob.statements.attest(Statement(B, Kind.AUDIT, SubjectKind.ARTIFACT, artifact.root.digest, b"\5" * 32, soon))
    last = node.chain.latest().number
    node.chain.rpc.request("evm_increaseTime", [1000])
    mine(node, 10)
    read_all()
    required = {"require": [{"kind": "audit", "issuers": [f"eip155:31337:{B}"]}]}
    assert [verdict(reader, artifact, block, **required) for block in (last, None)] == ["allow", "unknown"]
    with pytest.raises(BlockNotInChain):
        verdict(reader, artifact, last + 3, **required)
    assert verdict(reader, artifact, last + 3) == "allow"  # which asks no auditor


def test_every_view_that_looks_at_the_clock_says_so(reader, read_all, limited):
    artifact, release, last = limited
    read_all()
    for name, question in questions(artifact, release).items():
        with reader.snapshot(as_of=last) as snapshot:
            before = question(snapshot)
        with reader.snapshot() as snapshot:
            assert question(snapshot) != before, name
        with reader.snapshot(as_of=last + 3) as snapshot, pytest.raises(BlockNotInChain):
            question(snapshot)
