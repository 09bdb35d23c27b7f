"""Attacks by input: sizes that should cost only their sender, letters of other scripts, and words that do not fit."""

import pytest
from eth_utils import keccak

from attacks.world import DAY, ZERO, Refused, refuses, release

HUGE = 100_000


@pytest.mark.parametrize(("field", "error"), [("name", "InvalidName"), ("version", "InvalidVersion")])
@pytest.mark.parametrize("length", [33, 65, HUGE])
def test_long_texts(world, alice, field, error, length):
    if (field, length) == ("name", 33):
        world.publish(alice, **{field: "a" * length})
        return
    with refuses(error):
        world.publish(alice, **{field: "a" * length})
    assert world.models.size() == 0


def test_long_texts_elsewhere_find_no_release(world, node, alice):
    """Where a text only looks something up, its length is its sender's affair."""
    world.publish(alice)
    long = "a" * HUGE
    with refuses("UnknownRelease"):
        world.models.setStatus((alice.address, long, "1", 1, 0, ZERO, "", ""), by=alice)
    with refuses("InvalidSuccessor"):
        world.models.setStatus((alice.address, "model", "1", 1, 0, ZERO, long, long), by=alice)
    grant = (alice.address, long, "1", alice.address, 1, 0, node.now + DAY, False)
    with refuses("UnknownRelease"):
        world.licenses.setGrant(grant, by=alice)


def test_many_parents(world, alice):
    existing = sorted((world.id(world.publish(alice, version=str(number))), 1) for number in range(65))
    world.publish(alice, name="child", version="64", parents=tuple(existing[:64]))
    with refuses("TooManyParents"):
        world.publish(alice, name="child", version="65", parents=tuple(existing))


def test_ten_thousand_parents(world, node, alice):
    """More than a block's gas would hash; with enough of it the limit is what refuses."""
    parents = tuple((number.to_bytes(32, "big"), 1) for number in range(1, 10_001))
    data = world.models.data("publish", release(alice, parents=parents), ZERO)
    before = world.models.size(), world.models.head()
    with refuses("TooManyParents"):
        world.send(world.models.address, data, alice, gas=29_000_000)
    with pytest.raises(Refused):
        world.send(world.models.address, data, alice, gas=8_000_000)
    assert (world.models.size(), world.models.head()) == before


