"""Attacks on signed actions: replays, other domains, forged and bent signatures, and accounts with code."""

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import keccak

from attacks.node import Node
from attacks.world import DAY, ORDER, PUBLISH, ZERO, ZERO_ADDRESS, World, person, refuses, release, typed

MAGIC = bytes.fromhex("1626ba7e").ljust(32, b"\0")  # ERC-1271
ANSWERS, REVERTS, BURNS_GAS = range(3)


class Wallet:
    """A contract as an actor."""

    def __init__(self, contract):
        self.contract, self.address = contract, contract.address


@pytest.fixture
def actions(world, node, alice, bob):
    """Every action that can be signed: (registry, name, arguments), with what each needs in place."""
    record = world.publish(alice)
    statement = (alice.address, 1, 3, world.id(record), keccak(text="report"), node.now + DAY)
    world.statements.attest(statement, by=alice)
    held = (alice.address, keccak(text="root"), 1, keccak(text="another list"))
    world.models.publishAnchor(held, by=alice)
    statement_id = bytes(world.statements.statementIdOf(statement))
    models, publishers, licenses = world.models, world.publishers, world.licenses
    return [
        (models, "publish", [release(alice, version="2"), ZERO], {}),
        (models, "setStatus", [(alice.address, "model", "1", 1, 0, ZERO, "", "")], {"nonce": 1}),
        (models, "publishAnchor", [(alice.address, keccak(text="root"), 1, keccak(text="list"))], {}),
        (models, "withdrawAnchor", [held], {"nonce": 2}),
        (licenses, "setGrant", [(alice.address, "model", "1", bob.address, 1, 0, node.now + DAY, False)], {"nonce": 1}),
        (world.statements, "attest", [(*statement[:4], keccak(text="second"), statement[5])], {}),
        (world.statements, "retract", [statement_id], {"nonce": 2**256 - 1}),
        (publishers, "setDelegate", [bob.address, PUBLISH, node.now + DAY], {"nonce": 0}),
        (publishers, "setGuardian", [bob.address], {"nonce": 255}),
        (publishers, "freeze", [alice.address, ZERO_ADDRESS, node.now], {"nonce": 256}),
    ]


def test_every_action_goes_through_when_its_actor_signed_it(world, alice, actions):
    """That the refusals below are for the reason tested, and that the types signed are the documented ones."""
    for contract, action, arguments, nonce in actions:
        world.relay(contract, action, arguments, alice, **nonce)


def test_replay(world, alice, actions):
    for contract, action, arguments, nonce in actions[:-1]:
        signed = world.sign(contract, action, arguments, alice, **nonce)
        send = getattr(contract, action + "WithSignature")
        send(*signed)
        size = contract.size()
        error = {"publish": "VersionExists", "publishAnchor": "AnchorExists", "attest": "StatementExists"}
        with refuses(error.get(action, "NonceUsed")):
            send(*signed)
        assert contract.size() == size


def test_replay_of_an_attestation_after_it_was_retracted(world, node, alice):
    statement = (alice.address, 1, 1, keccak(text="artifact"), keccak(text="report"), node.now + DAY)
    signed = world.sign(world.statements, "attest", [statement], alice)
    world.statements.attestWithSignature(*signed)
    identity = world.statements.statementIdOf(statement)
    world.statements.retract(identity, by=alice)
    with refuses("StatementExists", identity):
        world.statements.attestWithSignature(*signed)
    assert not world.statements.isInForce(identity)


def test_replay_of_an_anchor_after_it_was_withdrawn(world, alice):
    anchor = (alice.address, keccak(text="root"), 1, keccak(text="list"))
    signed = world.sign(world.models, "publishAnchor", [anchor], alice)
    world.models.publishAnchorWithSignature(*signed)
    world.models.withdrawAnchor(anchor, by=alice)
    with refuses("AnchorExists"):
        world.models.publishAnchorWithSignature(*signed)


