"""The contract through a real node: what we compute is what it computes, and a rerun does nothing twice."""

import dataclasses
import threading
import time

import pytest
from eth_utils.crypto import keccak

from registry.chain import storage as slots
from registry.chain.client import Chain, connect
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.events import EventLocation
from registry.chain.foreign import Account
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import (
    ZERO,
    Deployment,
    Parent,
    Reason,
    Relation,
    Release,
    Status,
    genesis_head,
    next_head,
    record_hash,
)
from registry.chain.rpc import HttpRpc
from registry.chain.signer import LocalSigner
from registry.errors import (
    InsufficientFunds,
    InvalidLog,
    InvalidRelease,
    NoKey,
    NotAuthorised,
    ReleaseNotFound,
    RpcRefused,
    RpcUnavailable,
    TransactionPending,
    TransactionReverted,
    VersionTaken,
)

ARTIFACT, MANIFEST, TERMS, DATA = (bytes([value]) * 32 for value in (0xA1, 0xB2, 0xC3, 0xD4))
ALICE = dev_signer(0).address


def release(name: str, version: str = "1.0.0", **changes) -> Release:
    return dataclasses.replace(Release(ALICE, name, version, ARTIFACT, MANIFEST), **changes)


class Spying:
    """A node that is as real as the one behind it, with some answers changed and all requests noted."""

    def __init__(self, url: str) -> None:
        self._inner = HttpRpc(url)
        self.name = self._inner.name
        self.methods: list[str] = []
        self.changes = {}
        self.answers = {}

    def request(self, method, params):
        self.methods.append(method)
        if self.answers.get(method):
            return self.answers[method].pop(0)
        if method in self.changes:
            return self.changes[method](lambda: self._inner.request(method, params))
        return self._inner.request(method, params)


def until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_empty_registry_has_the_genesis_head(node: DevNode, publisher: ModelRegistryClient):
    assert publisher.deployment == Deployment(31337, publisher.address)
    assert publisher.size() == 0
    assert publisher.head() == genesis_head(publisher.deployment)
    assert publisher.log_state(node.chain.latest().hash) == (genesis_head(publisher.deployment), 0)


def test_hashes_ids_and_heads_are_those_of_the_contract(publisher: ModelRegistryClient):
    head = genesis_head(publisher.deployment)
    made = []
    for index in range(4):
        parents = tuple(
            sorted(
                Parent(item.release_id, relation) for item in made for relation in (Relation.MERGE, Relation.ADAPTER)
            )
        )
        wanted = release(f"model-{index}", "1.0+b.2", terms=TERMS, training_data=DATA, parents=parents)
        published = publisher.publish(wanted)
        made.append(published)
        assert published.created
        assert published.record.release == wanted
        assert published.record.seq == index
        assert publisher.release_record_hash(published.release_id) == record_hash(published.record)
        (on_chain,) = publisher.call("releaseIdOf", ALICE, wanted.name, wanted.version)
        assert on_chain == published.release_id
        head = next_head(head, record_hash(published.record))
        assert publisher.head() == head
    changed = publisher.set_status(
        "model-0", "1.0+b.2", Status.DEPRECATED, Reason.SUPERSEDED, DATA, successor=("model-1", "1.0+b.2")
    )
    assert changed.event.record.successor == made[1].release_id
    assert publisher.head() == next_head(head, changed.event.record.hash())
    assert publisher.size() == 5
    claim = publisher.first_claim(ARTIFACT)
    assert claim is not None
    assert (claim.publisher, claim.seq, claim.since) == (ALICE, 0, made[0].record.since)
    assert publisher.first_claim(MANIFEST) is None


def test_publishing_the_same_again_sends_nothing(node: DevNode, publisher: ModelRegistryClient):
    first = publisher.publish(release("twice"))
    nonce, block = node.chain.nonce(ALICE), node.chain.latest()
    again = publisher.publish(release("twice"))
    assert (again.created, again.record, again.location) == (False, first.record, first.location)
    assert (node.chain.nonce(ALICE), node.chain.latest()) == (nonce, block)


def test_publishing_one_version_with_other_content_is_refused(node: DevNode, publisher: ModelRegistryClient):
    publisher.publish(release("taken"))
    nonce = node.chain.nonce(ALICE)
    with pytest.raises(
        VersionTaken, match=r"taken 1\.0\.0 is published already with other content \(artifact, terms\)"
    ):
        publisher.publish(release("taken", artifact=DATA, terms=TERMS))
    assert node.chain.nonce(ALICE) == nonce


