"""A key behind a node or signer: used like one of our own, and no answer is believed that is not its signature."""

import pickle
from typing import Any

import pytest
from geth_node import Geth

from registry.chain import actions
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_key, dev_signer
from registry.chain.foreign import Account, encode_typed_data
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Release, Status
from registry.chain.rpc import HttpRpc
from registry.chain.signer import remote_signer, signer_from_key
from registry.errors import InvalidKey, NoKey, RpcRefused, RpcUnavailable

DIGEST = b"\7" * 32
HELD = dev_signer(3)
TRANSACTION = {
    "type": 2,
    "chainId": 31337,
    "nonce": 5,
    "to": dev_signer(1).address,
    "value": 0,
    "data": b"\1\2",
    "gas": 100_000,
    "maxFeePerGas": 7,
    "maxPriorityFeePerGas": 2,
}
TYPED = actions.set_guardian(dev_signer(1).address).typed_data(
    chain_id=31337, registry=dev_signer(2).address, actor=HELD.address, deadline=NEVER, nonce=2**255
)


class Answering:
    """A signer that holds one account and answers as it is told."""

    name = "http://signer"

    def __init__(self, answer: Any, accounts: Any = (HELD.address,)) -> None:
        self.answer, self.accounts = answer, accounts
        self.asked: list[tuple[str, Any]] = []

    def request(self, method: str, params: Any) -> Any:
        self.asked.append((method, params))
        return self.accounts if method == "eth_accounts" else self.answer


def test_a_node_signs_transactions_and_typed_data_with_the_key_that_it_holds(shared_node: DevNode):
    signer = remote_signer(HttpRpc(shared_node.url), HELD.address.lower())
    assert signer.address == HELD.address
    raw, transaction_hash = signer.sign_transaction(TRANSACTION)
    assert Account.recover_transaction(raw) == HELD.address
    assert (raw, transaction_hash) == HELD.sign_transaction(TRANSACTION)
    assert signer.sign_typed_data(TYPED) == HELD.sign_typed_data(TYPED)


def test_what_a_node_signed_is_taken_by_the_contracts(shared_node: DevNode):
    signer = remote_signer(HttpRpc(shared_node.url), HELD.address)
    direct, relayed = Registries(shared_node.chain, signer), Registries(shared_node.chain, dev_signer(4))
    release = Release(HELD.address, "by-a-node", "1", DIGEST, DIGEST)
    published = direct.models.publish(release)
    assert published.created and published.record.actor == HELD.address
    assert direct.models.set_status("by-a-node", "1", Status.DEPRECATED).created
    action = actions.set_delegate(dev_signer(5).address, Scope.PUBLISH, NEVER)
    registry = relayed.publishers
    signed = actions.sign(action, signer, chain_id=31337, registry=registry.address)
    assert registry.perform(signed).succeeded
    assert registry.delegation(HELD.address, dev_signer(5).address).scopes == Scope.PUBLISH


@pytest.mark.geth
def test_geth_signs_transactions_and_has_no_typed_data(geth_node: Geth):
    rpc = HttpRpc(geth_node.url)
    signer = remote_signer(rpc)  # its only account
    release = Release(signer.address, "by-geth", "1", DIGEST, DIGEST)
    published = Registries(geth_node.chain, signer).models.publish(release)
    assert published.created and published.record.actor == signer.address
    with pytest.raises(RpcRefused, match="eth_signTypedData_v4"):
        signer.sign_typed_data(TYPED)


def test_an_account_that_it_does_not_hold_is_named(shared_node: DevNode):
    rpc = HttpRpc(shared_node.url)
    with pytest.raises(NoKey, match=r"holds 10 accounts; name one with PROVENANCE_ACCOUNT"):
        remote_signer(rpc)
    stranger = Account.create().address
    with pytest.raises(NoKey, match=f"does not hold the key of {stranger}"):
        remote_signer(rpc, stranger)
    with pytest.raises(NoKey, match="holds 0 accounts"):
        remote_signer(Answering(None, accounts=[]))


@pytest.mark.parametrize("accounts", [None, 7, {}, [7], ["0x12"], [None], "0x"])
def test_a_list_of_accounts_that_is_none_is_not_read(accounts):
    with pytest.raises((RpcUnavailable, NoKey)) as caught:
        remote_signer(Answering(None, accounts=accounts))
    assert isinstance(caught.value, NoKey) == (accounts == {})