def test_replay_on_another_chain(builds, world, alice, actions):
    """The same addresses on a chain with another id: nothing that was signed here counts there."""
    other = Node(chain_id=31338)
    try:
        there = World(other, builds)
        assert {name: contract.address for name, contract in there.registries.items()} == {
            name: contract.address for name, contract in world.registries.items()
        }
        other.now = world.node.now
        there.publish(alice)
        there.models.publishAnchor(actions[3][2][0], by=alice)
        for contract, action, arguments, nonce in actions:
            signed = world.sign(contract, action, arguments, alice, **nonce)
            with refuses("InvalidSignature", alice.address):
                getattr(there.registries[contract._name], action + "WithSignature")(*signed)
    finally:
        other.close()


def test_replay_on_another_deployment_and_on_another_registry(builds, world, alice, actions):
    again = World(world.node, builds)
    again.publish(alice)
    again.models.publishAnchor(actions[3][2][0], by=alice)
    for contract, action, arguments, nonce in actions:
        signed = world.sign(contract, action, arguments, alice, **nonce)
        with refuses("InvalidSignature", alice.address):
            getattr(again.registries[contract._name], action + "WithSignature")(*signed)
    # Under the right address with another registry's name, too.
    contract, action, arguments, _ = actions[0]
    domain = {"name": "StatementRegistry", "version": "1", "chainId": 31337, "verifyingContract": contract.address}
    deadline = world.node.now + 600
    message = typed(domain, "Publish", [alice.address, *arguments, deadline])
    signature = bytes(Account.sign_message(message, alice.key).signature)
    with refuses("InvalidSignature", alice.address):
        contract.publishWithSignature(*arguments, (alice.address, deadline, signature))


def test_replay_after_cancel(world, alice, actions):
    for contract, action, arguments, nonce in actions:
        if not nonce:
            continue
        signed = world.sign(contract, action, arguments, alice, **nonce)
        number = nonce["nonce"]
        contract.cancel(number, by=alice)
        assert contract.isNonceUsed(alice.address, number)
        assert not contract.isNonceUsed(alice.address, number ^ 512)
        with refuses("NonceUsed", alice.address, number):
            getattr(contract, action + "WithSignature")(*signed)


def test_a_strangers_cancel_stops_nothing(world, alice, mallory, actions):
    for contract, action, arguments, nonce in actions:
        if nonce:
            contract.cancel(nonce["nonce"], by=mallory)
            world.relay(contract, action, arguments, alice, **nonce)


def test_cancelling_a_used_nonce_gives_nothing_back(world, alice, actions):
    for contract, action, arguments, nonce in actions[:2]:
        if nonce:
            signed = world.sign(contract, action, arguments, alice, **nonce)
            getattr(contract, action + "WithSignature")(*signed)
            contract.cancel(nonce["nonce"], by=alice)
            with refuses("NonceUsed"):
                getattr(contract, action + "WithSignature")(*signed)


def test_a_refused_action_does_not_use_up_its_nonce(world, node, alice, mallory):
    """Nobody can spoil a kept signature by submitting it when it must fail."""
    update = (alice.address, "model", "1", 2, 3, ZERO, "", "")
    signed = world.sign(world.models, "setStatus", [update], alice, nonce=1)
    with refuses("UnknownRelease"):
        world.models.setStatusWithSignature(*signed, by=mallory)
    world.publish(alice)
    world.models.setStatusWithSignature(*signed, by=mallory)


def test_a_deadline_that_passed(world, node, alice, actions):
    for contract, action, arguments, nonce in actions:
        deadline = node.now + 100
        signed = world.sign(contract, action, arguments, alice, deadline=deadline, **nonce)
        function = action + "WithSignature"
        data = contract.data(function, *signed)
        world.call(contract.address, data, at=deadline)  # the last second
        with refuses("SignatureExpired", deadline):
            world.call(contract.address, data, at=deadline + 1)


