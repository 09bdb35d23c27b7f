"""Signed actions: whoever submits them, they are the signer's, and of one action, contract and chain."""

from typing import NamedTuple

import pytest
from conftest import GRANT, PUBLISH, STATEMENT, STATUS
from eth_utils import keccak
from oracle import FOREVER, TYPES, ZERO, ZERO_ADDRESS, replay
from refusals import refuses

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1 (SEC 2, section 2.4.1)
NONCE = 777
# Scope that a delegate needs; None where only the signer itself is meant.
SCOPES = {
    "Publish": PUBLISH,
    "SetStatus": STATUS,
    "PublishAnchor": PUBLISH,
    "WithdrawAnchor": STATUS,
    "SetDelegate": None,
    "SetGuardian": None,
    "Freeze": None,
    "SetGrant": GRANT,
    "Attest": STATEMENT,
    "Retract": STATEMENT,
}
DELEGATED = [name for name, scope in SCOPES.items() if scope]
WITH_NONCE = [name for name in SCOPES if name not in ("Publish", "PublishAnchor", "Attest")]


class Action(NamedTuple):
    """One signed action: its type, and what stands between actor and deadline, in the call as in the signature."""

    struct: str
    contract: object
    values: tuple
    again: tuple  # the error that meets it the second time

    def send(self, signed, by):
        method = f"{self.struct[0].lower()}{self.struct[1:]}WithSignature"
        return getattr(self.contract, method)(*self.values, signed, {"from": by})


@pytest.fixture
def make(publishers, models, licenses, statements, release, publish, publisher, stranger):
    """Makes an action of the publisher's that would go through."""

    def build(struct):
        account = publisher.address
        identity = publish(name="model", version="1")
        anchor = (account, keccak(text="root"), 3, keccak(text="list"))
        statement = (account, 1, 1, keccak(text="subject"), keccak(text="document"), FOREVER)
        used = ("NonceUsed", publisher, NONCE)
        if struct == "WithdrawAnchor":
            models.publishAnchor(anchor, {"from": publisher})
        if struct == "Retract":
            statements.attest(statement, {"from": publisher})
        said = bytes(statements.statementIdOf(statement))
        draft = release(parents=[(identity, 1)])
        draft_id = bytes(models.releaseIdOf(*draft[:3]))
        update = (account, "model", "1", 1, 2, keccak(text="why"), "", "")
        grant = (account, "model", "1", stranger.address, 3, 1, FOREVER, True)
        anchor_id = bytes(models.anchorIdOf(anchor))
        return {
            "Publish": Action(struct, models, (draft, ZERO), ("VersionExists", draft_id)),
            "SetStatus": Action(struct, models, (update, NONCE), used),
            "PublishAnchor": Action(struct, models, (anchor,), ("AnchorExists", anchor_id)),
            "WithdrawAnchor": Action(struct, models, (anchor, NONCE), used),
            "SetDelegate": Action(struct, publishers, (stranger.address, PUBLISH, FOREVER, NONCE), used),
            "SetGuardian": Action(struct, publishers, (stranger.address, NONCE), used),
            "Freeze": Action(struct, publishers, (account, stranger.address, 1000, NONCE), used),
            "SetGrant": Action(struct, licenses, (grant, NONCE), used),
            "Attest": Action(struct, statements, (statement,), ("StatementExists", said)),
            "Retract": Action(struct, statements, (said, NONCE), used),
        }[struct]

    return build


@pytest.fixture(params=SCOPES)
def action(request, make):
    return make(request.param)


@pytest.fixture
def publishing(make):
    """One action stands for all where the contracts share the code: the base that checks signatures."""
    return make("Publish")


def variations(value):
    """The same value with one part of it changed, in every way that the ABI can carry."""
    if isinstance(value, tuple):
        for place, each in enumerate(value):
            yield from ((*value[:place], changed, *value[place + 1 :]) for changed in variations(each))
    elif isinstance(value, list):
        yield []
        for place, each in enumerate(value):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in variations(each))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value ^ 1
    elif isinstance(value, bytes):
        yield keccak(value)
    else:
        yield "0x" + "11" * 20 if value.startswith("0x") else value + "0"