def test_a_transaction_of_a_run_that_crashed_is_waited_for(node: DevNode, publisher: ModelRegistryClient):
    node.chain.rpc.request("evm_setAutomine", [False])
    hasty = open_model_registry(node.chain, signer=dev_signer(0), timeout=0.2)
    with pytest.raises(TransactionPending, match="run the same command again"):
        hasty.publish(release("crashed"))
    with pytest.raises(TransactionPending, match="nonce 0"):
        hasty.publish(release("crashed"))
    assert node.chain.nonce(ALICE, "pending") == 1

    miner = threading.Timer(0.5, lambda: node.chain.rpc.request("evm_mine", []))
    miner.start()
    found = publisher.publish(release("crashed"))
    miner.join()
    assert not found.created
    assert node.chain.nonce(ALICE) == 1


@pytest.mark.parametrize("node_tells", [True, False])
def test_two_runs_at_the_same_moment_register_once(node: DevNode, publisher: ModelRegistryClient, node_tells: bool):
    """The second learns it from the node's estimate, or from its own transaction, which reverts in the block."""
    node.chain.rpc.request("evm_setAutomine", [False])
    results, wanted = [], release("raced")
    rpc = Spying(node.url)
    rpc.answers["eth_getTransactionCount"] = [hex(0)]  # the transaction of the other run is not seen yet
    if not node_tells:
        rpc.answers["eth_estimateGas"] = [hex(200_000)]

    first = threading.Thread(target=lambda: results.append(publisher.publish(wanted)))
    first.start()
    until(lambda: node.chain.nonce(ALICE, "pending") == 1)
    blind = open_model_registry(connect(rpc), signer=dev_signer(0), timeout=60)
    second = threading.Thread(target=lambda: results.append(blind.publish(wanted)))
    second.start()
    until(lambda: "eth_estimateGas" in rpc.methods)
    if not node_tells:
        until(lambda: node.chain.nonce(ALICE, "pending") == 2)
    node.chain.rpc.request("evm_mine", [])
    first.join()
    second.join()
    assert sorted(result.created for result in results) == [False, True]
    assert results[0].record == results[1].record
    assert publisher.size() == 1


def test_an_account_without_funds_is_told_what_it_needs(node: DevNode):
    poor = LocalSigner(Account.create())
    client = open_model_registry(node.chain, signer=poor)
    with pytest.raises(InsufficientFunds, match=r"holds 0\.000000 ETH") as caught:
        client.publish(release("poor", publisher=poor.address))
    assert caught.value.details["required"] > caught.value.details["available"] == 0
    assert node.chain.nonce(poor.address, "pending") == 0


def test_acting_without_a_key_or_for_another_is_refused(node: DevNode, stranger: ModelRegistryClient):
    with pytest.raises(NoKey, match="PROVENANCE_KEYSTORE"):
        open_model_registry(node.chain).publish(release("keyless"))
    with pytest.raises(NotAuthorised, match="may not do this for the publisher"):
        stranger.publish(release("impersonated"))


def test_what_the_contract_refuses_is_said_in_sentences(publisher: ModelRegistryClient):
    publisher.publish(release("said"))
    with pytest.raises(ReleaseNotFound, match="holds no release:0x"):
        publisher.publish(release("orphan", parents=(Parent(DATA, Relation.MERGE),)))
    with pytest.raises(InvalidRelease, match="cannot be registered"):
        publisher.publish(release("Not-A-Name"))
    with pytest.raises(ReleaseNotFound):
        publisher.set_status("nothing", "1", Status.REVOKED)
    with pytest.raises(TransactionReverted, match="cannot be the successor"):
        publisher.set_status("said", "1.0.0", Status.REVOKED, successor=("said", "1.0.0"))
    with pytest.raises(TransactionReverted, match="this status already"):
        publisher.set_status("said", "1.0.0", Status.ACTIVE)
    publisher.set_status("said", "1.0.0", Status.REVOKED, Reason.DEFECTIVE)
    with pytest.raises(TransactionReverted, match="cannot be taken back"):
        publisher.set_status("said", "1.0.0", Status.ACTIVE)


def test_setting_a_status_that_is_set_sends_nothing(node: DevNode, publisher: ModelRegistryClient):
    publisher.publish(release("revoked"))
    first = publisher.set_status("revoked", "1.0.0", Status.REVOKED, Reason.SECURITY)
    nonce = node.chain.nonce(ALICE)
    again = publisher.set_status("revoked", "1.0.0", Status.REVOKED, Reason.SECURITY)
    assert (again.created, again.event) == (False, first.event)
    assert node.chain.nonce(ALICE) == nonce


def test_what_a_node_says_of_a_record_is_held_against_the_contract(node: DevNode, publisher: ModelRegistryClient):
    published = publisher.publish(release("believed"))
    rpc = Spying(node.url)
    reader = open_model_registry(connect(rpc))
    found = reader.find_record(published.release_id)
    assert found is not None
    assert isinstance(found.location, EventLocation)

    def other_terms(ask):
        (log,) = ask()
        return [log | {"data": log["data"].replace(ZERO.hex(), TERMS.hex())}]

    for lie in (lambda ask: [], other_terms):
        rpc.changes["eth_getLogs"] = lie
        with pytest.raises(InvalidLog):
            reader.find_record(published.release_id)
    assert reader.find_record(DATA) is None