def test_a_stale_type_hash(world, alice):
    """What was signed as another type, though of the same values, is not this action."""
    contract, values = world.models, release(alice)
    deadline = world.node.now + 600
    domain = {"name": "ModelRegistry", "version": "1", "chainId": 31337, "verifyingContract": contract.address}
    stale = {
        # Without the salt; with the members of the record's order; with the parents' relation left out.
        "Publish(address actor,Release release,uint256 deadline)": ["actor", "release", "deadline"],
        "Publish(address actor,bytes32 salt,Release release,uint256 deadline)": [
            "actor",
            "salt",
            "release",
            "deadline",
        ],
    }
    parts = {
        "actor": encode(["address"], [alice.address]),
        "release": typed({"name": ""}, "Release", values).body,
        "salt": ZERO,
        "deadline": encode(["uint256"], [deadline]),
    }
    nested = typed_suffix()
    domain_separator = typed(domain, "Release", values).header
    for text, order in stale.items():
        struct = keccak(keccak(text=text + nested) + b"".join(parts[name] for name in order))
        digest = keccak(b"\x19\x01" + domain_separator + struct)
        signature = bytes(Account.unsafe_sign_hash(digest, alice.key).signature)
        with refuses("InvalidSignature", alice.address):
            contract.publishWithSignature(values, ZERO, (alice.address, deadline, signature))
    # And the one that is documented, by the same means.
    text = "Publish(address actor,Release release,bytes32 salt,uint256 deadline)"
    order = ["actor", "release", "salt", "deadline"]
    struct = keccak(keccak(text=text + nested) + b"".join(parts[name] for name in order))
    digest = keccak(b"\x19\x01" + domain_separator + struct)
    signature = bytes(Account.unsafe_sign_hash(digest, alice.key).signature)
    contract.publishWithSignature(values, ZERO, (alice.address, deadline, signature))


def typed_suffix():
    return (
        "Parent(bytes32 releaseId,uint8 relation)"
        "Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,"
        "bytes32 trainingData,Parent[] parents)"
    )


def test_signature_malleability(world, alice, mallory):
    """A signature has one form: neither the high s, nor another v, nor another length is taken."""
    *arguments, (actor, deadline, signature) = world.sign(world.models, "publish", [release(alice), ZERO], alice)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    bent = {
        "high s": r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v]),
        "v of 0 or 1": signature[:64] + bytes([v - 27]),
        "the other v": signature[:64] + bytes([55 - v]),
        "EIP-155 v": signature[:64] + bytes([v + 8 + 31337 % 100]),
        "compact (EIP-2098)": r + (s | (v - 27) << 255).to_bytes(32, "big"),
        "a byte more": signature + b"\0",
        "a byte less": signature[:64],
        "empty": b"",
        "zero": bytes(65),
    }
    for what, other in bent.items():
        with refuses("InvalidSignature", alice.address):
            world.models.publishWithSignature(*arguments, (actor, deadline, other), by=mallory)
        assert what
    world.models.publishWithSignature(*arguments, (actor, deadline, signature))


def test_the_zero_address_signs_nothing(world):
    """Recovery of nonsense gives the zero address, and that is nobody's signature."""

    class Nobody:
        address = ZERO_ADDRESS
        key = person("anyone").key

    for signature in (bytes(65), b"\x01" * 64 + b"\x1b", b""):
        deadline = world.node.now + 600
        with refuses("InvalidSignature", ZERO_ADDRESS):
            world.models.publishWithSignature(release(Nobody), ZERO, (ZERO_ADDRESS, deadline, signature))


def test_precompiles_sign_nothing(world):
    """Addresses below 0x12 answer calls: some with 32 bytes that the caller chose the preimage of."""
    for number in range(1, 0x12):
        address = f"0x{number:040x}"
        values = (address, *release(person("x"))[1:])
        for signature in (b"", MAGIC, MAGIC * 4):
            with refuses("InvalidSignature", address):
                world.models.publishWithSignature(values, ZERO, (address, world.node.now + 600, signature))