def test_anyone_submits_what_the_publisher_signed(action, sign, publisher, stranger, web3):
    before = action.contract.size()
    action.send(sign(action.contract, action.struct, *action.values, by=publisher), by=stranger)
    replayed = replay(web3, action.contract.address)
    assert action.contract.size() == before + 1
    assert bytes(action.contract.head()) == replayed.head
    values = replayed.entries[-1].values
    actor = values[2] if replayed.entries[-1].struct == "Record" else values[3]
    assert actor == publisher


def test_no_part_of_what_was_signed_can_be_changed(action, sign, publisher, stranger):
    signed = sign(action.contract, action.struct, *action.values, by=publisher)
    changes = list(variations(action.values))
    assert len(changes) >= len(action.values)
    for values in changes:
        method = f"{action.struct[0].lower()}{action.struct[1:]}WithSignature"
        with refuses("InvalidSignature", publisher):
            getattr(action.contract, method).call(*values, signed, {"from": stranger})


def test_nor_its_deadline(action, sign, publisher, stranger):
    actor, deadline, signature = sign(action.contract, action.struct, *action.values, by=publisher)
    with refuses("InvalidSignature", publisher):
        action.send((actor, deadline + 1, signature), by=stranger)


def test_nor_who_acts(action, sign, publisher, stranger):
    _, deadline, signature = sign(action.contract, action.struct, *action.values, by=publisher)
    with refuses("InvalidSignature", stranger):
        action.send((stranger.address, deadline, signature), by=stranger)


def test_nobody_signs_for_another(action, sign, publisher, stranger):
    with refuses("InvalidSignature", publisher):
        action.send(sign(action.contract, action.struct, *action.values, by=stranger, actor=publisher), by=stranger)


def test_a_strangers_own_signature_gives_it_no_authority(action, sign, publisher, stranger):
    signed = sign(action.contract, action.struct, *action.values, by=stranger)
    if action.struct in ("SetDelegate", "SetGuardian"):  # of whom it becomes the delegate or guardian: the signer
        with refuses("InvalidDelegate" if action.struct == "SetDelegate" else "InvalidGuardian"):
            action.send(signed, by=stranger)
    else:
        with refuses("NotAuthorised", publisher, stranger, SCOPES[action.struct] or 0):
            action.send(signed, by=stranger)


def test_it_cannot_be_submitted_twice(action, sign, publisher, stranger):
    signed = sign(action.contract, action.struct, *action.values, by=publisher)
    action.send(signed, by=stranger)
    with refuses(*action.again):
        action.send(signed, by=stranger)


def test_the_type_of_the_action_is_part_of_it(action, sign, publisher, stranger, monkeypatch):
    monkeypatch.setitem(TYPES, "Other", TYPES[action.struct])
    with refuses("InvalidSignature", publisher):
        action.send(sign(action.contract, "Other", *action.values, by=publisher), by=stranger)


@pytest.mark.parametrize(
    "domain",
    [
        {"chainId": 1},
        {"verifyingContract": "0x" + "11" * 20},
        {"name": "Registry"},
        {"version": "2"},
    ],
    ids=lambda domain: next(iter(domain)),
)
def test_the_domain_is_part_of_it(action, sign, publisher, stranger, domain):
    with refuses("InvalidSignature", publisher):
        action.send(sign(action.contract, action.struct, *action.values, by=publisher, domain=domain), by=stranger)


def test_the_domain_is_told(registries, web3):
    for name, contract in registries.items():
        fields, *domain = contract.eip712Domain()
        assert bytes(fields) == b"\x0f"
        assert domain == [name, "1", web3.eth.chain_id, contract.address, "0x" + "00" * 32, ()]


@pytest.mark.parametrize("struct", DELEGATED)
def test_a_delegate_signs_and_is_recorded_as_the_actor(
    make, sign, publisher, delegate, stranger, name_delegate, struct, web3
):
    action = make(struct)
    name_delegate(SCOPES[struct])
    action.send(sign(action.contract, struct, *action.values, by=delegate), by=stranger)
    entry = replay(web3, action.contract.address).entries[-1]
    publisher_of, actor = (entry.values[4][0], entry.values[2]) if struct == "Publish" else entry.values[2:4]
    assert (publisher_of, actor) == (publisher, delegate)