@pytest.mark.parametrize(
    "change",
    [
        {"to": dev_signer(6).address},
        {"value": 10**18},
        {"data": b"\1\3"},
        {"nonce": 6},
        {"gas": 100_001},
        {"maxFeePerGas": 8},
        {"maxPriorityFeePerGas": 3},
        {"chainId": 1},
        {"accessList": [{"address": dev_signer(1).address, "storageKeys": []}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_transaction_than_was_asked_for_is_refused(change):
    raw, _ = HELD.sign_transaction(TRANSACTION | change)
    for answer in ("0x" + raw.hex(), {"raw": "0x" + raw.hex(), "tx": {}}):
        with pytest.raises(InvalidKey, match="another transaction than it was given"):
            remote_signer(Answering(answer)).sign_transaction(TRANSACTION)


def test_a_transaction_of_an_older_type_is_refused():
    old = {name: value for name, value in TRANSACTION.items() if name != "type" and not name.startswith("max")}
    raw, _ = HELD.sign_transaction(old | {"gasPrice": 7})
    with pytest.raises(RpcUnavailable, match="cannot be read"):
        remote_signer(Answering("0x" + raw.hex())).sign_transaction(TRANSACTION)


def test_the_signature_of_another_key_or_of_other_data_is_refused():
    raw, _ = dev_signer(4).sign_transaction(TRANSACTION)
    with pytest.raises(InvalidKey, match=f"with the key of {dev_signer(4).address}, not {HELD.address}"):
        remote_signer(Answering("0x" + raw.hex())).sign_transaction(TRANSACTION)
    other = TYPED | {"message": TYPED["message"] | {"guardian": HELD.address}}
    for signature in (dev_signer(4).sign_typed_data(TYPED), HELD.sign_typed_data(other)):
        with pytest.raises(InvalidKey, match="did not sign this"):
            remote_signer(Answering("0x" + signature.hex())).sign_typed_data(TYPED)


@pytest.mark.parametrize("answer", [None, 7, "", "0x", "0xzz", "0x02c0", [], {}, {"raw": None}, "0x" + "00" * 65])
def test_an_answer_that_is_no_signature_is_not_read(answer):
    signer = remote_signer(Answering(answer))
    with pytest.raises(RpcUnavailable, match="eth_signTransaction with something that cannot be read"):
        signer.sign_transaction(TRANSACTION)
    with pytest.raises(RpcUnavailable, match="eth_signTypedData_v4 with something that cannot be read"):
        signer.sign_typed_data(TYPED)


def test_a_parity_that_contracts_do_not_take_is_put_into_their_form():
    """Signers differ: 27 or 28 (the yellow paper), 0 or 1 (the parity alone), 35 or 36."""
    for nonce in range(8):  # both parities are among them
        typed = TYPED | {"message": TYPED["message"] | {"nonce": str(nonce)}}
        right = HELD.sign_typed_data(typed)
        for base in (0, 27, 35):
            given = right[:64] + bytes([right[64] - 27 + base])
            assert remote_signer(Answering("0x" + given.hex())).sign_typed_data(typed) == right


def test_what_is_asked_is_of_the_published_form():
    """https://github.com/ethereum/execution-apis: quantities without leading zeros, data with two digits a byte."""
    raw, _ = HELD.sign_transaction(TRANSACTION)
    rpc = Answering({"raw": "0x" + raw.hex()})
    remote_signer(rpc).sign_transaction(TRANSACTION)
    method, (asked,) = rpc.asked[-1]
    assert method == "eth_signTransaction"
    assert asked == {
        "from": HELD.address,
        "type": "0x2",
        "chainId": "0x7a69",
        "nonce": "0x5",
        "to": TRANSACTION["to"],
        "value": "0x0",
        "data": "0x0102",
        "gas": "0x186a0",
        "maxFeePerGas": "0x7",
        "maxPriorityFeePerGas": "0x2",
    }


def test_signers_agree_with_eth_account_and_show_no_key():
    key = dev_key(3)
    signer = signer_from_key(key)
    account = Account.from_key(key)
    assert signer.sign_typed_data(TYPED) == bytes(account.sign_message(encode_typed_data(full_message=TYPED)).signature)
    shown = [repr(signer), str(signer), repr(remote_signer(Answering(None)))]
    with pytest.raises(TypeError) as refused:
        pickle.dumps(signer)
    with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever a library raises
        signer.sign_typed_data(TYPED | {"message": {}})
    shown += [repr(refused.value), repr(failed.value), str(failed.value)]
    assert all(key[2:] not in text and str(int(key, 16)) not in text for text in shown)