def test_what_is_stored_does_not_grow_with_what_is_sent(world, node, alice):
    """The largest release there can be takes the two slots that every other does."""
    existing = sorted((world.id(world.publish(alice, version=str(number))), 1) for number in range(64))
    largest = release(alice, name="n" * 64, version="v" * 32, parents=tuple(existing))
    written = []
    for values in (release(alice, name="small"), largest):
        data = world.models.data("publish", values, ZERO)
        receipt = world.send(world.models.address, data, alice)
        diff = node(
            "debug_traceTransaction",
            receipt["transactionHash"],
            {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
        )
        storage = {address: state.get("storage", {}) for address, state in diff["post"].items()}
        written.append(len({key.lower(): value for key, value in storage.items()}[world.models.address.lower()]))
    assert written == [4, 4]  # head, size, record hash, first claim


def test_a_huge_signature(world, node, alice):
    values = release(alice)
    for signature in (b"\1" * HUGE, b""):
        with refuses("InvalidSignature", alice.address):
            world.models.publishWithSignature(values, ZERO, (alice.address, node.now, signature))


def test_a_huge_signature_for_a_wallet_is_the_senders_to_pay(world, node, alice):
    wallet = world.deploy("OwnedWallet", alice.address)
    with refuses("InvalidSignature", wallet.address):
        values = (wallet.address, *release(alice)[1:])
        world.models.publishWithSignature(values, ZERO, (wallet.address, node.now, b"\1" * HUGE))


OTHER_SCRIPTS = {
    "Cyrillic o": "m\u043edel",
    "Greek omicron": "m\u03bfdel",
    "full-width m": "\uff4dodel",
    "zero-width space": "mo\u200bdel",
    "zero-width joiner": "mo\u200ddel",
    "right-to-left override": "\u202eledom",
    "combining accent": "mode\u0301l",
    "soft hyphen": "mo\u00addel",
    "byte order mark": "\ufeffmodel",
    "dotless i": "m\u0131del",
    "upper case": "Model",
    "space": "my model",
    "newline": "model\n",
    "null": "model\0",
    "slash": "other/model",
    "at sign": "model@1",
    "percent": "model%2e",
    "leading dot": ".model",
    "trailing dash": "model-",
    "two dots": "mo..del",
    "dot and dash": "mo.-del",
    "empty": "",
    "only a dot": ".",
    "plus": "model+1",
    "backquote": "mod`el",
    "brace": "mod{el",
    "colon": "mod:el",
}


@pytest.mark.parametrize("what", OTHER_SCRIPTS)
def test_a_name_in_another_script(world, alice, what):
    with refuses("InvalidName"):
        world.publish(alice, name=OTHER_SCRIPTS[what])


@pytest.mark.parametrize("what", [what for what in OTHER_SCRIPTS if what != "plus"])
def test_a_version_in_another_script(world, alice, what):
    with refuses("InvalidVersion"):
        world.publish(alice, version=OTHER_SCRIPTS[what])


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_alone(world, alice, byte):
    """By the bytes, whatever they are: no text decoding is trusted."""
    data = world.models.data("publish", release(alice, name="?"), ZERO)
    at = data.index(b"?" + bytes(31))
    data = data[:at] + bytes([byte]) + data[at + 1 :]
    if chr(byte) in "abcdefghijklmnopqrstuvwxyz0123456789":
        world.call(world.models.address, data, by=alice)
    else:
        with refuses("InvalidName"):
            world.call(world.models.address, data, by=alice)


def test_words_that_do_not_fit_their_types_are_refused(world, node, alice):
    """Dirty upper bits of addresses, small integers, enums and booleans: refused, never cut off."""
    grant = (alice.address, "model", "1", alice.address, 1, 0, node.now + DAY, False)
    world.publish(alice)
    data = world.licenses.data("setGrant", grant)
    words = (len(data) - 4) // 32
    refused = 0
    for word in range(1, words):
        at = 4 + 32 * word
        bent = data[:at] + b"\xff" + data[at + 1 :]
        with pytest.raises(Refused):
            world.call(world.licenses.address, bent, by=alice)
        refused += 1
    assert refused > 8


@pytest.mark.parametrize("cut", [1, 31, 32, 33, 100])
def test_calldata_cut_short(world, alice, cut):
    data = world.models.data("publish", release(alice, parents=((keccak(text="x"), 1),)), ZERO)
    with pytest.raises(Refused):
        world.call(world.models.address, data[:-cut], by=alice)


def test_ether_is_not_taken(world, node, alice):
    """There is no way to pay in, so that there is nothing to take out."""
    node("anvil_setBalance", alice.address, hex(10**18))
    for contract in world.registries.values():
        for data in (b"", b"\x12\x34\x56\x78"):
            with pytest.raises(Refused):
                world.send(contract.address, data, alice, value="0x1")
    data = world.models.data("publish", release(alice), ZERO)
    with pytest.raises(Refused):
        world.send(world.models.address, data, alice, value="0x1")


def test_two_texts_do_not_run_into_each_other(world, alice):
    """ab + c is not a + bc, in ids and in what is signed."""
    world.publish(alice, name="ab", version="c")
    world.publish(alice, name="a", version="bc")
    *_, signed = world.sign(world.models, "publish", [release(alice, "xy", "z"), ZERO], alice)
    with refuses("InvalidSignature"):
        other = (alice.address, "x", "yz", *release(alice, "xy", "z")[3:])
        world.models.publishWithSignature(other, ZERO, signed)