@pytest.mark.parametrize("struct", DELEGATED)
def test_a_delegate_without_the_scope_signs_in_vain(make, sign, publisher, delegate, stranger, name_delegate, struct):
    action = make(struct)
    name_delegate(15 - SCOPES[struct])
    with refuses("NotAuthorised", publisher, delegate, SCOPES[struct]):
        action.send(sign(action.contract, struct, *action.values, by=delegate), by=stranger)


def test_authority_is_asked_for_when_it_is_submitted(make, sign, publisher, delegate, stranger, name_delegate, now, at):
    action, expires = make("SetStatus"), now() + 1000
    name_delegate(STATUS, expires)
    signed = sign(action.contract, action.struct, *action.values, by=delegate, deadline=expires + 10)
    at(expires)
    with refuses("NotAuthorised", publisher, delegate, STATUS):
        action.send(signed, by=stranger)


def test_a_delegate_that_was_taken_back_signed_in_vain(make, sign, publisher, delegate, stranger, name_delegate):
    action = make("SetGrant")
    name_delegate(GRANT)
    signed = sign(action.contract, action.struct, *action.values, by=delegate)
    name_delegate(0, 0)
    with refuses("NotAuthorised", publisher, delegate, GRANT):
        action.send(signed, by=stranger)


def test_what_a_frozen_publisher_signed_before_counts_no_more(action, sign, publisher, stranger, freeze):
    signed = sign(action.contract, action.struct, *action.values, by=publisher)
    freeze()
    with refuses("FrozenPublisher", publisher):
        action.send(signed, by=stranger)


def test_a_guardian_signs_a_freeze_for_the_day_that_it_is_needed(
    publishers, sign, publisher, guardian, stranger, set_guardian, later, web3
):
    set_guardian()
    values = (publisher.address, ZERO_ADDRESS, 1000, NONCE)
    signed = sign(publishers, "Freeze", *values, by=guardian, deadline=2**256 - 1)
    later(10**8)
    publishers.freezeWithSignature(*values, signed, {"from": stranger})
    assert publishers.trustedUntil(publisher) == 1000
    assert replay(web3, publishers.address).of("FreezeRecord")[0][3] == guardian


def test_a_delegate_that_signs_names_its_own_delegate(publishers, sign, publisher, delegate, stranger, name_delegate):
    name_delegate(15)
    values = (stranger.address, PUBLISH, FOREVER, NONCE)
    publishers.setDelegateWithSignature(
        *values, sign(publishers, "SetDelegate", *values, by=delegate), {"from": stranger}
    )
    assert publishers.delegationOf(publisher, stranger)[0] == 0
    assert publishers.delegationOf(delegate, stranger)[0] == PUBLISH


def test_the_deadline_is_the_last_second(action, sign, publisher, stranger, now, at):
    deadline = now() + 100
    signed = sign(action.contract, action.struct, *action.values, by=publisher, deadline=deadline)
    at(deadline + 1)
    with refuses("SignatureExpired", deadline):
        action.send(signed, by=stranger)


def test_exactly_at_the_deadline_it_is_taken(action, sign, publisher, stranger, now, at):
    deadline = now() + 100
    signed = sign(action.contract, action.struct, *action.values, by=publisher, deadline=deadline)
    at(deadline)
    assert action.send(signed, by=stranger).timestamp == deadline


def other_form(form, signature):
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    return {
        "high s": r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v]),  # 27 <-> 28: the same key recovers
        "compact": r + (s | (v - 27) << 255).to_bytes(32, "big"),  # EIP-2098
        "v of 0 or 1": signature[:64] + bytes([v - 27]),
        "other v": signature[:64] + bytes([55 - v]),
        "longer": signature + b"\0",
        "empty": b"",
        "zeros": bytes(65),
        "zero r": bytes(32) + signature[32:],
    }[form]


