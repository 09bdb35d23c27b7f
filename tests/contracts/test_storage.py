"""The storage that proofs rely on: as the contracts document it, the compiler lays it out and the chain holds it."""

import re
from pathlib import Path

import pytest
from eth_abi import encode
from eth_utils import keccak
from oracle import FOREVER, terms_id

CONTRACTS = Path(__file__).resolve().parent.parent.parent / "contracts"
NAMES = ["PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"]
COMMON = ["head", "size", "deployedAt", "_nameFallback", "_versionFallback", "_usedNonces"]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def source(name):
    return (CONTRACTS / f"{name}.sol").read_text(encoding="utf-8")


@pytest.fixture
def layout(name, artifacts):
    return artifacts[name]["storage_layout"]


@pytest.fixture
def word(web3):
    """The word in a slot, or in the mapping at a slot under keys (Solidity: Layout of State Variables in Storage)."""

    def read(contract, slot, *keys, next_word=0):
        for key in keys:
            kind = "bytes32" if isinstance(key, bytes) else "uint256" if isinstance(key, int) else "address"
            value = key if kind != "address" else str(key)
            slot = int.from_bytes(keccak(encode([kind, "uint256"], [value, slot])), "big")
        return int.from_bytes(web3.eth.get_storage_at(contract.address, slot + next_word), "big")

    return read


def unpack(number, *widths):
    """Fields of these bit widths, the first in the lowest bits."""
    fields = []
    for width in widths:
        fields.append(number & ((1 << width) - 1))
        number >>= width
    assert number == 0
    return fields


def drawn_words(source):
    """The drawings of packed words, as pairs of a title and its fields."""
    return re.findall(r"/// (slot \d+|\w+)\s+\| (\w+ \d+(?: \| \w+ \d+)*) \|", source)


def test_the_slots_are_as_documented(source, layout):
    documented = re.findall(r"///\s+slot (\d+)\s+(\w+)\s+(mapping\(.*\)|\w+)", source)
    compiled = [(entry["slot"], entry["label"]) for entry in layout["variables"]]
    assert compiled == [(int(slot), label) for slot, label, _ in documented]
    assert [label for _, label in compiled[:6]] == COMMON
    for entry, (_, _, kind) in zip(layout["variables"], documented, strict=True):
        without_names = re.sub(r"(\w+) \w+(?= =>|\))", r"\1", kind)
        assert re.sub(r"struct \w+\.", "", entry["type"]) == without_names


def test_packed_words_are_as_drawn(source, layout):
    structs = {title.split(".")[1]: members for title, members in layout["structs"].items()}
    words = {"slot 1": [entry for entry in layout["variables"] if entry["slot"] == 1], **structs}
    drawn = dict(drawn_words(source))
    second = re.search(r"and a second word \| (\w+ \d+(?: \| \w+ \d+)*) \|", source)
    assert drawn.keys() == words.keys()
    for title, drawing in drawn.items():
        first = [field for field in words[title] if field["slot"] == words[title][0]["slot"]]
        rest = words[title][len(first) :]
        assert [f"{field['label']} {8 * field['bytes']}" for field in first] == drawing.split(" | ")
        others = second.group(1).split(" | ") if rest else []
        assert [f"{field['label']} {8 * field['bytes']}" for field in rest] == others
        widths = [field["bytes"] for field in first]
        assert [field["offset"] for field in first] == [sum(widths[:place]) for place in range(len(widths))]


def test_head_size_and_the_block_of_the_deployment(
    registries, publish, set_status, name_delegate, publisher, stranger, word
):
    publish(name="model", version="1")
    set_status("model", "1", 2)
    name_delegate(1)
    registries["LicenseRegistry"].registerTerms(bytes(32), 1, {"from": stranger})
    statement = (publisher.address, 1, 1, keccak(text="subject"), keccak(text="document"), FOREVER)
    registries["StatementRegistry"].attest(statement, {"from": publisher})
    sizes = {"PublisherRegistry": 1, "ModelRegistry": 2, "LicenseRegistry": 1, "StatementRegistry": 1}
    for name, contract in registries.items():
        assert word(contract, 0) == int(str(contract.head()), 16)
        assert unpack(word(contract, 1), 48, 48) == [sizes[name], contract.tx.block_number]
        assert (contract.size(), contract.deployedAt()) == (sizes[name], contract.tx.block_number)
        assert (word(contract, 2), word(contract, 3)) == (0, 0)  # names short enough to be in the code