@pytest.mark.parametrize("field", ["release", "salt", "deadline", "actor"])
def test_what_was_signed_cannot_be_changed(world, alice, mallory, field):
    values, salt, (actor, deadline, signature) = world.sign(world.models, "publish", [release(alice), ZERO], alice)
    changed = {
        "release": (release(alice, terms=keccak(text="mine")), salt, (actor, deadline, signature)),
        "salt": (values, keccak(text="salt"), (actor, deadline, signature)),
        "deadline": (values, salt, (actor, deadline + 1, signature)),
        "actor": (values, salt, (mallory.address, deadline, signature)),
    }
    with refuses("InvalidSignature"):
        world.models.publishWithSignature(*changed[field], by=mallory)


def test_a_signature_is_of_its_actor_and_not_of_whom_it_acts_for(world, alice, mallory):
    """A stranger's valid signature of a release of alice's is the stranger's act, and refused as that."""
    with refuses("NotAuthorised", alice.address, mallory.address, PUBLISH):
        world.relay(world.models, "publish", [release(alice), ZERO], mallory)


# Accounts with code.


@pytest.mark.parametrize("by_transaction", [True, False], ids=["set-code transaction", "code of a delegation"])
def test_an_eip_7702_account_still_signs_with_its_key(world, node, alice, mallory, by_transaction):
    """It has code, and that code says no to every signature; its key is heard first."""
    code = world.deploy("RefusingDelegation")
    if by_transaction:
        authorization = {"chainId": 31337, "address": code.address, "nonce": 1}
        transaction = {
            "type": 4,
            "chainId": 31337,
            "nonce": 0,
            "to": mallory.address,
            "value": 0,
            "data": "0x",
            "gas": 200_000,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "accessList": [],
            "authorizationList": [Account.sign_authorization(authorization, alice.key)],
        }
        raw = Account.sign_transaction(transaction, alice.key).raw_transaction
        node("evm_setNextBlockTimestamp", node.now)
        assert node("eth_sendRawTransactionSync", "0x" + bytes(raw).hex())["status"] == "0x1"
    else:
        node("anvil_setCode", alice.address, "0xef0100" + code.address[2:])
    assert node("eth_getCode", alice.address, "latest") == "0xef0100" + code.address[2:].lower()
    world.relay(world.models, "publish", [release(alice), ZERO], alice)
    world.publish(alice, version="2")
    with refuses("InvalidSignature", alice.address):
        world.relay(world.models, "publish", [release(alice, version="3"), ZERO], alice, key=mallory.key)


def test_an_eip_7702_account_may_sign_by_its_code_too(world, node, alice, bob):
    owned = world.deploy("OwnedWallet", bob.address)
    node("anvil_setCode", alice.address, "0xef0100" + owned.address[2:])
    world.relay(world.models, "publish", [release(alice), ZERO], alice, key=bob.key)


def test_an_honest_wallet(world, bob, mallory):
    wallet = Wallet(world.deploy("OwnedWallet", bob.address))
    with refuses("InvalidSignature", wallet.address):
        world.relay(world.models, "publish", [release(wallet), ZERO], wallet, key=mallory.key)
    receipt = world.relay(world.models, "publish", [release(wallet), ZERO], wallet, key=bob.key)
    assert world.record(receipt)[2] == wallet.address.lower()
    with refuses("VersionExists"):
        world.relay(world.models, "publish", [release(wallet), ZERO], wallet, key=bob.key)


def test_a_wallet_that_lies_only_gives_itself_away(world, alice, bob):
    """It says yes to everything: everybody is this wallet, and nobody else."""
    wallet = Wallet(world.deploy("AnsweringWallet", ANSWERS, MAGIC))
    receipt = world.models.publishWithSignature(release(wallet), ZERO, (wallet.address, world.node.now, b"nonsense"))
    assert world.record(receipt)[4][0] == wallet.address.lower()
    with refuses("NotAuthorised", alice.address, wallet.address, PUBLISH):
        world.models.publishWithSignature(release(alice), ZERO, (wallet.address, world.node.now, b"nonsense"))
    with refuses("InvalidSignature", alice.address):
        world.models.publishWithSignature(release(alice), ZERO, (alice.address, world.node.now, b"nonsense"))