def test_a_node_that_limits_ranges_is_asked_for_less(node: DevNode, publisher: ModelRegistryClient):
    for _ in range(30):
        node.chain.rpc.request("evm_mine", [])
    published = publisher.publish(release("late"))

    class Limited(Spying):
        def request(self, method, params):
            if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 5:
                raise RpcRefused("query exceeds max block range 5")
            return super().request(method, params)

    assert open_model_registry(connect(Limited(node.url))).find_record(published.release_id) is not None


def test_the_estimate_covers_what_is_paid(node: DevNode, publisher: ModelRegistryClient):
    wanted = release("priced")
    cost = publisher.estimate_publish(wanted)
    before = node.chain.balance(ALICE)
    published = publisher.publish(wanted)
    assert before - node.chain.balance(ALICE) == published.paid
    assert published.gas_used <= cost.gas_limit
    assert published.paid <= cost.maximum


def test_fees_leave_room_for_a_rising_base_fee(node: DevNode):
    fees = node.chain.fees()
    assert fees.maximum == 2 * fees.base + fees.tip
    assert fees.base == node.chain.latest().base_fee


def test_a_node_that_loses_its_answer_is_unavailable_and_not_a_crash(node: DevNode):
    rpc = Spying(node.url)
    chain: Chain = connect(rpc)
    reader = open_model_registry(chain)
    for nonsense in (None, 7, "0x", "0xzz", [], {}):
        rpc.changes["eth_call"] = lambda ask, nonsense=nonsense: nonsense
        with pytest.raises(RpcUnavailable, match="cannot be read"):
            reader.size()


def test_documented_slots_hold_what_proofs_will_rely_on(node: DevNode, publisher: ModelRegistryClient):
    published = publisher.publish(release("proven"))
    publisher.set_status("proven", "1.0.0", Status.DEPRECATED, Reason.SUPERSEDED)

    def storage(slot: bytes) -> bytes:
        answer = node.chain.rpc.request("eth_getStorageAt", [publisher.address, "0x" + slot.hex(), "latest"])
        return bytes.fromhex(answer[2:])

    def of(key: bytes, slot: int) -> bytes:
        return keccak(key + slot.to_bytes(32, "big"))

    assert storage(bytes(32)) == publisher.head()
    packed = publisher.deployed_at() << 48 | 2
    assert storage(slots.SIZE.to_bytes(32, "big")) == packed.to_bytes(32, "big")
    assert storage(of(published.release_id, slots.RECORD_HASH_OF)) == record_hash(published.record)
    assert storage(of(ARTIFACT, slots.FIRST_CLAIM))[-20:] == bytes.fromhex(ALICE[2:])
    assert storage(of(published.release_id, slots.STATUS_OF))[-2:] == bytes((Reason.SUPERSEDED, Status.DEPRECATED))


def test_events_are_looked_for_from_the_deployment_on(node: DevNode, publisher: ModelRegistryClient):
    began = publisher.deployed_at()
    assert publisher.from_block == began > 0
    assert node.chain.code(publisher.address)
    assert open_model_registry(node.chain, from_block=0).from_block == 0
    assert open_model_registry(node.chain, from_block=began + 7).from_block == began + 7
    publisher.publish(release("after"))
    found = publisher.find_record(publisher.release_id(ALICE, "after", "1.0.0"))
    assert found is not None
    assert found.location.block_number > began
    assert publisher.logs(0, began) == []


def saying_deployed_at(node: DevNode, block: int) -> ModelRegistryClient:
    """The registry through a node that gives this answer to whoever asks when it was deployed."""
    rpc = Spying(node.url)
    rpc.answers["eth_call"] = ["0x" + block.to_bytes(32, "big").hex()]
    return open_model_registry(connect(rpc))


def test_a_node_that_says_too_late_a_deployment_hides_no_release(node: DevNode, publisher: ModelRegistryClient):
    identifier = publisher.publish(release("early")).release_id
    publisher.publish(release("late"))
    latest = node.chain.latest().number
    deceived = saying_deployed_at(node, latest)
    assert deceived.from_block == latest
    with pytest.raises(InvalidLog, match="gives no event"):
        deceived.find_record(identifier)


@pytest.mark.parametrize("ahead", [1, 2**40])
def test_a_deployment_in_a_block_that_does_not_exist_is_not_believed(
    node: DevNode, publisher: ModelRegistryClient, ahead: int
):
    identifier = publisher.publish(release("early")).release_id
    deceived = saying_deployed_at(node, node.chain.latest().number + ahead)
    assert deceived.from_block == 0
    assert deceived.find_record(identifier) is not None


def test_a_deployment_that_no_contract_can_name_is_refused(node: DevNode):
    with pytest.raises(RpcUnavailable, match="deployedAt"):
        saying_deployed_at(node, 2**48)