@pytest.mark.parametrize("nonce", [0, 255, 256, 2**256 - 1])
def test_nonces_are_bits_in_slot_4(registries, publisher, word, nonce):
    for contract in registries.values():
        contract.cancel(nonce, {"from": publisher})
        assert word(contract, 4, publisher, nonce >> 8) == 1 << (nonce & 0xFF)


def test_a_freeze_is_in_slot_5(publishers, publisher, stranger, freeze, word):
    assert word(publishers, 5, publisher) == 0
    tx = freeze(1000, successor=stranger)
    assert unpack(word(publishers, 5, publisher), 160, 48, 48) == [int(stranger.address, 16), tx.timestamp, 1000]


def test_a_delegation_is_in_slot_6(publishers, publisher, delegate, name_delegate, word):
    name_delegate(1)
    tx = name_delegate(5, FOREVER - 1)
    assert unpack(word(publishers, 6, publisher, delegate), 8, 48, 48, 48) == [5, FOREVER - 1, 1, tx.timestamp]


def test_a_guardian_is_in_slot_7(publishers, publisher, guardian, stranger, set_guardian, word):
    named = set_guardian().timestamp
    tx = set_guardian(stranger)
    assert unpack(word(publishers, 7, publisher), 160, 48) == [int(guardian.address, 16), named]
    assert unpack(word(publishers, 7, publisher, next_word=1), 160, 48) == [
        int(stranger.address, 16),
        tx.timestamp + publishers.GUARDIAN_DELAY(),
    ]


def test_a_record_hash_is_in_slot_5(models, publish, word):
    identity = publish()
    assert word(models, 5, identity) == int(str(models.recordHashOf(identity)), 16) != 0


def test_a_first_claim_is_in_slot_6(models, publish, publisher, word, chain):
    publish()
    artifact = keccak(text="bytes")
    publish(artifact=artifact)
    fields = unpack(word(models, 6, artifact), 160, 48, 48)
    assert fields == [int(publisher.address, 16), 1, chain[-1].timestamp]


def test_a_reservation_is_in_slot_7(models, publisher, word):
    tx = models.reserve(keccak(text="anything"), {"from": publisher})
    assert word(models, 7, keccak(text="anything")) == tx.timestamp


def test_an_anchor_is_in_slot_8(models, publish, publisher, word):
    publish()
    anchor = (publisher.address, keccak(text="root"), 3, keccak(text="list"))
    identity = bytes(models.anchorIdOf(anchor))
    since = models.publishAnchor(anchor, {"from": publisher}).timestamp
    assert unpack(word(models, 8, identity), 160, 48, 48) == [int(publisher.address, 16), 1, since]
    assert word(models, 8, identity, next_word=1) == 0
    withdrawn = models.withdrawAnchor(anchor, {"from": publisher}).timestamp
    assert word(models, 8, identity, next_word=1) == withdrawn


def test_a_status_is_in_slot_9_and_takes_none_while_it_never_changed(models, publish, set_status, word):
    identity = publish(name="model", version="1")
    assert word(models, 9, identity) == 0
    tx = set_status("model", "1", 2, reason=6)
    assert unpack(word(models, 9, identity), 8, 8, 48, 48) == [2, 6, 1, tx.timestamp]


def test_terms_are_in_slot_5(licenses, publisher, word):
    licenses.registerTerms(bytes(32), 1, {"from": publisher})
    tx = licenses.registerTerms(bytes(32), 0xABC, {"from": publisher})
    assert unpack(word(licenses, 5, terms_id(bytes(32), 0xABC)), 16, 48, 48) == [0xABC, 1, tx.timestamp]


def test_a_grant_is_in_slot_6(licenses, publish, publisher, stranger, word):
    identity = publish(name="model", version="1")
    grant = (publisher.address, "model", "1", stranger.address, 5, 1000, FOREVER - 1, True)
    tx = licenses.setGrant(grant, {"from": publisher})
    fields = unpack(word(licenses, 6, identity, stranger), 8, 48, 48, 8, 32, 48)
    assert fields == [5, 1000, FOREVER - 1, 1, 1, tx.timestamp]


def test_a_statement_is_in_slot_5(statements, publisher, word):
    statement = (publisher.address, 1, 1, keccak(text="subject"), keccak(text="document"), FOREVER - 1)
    identity = bytes(statements.statementIdOf(statement))
    since = statements.attest(statement, {"from": publisher}).timestamp
    fields = [int(publisher.address, 16), since, FOREVER - 1]
    assert unpack(word(statements, 5, identity), 160, 48, 48) == fields
    statements.retract(identity, {"from": publisher})
    assert unpack(word(statements, 5, identity), 160, 48, 48) == [*fields[:2], 0]