@pytest.mark.parametrize("form", ["high s", "compact", "v of 0 or 1", "other v", "longer", "empty", "zeros", "zero r"])
def test_a_signature_has_one_form(publishing, sign, publisher, stranger, form):
    actor, deadline, signature = sign(
        publishing.contract, publishing.struct, *publishing.values, by=publisher, deadline=FOREVER
    )
    with refuses("InvalidSignature", publisher):
        publishing.send((actor, deadline, other_form(form, signature)), by=stranger)
    publishing.send((actor, deadline, signature), by=stranger)


@pytest.mark.parametrize("signature", [b"", bytes(65), b"\1" * 65])
def test_nobody_signs_nothing(models, release, stranger, signature):
    values = release(publisher=ZERO_ADDRESS)
    with refuses("InvalidSignature", ZERO_ADDRESS):
        models.publishWithSignature(values, ZERO, (ZERO_ADDRESS, FOREVER, signature), {"from": stranger})


# What an account's code answers to `isValidSignature`, as EVM code: ERC-1271's magic value is 0x1626ba7e.
WALLETS = {
    "yes": "63" + "1626ba7e" + "60e01b" + "5f52" + "60205ff3",
    "no": "63" + "ffffffff" + "60e01b" + "5f52" + "60205ff3",
    "yes with more behind it": "7f" + "1626ba7e".ljust(64, "1") + "5f52" + "60205ff3",
    "four bytes only": "63" + "1626ba7e" + "60e01b" + "5f52" + "60045ff3",
    "revert": "5f5ffd",
    "nothing": "00",
    "writes": "60015f55" + "63" + "1626ba7e" + "60e01b" + "5f52" + "60205ff3",
}


@pytest.mark.parametrize("wallet", WALLETS)
def test_a_wallet_answers_for_itself(models, release, stranger, web3, wallet):
    address = web3.to_checksum_address("0x" + "a1" * 20)
    web3.provider.make_request("anvil_setCode", [address, "0x" + WALLETS[wallet]])
    values = release(publisher=address)
    signed = (address, FOREVER, b"whatever the wallet takes")
    if wallet == "yes":
        models.publishWithSignature(values, ZERO, signed, {"from": stranger})
        assert replay(web3, models.address).of("Record")[0][2] == address
    else:
        with refuses("InvalidSignature", address):
            models.publishWithSignature(values, ZERO, signed, {"from": stranger})


def test_an_account_that_has_code_still_signs_with_its_key(publishing, sign, publisher, stranger, web3):
    signed = sign(publishing.contract, publishing.struct, *publishing.values, by=publisher)
    web3.provider.make_request("anvil_setCode", [publisher.address, "0x" + WALLETS["revert"]])
    publishing.send(signed, by=stranger)


def test_a_signed_publish_reveals_a_reservation(models, release, sign, publisher, stranger, later, web3):
    salt, values = keccak(text="salt"), release()
    since = models.reserve(models.reservationOf(publisher, values[3], salt), {"from": stranger}).timestamp
    later(100)
    models.publishWithSignature(values, salt, sign(models, "Publish", values, salt, by=publisher), {"from": stranger})
    assert replay(web3, models.address).of("Record")[0][3] == since


def test_the_call_returns_the_id(models, statements, make, sign, publisher, stranger):
    for struct, name in (("Publish", "releaseIdOf"), ("PublishAnchor", "anchorIdOf"), ("Attest", "statementIdOf")):
        action = make(struct) if struct == "Publish" else None
        if action is None:
            values = (
                ((publisher.address, keccak(text="r"), 1, keccak(text="l")),)
                if struct == "PublishAnchor"
                else ((publisher.address, 1, 1, keccak(text="s"), keccak(text="d"), FOREVER),)
            )
            action = Action(struct, models if struct == "PublishAnchor" else statements, values, ())
        method = getattr(action.contract, f"{struct[0].lower()}{struct[1:]}WithSignature")
        signed = sign(action.contract, struct, *action.values, by=publisher)
        identified = action.values[0][:3] if struct == "Publish" else action.values[:1]
        answer = method.call(*action.values, signed, {"from": stranger})
        assert answer == getattr(action.contract, name)(*identified)
