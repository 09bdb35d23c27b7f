"""Proofs of state as two clients make them, and everything that a node or a letter could change about one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from newcomers import Faulty, address_of, newcomer, newcomer_on, pass_time

from registry.artifacts.canonical import canonical, parse_json
from registry.chain.client import connect
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.proving import prove_release
from registry.chain.records import Parent, Reason, Relation, Release, Status
from registry.chain.state_proof import check_state_proof
from registry.errors import (
    InputError,
    InvalidDocument,
    ProvenanceError,
    RpcRefused,
    RpcUnavailable,
    StateNotKept,
    StateProofRefused,
)
from registry.proofs import parse_state_proof, write_state_proof

DIGEST = b"\7" * 32


@pytest.fixture(params=["anvil", pytest.param("geth", marks=pytest.mark.geth)])
def here(request: pytest.FixtureRequest) -> Registries:
    """A new account, on one client and then on the other."""
    if request.param == "geth":
        return newcomer_on(request.getfixturevalue("geth_node"))
    return newcomer(request.getfixturevalue("shared_node").chain)


def test_a_release_is_proven_from_before_it_was_there_until_it_is_revoked(here: Registries) -> None:
    models, owner = here.models, address_of(here)
    base = models.publish(Release(owner, "base", "1", DIGEST, DIGEST)).release_id
    before = here.chain.latest()
    release = Release(owner, "m", "1+a", b"\1" * 32, b"\2" * 32, b"\3" * 32, parents=(Parent(base, Relation.MERGE),))
    done = models.publish(release)
    published = here.chain.latest()
    changed = models.set_status("m", "1+a", Status.REVOKED, Reason.LEGAL).event.record
    revoked = here.chain.latest()
    for block in (before, published, revoked):
        proof, shown = prove_release(here.chain, models.deployment, done.release_id, done.record, block.hash)
        read = parse_state_proof(write_state_proof(proof))
        assert read == proof and check_state_proof(read, block.hash) == shown
        assert (shown.block.number, shown.block.hash, shown.block.timestamp) == (
            block.number,
            block.hash,
            block.timestamp,
        )
        assert (shown.head, shown.size) == models.log_state(block.hash)
        assert shown.record == (None if block == before else done.record)
        expected = (Status.REVOKED, Reason.LEGAL, changed.timestamp, changed.seq)
        if block != revoked:
            expected = (Status.ACTIVE, Reason.UNSPECIFIED, 0, 0)
        assert (shown.status, shown.reason, shown.since, shown.status_seq) == expected
    _, newest = prove_release(here.chain, models.deployment, done.release_id, done.record, "latest")
    assert newest.block.number >= revoked.number and newest.status is Status.REVOKED
    nobody, shown = prove_release(here.chain, models.deployment, b"\xee" * 32, None, published.number)
    assert shown.record is None and nobody.record is None and shown.block.hash == published.hash


def test_before_there_is_a_registry_nothing_is_proven(here: Registries) -> None:
    first = here.models.deployed_at()
    with pytest.raises((StateProofRefused, StateNotKept)) as raised:
        prove_release(here.chain, here.models.deployment, DIGEST, None, first - 1)
    assert raised.value.details.get("at", "account") in ("account", "header")


@pytest.fixture(scope="module")
def made(shared_node: DevNode) -> tuple[Registries, bytes, bytes]:
    """A release that is proven in the newest block: who published it, the proof, and the hash of the block."""
    there = newcomer(shared_node.chain)
    done = there.models.publish(Release(address_of(there), "m", "1", DIGEST, DIGEST, b"\3" * 32))
    there.models.set_status("m", "1", Status.DEPRECATED)  # so that there is something in each of the slots
    proof, shown = prove_release(there.chain, there.models.deployment, done.release_id, done.record, "latest")
    return there, write_state_proof(proof), shown.block.hash


def flipped(text: str, at: int) -> str:
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def on_chain(document: dict[str, Any], chain_id: int) -> dict[str, Any]:
    moved: dict[str, Any] = parse_json(canonical(document).replace(b"eip155:31337:", b"eip155:%d:" % chain_id), 1 << 20)
    return moved


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a forged root": (lambda d: d["account"].__setitem__(0, flipped(d["account"][0], 20)), "account"),
    "a forged leaf": (lambda d: d["account"].__setitem__(-1, flipped(d["account"][-1], -2)), "account"),
    "a way cut short": (lambda d: d["account"].pop(), "account"),
    "a way that is too long": (lambda d: d["account"].append(d["account"][0]), "account"),
    "no way": (lambda d: d["account"].clear(), "account"),
    "a forged slot": (lambda d: d["storage"]["record_hash"].__setitem__(-1, "0xc0"), "record_hash"),
    "another slot": (lambda d: d["storage"].update(status=d["storage"]["record_hash"]), "status"),
    "slots that changed places": (lambda d: d["storage"].update(head=d["storage"]["size"]), "head"),
    "nothing in a slot": (lambda d: d["storage"].update(record_hash=[]), "record_hash"),
    "a longer node": (lambda d: d["storage"]["size"].__setitem__(0, d["storage"]["size"][0] + "00"), "size"),
    "a header cut short": (lambda d: d.update(header=d["header"][:-2]), "header"),
    "another time": (lambda d: d.update(header=flipped(d["header"], -40)), "header"),
    "no header": (lambda d: d.update(header="0x"), "header"),
    "another record": (lambda d: d["record"].update(timestamp=1), "record"),
    "another licence": (lambda d: d["record"]["release"].update(terms=None), "record"),
    "another version": (lambda d: d["record"]["release"].update(version="2"), "record"),
    "no record": (lambda d: d.update(record=None), "record"),
    # the way to a record may happen to be one to where that of another is not
    "another release": (lambda d: d.update(release="release:0x" + "ab" * 32), "record_hash record"),
    "another chain": (lambda d: d.update(on_chain(d, 1)), "record"),  # the id of a release binds its chain
    "another contract": (lambda d: d.update(registry="eip155:31337:0x" + "11" * 20), "account"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_the_proof_does_not_hold(made: tuple[Registries, bytes, bytes], name: str) -> None:
    _, proof, block_hash = made
    assert check_state_proof(parse_state_proof(proof), block_hash).record is not None
    document = parse_json(proof, 1 << 20)
    change, at = CHANGES[name]
    change(document)
    changed = canonical(document)
    assert changed != proof
    with pytest.raises(StateProofRefused) as refused:
        check_state_proof(parse_state_proof(changed), block_hash)
    assert refused.value.details["at"] in at.split()


def test_a_proof_is_of_one_block(made: tuple[Registries, bytes, bytes]) -> None:
    there, proof, block_hash = made
    pass_time(there.chain, 1)
    for other in (there.chain.latest().hash, bytes(32), block_hash[::-1]):
        with pytest.raises(StateProofRefused, match="It is of block"):
            check_state_proof(parse_state_proof(proof), other)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(type="https://model-provenance-registry.org/commitment-proof/v1"),
        lambda d: d.update(more=1),
        lambda d: d.pop("storage"),
        lambda d: d["storage"].pop("status"),
        lambda d: d["storage"].update(owner=[]),
        lambda d: d.update(header=d["header"].upper()),
        lambda d: d.update(header=d["header"][2:]),
        lambda d: d.update(header=d["header"][:10] + " " + d["header"][10:]),
        lambda d: d.update(account="0x00"),
        lambda d: d.update(account=["0x00"] * 66),
        lambda d: d.update(registry="0x" + "11" * 20),
        lambda d: d.update(release="11" * 32),
        lambda d: d["record"].update(seq=-1),
        lambda d: d["record"].update(seq=1 << 48),
        lambda d: d["record"].update(actor=d["record"]["actor"].replace(":31337:", ":1:")),
        lambda d: d["record"]["release"].update(artifact="bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        lambda d: d["record"]["release"].update(name="Big Name"),
    ],
)
def test_what_is_no_proof_is_said_to_be_none(
    made: tuple[Registries, bytes, bytes], change: Callable[[Any], Any]
) -> None:
    document = parse_json(made[1], 1 << 20)
    change(document)
    with pytest.raises(ProvenanceError) as refused:
        parse_state_proof(canonical(document))
    assert refused.value.code.startswith(("input", "chain.invalid-release"))


def test_only_the_canonical_form_is_read(made: tuple[Registries, bytes, bytes]) -> None:
    for wrong in (made[1] + b"\n", b" " + made[1], b"", b"[]", b"{}"):
        with pytest.raises(InvalidDocument):
            parse_state_proof(wrong)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"eth_getProof": lambda answer: answer | {"accountProof": answer["accountProof"][:-1]}}, StateProofRefused),
        ({"eth_getProof": lambda answer: answer | {"storageProof": answer["storageProof"][::-1]}}, StateProofRefused),
        ({"eth_getProof": lambda answer: answer | {"storageProof": answer["storageProof"][1:]}}, RpcUnavailable),
        ({"eth_getProof": lambda answer: answer | {"accountProof": ["xy"]}}, RpcUnavailable),
        ({"eth_getProof": lambda answer: {}}, RpcUnavailable),
        ({"eth_getProof": lambda answer: None}, RpcUnavailable),
        ({"eth_getBlockByNumber": lambda answer: None}, InputError),
        ({"eth_getBlockByNumber": lambda answer: []}, RpcUnavailable),
        ({"eth_getBlockByNumber": lambda answer: {"hash": answer["hash"]}}, RpcUnavailable),
        ({"eth_getBlockByNumber": lambda answer: answer | {"timestamp": "later"}}, RpcUnavailable),
        ({"eth_getBlockByNumber": lambda answer: answer | {"timestamp": "0x1"}}, StateProofRefused),
    ],
)
def test_what_a_node_answers_is_never_handed_on_unless_it_holds(
    made: tuple[Registries, bytes, bytes], shared_node: DevNode, changes: Any, error: type[Exception]
) -> None:
    proof = parse_state_proof(made[1])
    chain = connect(Faulty(shared_node.url, **changes))
    with pytest.raises(error):
        prove_release(chain, proof.deployment, proof.release_id, proof.record, "latest")


def test_a_node_may_not_answer_with_another_block(made: tuple[Registries, bytes, bytes], shared_node: DevNode) -> None:
    proof = parse_state_proof(made[1])
    chain = connect(Faulty(shared_node.url, eth_getBlockByHash=lambda answer: answer | {"hash": "0x" + "11" * 32}))
    with pytest.raises(RpcUnavailable, match="another block"):
        prove_release(chain, proof.deployment, proof.release_id, proof.record, made[2])
    with pytest.raises(InputError, match="no block"):
        prove_release(made[0].chain, proof.deployment, proof.release_id, proof.record, b"\1" * 32)


class Refusing(Faulty):
    """A node that refuses a method, with an error of its own."""

    def __init__(self, url: str, method: str, code: int, message: str) -> None:
        super().__init__(url)
        self._method, self._code, self._message = method, code, message

    def request(self, method: str, params: Any) -> Any:
        if method == self._method:
            raise RpcRefused(f"The node refused {method}: {self._message}", rpc_code=self._code)
        return super().request(method, params)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-32000, "missing trie node 7b4f… (path ) state 0x7b4f… is not available", StateNotKept),
        (-32000, "distance to target block exceeds maximum proof window", StateNotKept),
        (-32601, "the method eth_getProof does not exist/is not available", RpcRefused),
    ],
)
def test_a_node_that_keeps_no_state_of_the_block_is_told_from_one_that_proves_nothing(
    made: tuple[Registries, bytes, bytes], shared_node: DevNode, code: int, message: str, error: type[Exception]
) -> None:
    proof = parse_state_proof(made[1])
    chain = connect(Refusing(shared_node.url, "eth_getProof", code, message))
    with pytest.raises(error, match=message[:12]):
        prove_release(chain, proof.deployment, proof.release_id, proof.record, "latest")


@pytest.mark.geth
def test_a_header_of_a_fork_to_come_is_taken_in_the_nodes_own_bytes(geth_node: Any) -> None:
    """As if `requestsHash` were not known here: the node's JSON alone does not lead to the hash then."""
    there = newcomer_on(geth_node)
    done = there.models.publish(Release(address_of(there), "m", "1", DIGEST, DIGEST))
    block = there.chain.latest()

    def unknown(answer: Any) -> Any:
        return {("later" if name == "requestsHash" else name): value for name, value in answer.items()}

    asked = Faulty(geth_node.url, eth_getBlockByHash=unknown)
    _, shown = prove_release(connect(asked), there.models.deployment, done.release_id, done.record, block.hash)
    assert shown.record == done.record and "debug_getRawHeader" in asked.methods
    forged = Faulty(geth_node.url, eth_getBlockByHash=unknown, debug_getRawHeader=lambda raw: raw[:-2] + "00")
    with pytest.raises(StateProofRefused, match="its header as it is known here"):
        prove_release(connect(forged), there.models.deployment, done.release_id, done.record, block.hash)


def test_the_record_of_another_release_proves_nothing(made: tuple[Registries, bytes, bytes]) -> None:
    _, proof, block_hash = made
    found = parse_state_proof(proof)
    assert found.record is not None
    stolen = replace(found, record=replace(found.record, release=replace(found.record.release, name="n")))
    with pytest.raises(StateProofRefused, match="of another release"):
        check_state_proof(stolen, block_hash)