@pytest.mark.parametrize(
    ("way", "answer"),
    [
        (ANSWERS, b""),
        (ANSWERS, MAGIC[:4]),
        (ANSWERS, MAGIC[:31]),
        (ANSWERS, MAGIC[:4] + b"\0" * 27 + b"\1"),
        (ANSWERS, bytes(28) + MAGIC[:4]),
        (ANSWERS, bytes(32) + MAGIC),
        (ANSWERS, (1).to_bytes(32, "big")),
        (ANSWERS, b"\xff" * 32),
        (REVERTS, MAGIC),
        (REVERTS, b""),
    ],
)
def test_a_wallet_that_answers_garbage(world, way, answer):
    wallet = Wallet(world.deploy("AnsweringWallet", way, answer))
    with refuses("InvalidSignature", wallet.address):
        world.models.publishWithSignature(release(wallet), ZERO, (wallet.address, world.node.now, b""))


def test_a_wallet_that_burns_gas_costs_who_sends(world, node, mallory):
    wallet = Wallet(world.deploy("AnsweringWallet", BURNS_GAS, MAGIC))
    data = world.models.data("publishWithSignature", release(wallet), ZERO, (wallet.address, node.now, b""))
    receipt = node.send(mallory.address, world.models.address, data, gas=3_000_000)
    assert receipt["status"] == "0x0"
    assert int(receipt["gasUsed"], 16) <= 3_000_000
    assert world.models.size() == 0


def test_a_wallet_that_floods_its_caller_is_not_copied(world):
    """A megabyte of answer: the caller pays for what the wallet spent, and for no memory of its own."""
    wallet = Wallet(world.deploy("FloodingWallet"))
    receipt = world.models.publishWithSignature(release(wallet), ZERO, (wallet.address, world.node.now, b""))
    assert int(receipt["gasUsed"], 16) < 2_500_000  # 31,250 words of the wallet's own memory cost two million


def test_reentrancy_through_erc_1271(world, node):
    """While its signature is checked, a wallet tries every write it could make; all happen never, or once."""
    wallet = Wallet(world.deploy("ReentrantWallet"))
    models, node_now = world.models, node.now
    signed = (wallet.address, node_now, b"")
    inner = {
        "the same action": models.data("publishWithSignature", release(wallet), ZERO, signed),
        "another release": models.data("publish", release(wallet, version="2"), ZERO),
        "its own nonce": models.data("cancel", 1),
        "a reservation": models.data("reserve", keccak(text="commitment")),
    }
    for number, (what, data) in enumerate(inner.items()):
        before = node.snapshot()
        wallet.contract.prepare(models.address, data)
        receipt = models.publishWithSignature(release(wallet), ZERO, signed)
        assert len(receipt["logs"]) == 1, what
        assert models.size() == 1
        assert not models.isNonceUsed(wallet.address, 1)
        assert models.reservedAt(keccak(text="commitment")) == 0
        assert number < len(inner)
        node.revert(before)


def test_reentrancy_cannot_use_one_nonce_twice(world, node):
    wallet = Wallet(world.deploy("ReentrantWallet"))
    wallet.contract.execute(world.models.address, world.models.data("publish", release(wallet), ZERO))
    update = (wallet.address, "model", "1", 1, 0, ZERO, "", "")
    signed = (wallet.address, node.now, b"")
    wallet.contract.prepare(
        world.models.address, world.models.data("setStatusWithSignature", (*update[:3], 2, *update[4:]), 9, signed)
    )
    world.models.setStatusWithSignature(update, 9, signed)
    assert world.models.statusOf(world.id(release(wallet)))[0] == 1
    assert world.models.size() == 2
    with refuses("NonceUsed", wallet.address, 9):
        world.models.setStatusWithSignature((*update[:3], 2, *update[4:]), 9, signed)
