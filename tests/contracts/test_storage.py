"""The storage that proofs rely on: as the contract documents it, the compiler lays it out and the chain holds it."""

import re
from pathlib import Path

from eth_abi import encode
from eth_utils import keccak

SOURCE = Path(__file__).resolve().parent.parent.parent / "contracts" / "ModelRegistry.sol"


def word(web3, registry, slot):
    return bytes(web3.eth.get_storage_at(registry.address, slot)).rjust(32, b"\0")


def mapping_slot(key, slot):
    """The slot of `mapping[key]` (Solidity: Layout of State Variables in Storage)."""
    return int.from_bytes(keccak(encode(["bytes32", "uint256"], [key, slot])), "big")


def unpack(value, *widths):
    """Fields of these bit widths, the first in the lowest bits."""
    number, fields = int.from_bytes(value, "big"), []
    for width in widths:
        fields.append(number & ((1 << width) - 1))
        number >>= width
    assert number == 0
    return fields


def test_the_slots_are_as_documented(artifact):
    documented = re.findall(r"///\s+slot (\d+)\s+(\w+)\s+(mapping\(.*\)|\w+)", SOURCE.read_text(encoding="utf-8"))
    assert [(int(slot), label) for slot, label, _ in documented] == [
        (0, "head"),
        (1, "size"),
        (1, "deployedAt"),
        (2, "recordHashOf"),
        (3, "_firstClaim"),
        (4, "_statusOf"),
    ]
    compiled = [(entry["slot"], entry["label"]) for entry in artifact["storage_layout"]["variables"]]
    assert compiled == [(int(slot), label) for slot, label, _ in documented]
    kinds = [entry["type"] for entry in artifact["storage_layout"]["variables"]]
    assert kinds[:3] == [kind for _, _, kind in documented][:3] == ["bytes32", "uint48", "uint48"]


def test_packed_words_are_as_drawn(artifact):
    layout = artifact["storage_layout"]
    words = {
        "slot 1": [entry for entry in layout["variables"] if entry["slot"] == 1],
        "Claim": layout["structs"]["IModelRegistry.Claim"],
        "StatusEntry": layout["structs"]["IModelRegistry.StatusEntry"],
    }
    drawn = dict(re.findall(r"/// (slot \d+|\w+)\s+\| (.+) \|", SOURCE.read_text(encoding="utf-8")))
    assert drawn.keys() == words.keys()
    for word_name, fields in words.items():
        assert [f"{field['label']} {8 * field['bytes']}" for field in fields] == drawn[word_name].split(" | ")
        widths = [field["bytes"] for field in fields]
        assert [field["offset"] for field in fields] == [sum(widths[:place]) for place in range(len(widths))]


def test_claim_and_status_are_one_word_each(artifact):
    structs = artifact["storage_layout"]["structs"]
    packed = {
        name: [(member["label"], member["slot"], member["offset"], member["bytes"]) for member in members]
        for name, members in structs.items()
    }
    assert packed["IModelRegistry.Claim"] == [("publisher", 0, 0, 20), ("seq", 0, 20, 6), ("since", 0, 26, 6)]
    assert packed["IModelRegistry.StatusEntry"] == [
        ("status", 0, 0, 1),
        ("reason", 0, 1, 1),
        ("seq", 0, 2, 6),
        ("since", 0, 8, 6),
    ]


def test_the_head_is_slot_0(registry, publish, web3):
    publish()
    assert word(web3, registry, 0) == bytes(registry.head())


def test_size_and_the_block_of_the_deployment_share_slot_1(registry, publish, set_status, web3):
    began = registry.tx.block_number
    assert unpack(word(web3, registry, 1), 48, 48) == [0, began]
    publish(name="model", version="1")
    set_status("model", "1", 2)
    assert unpack(word(web3, registry, 1), 48, 48) == [2, began]
    assert (registry.size(), registry.deployedAt()) == (2, began)


def test_the_record_hash_is_in_slot_2(registry, publish, web3):
    identity = publish()
    assert word(web3, registry, mapping_slot(identity, 2)) == bytes(registry.recordHashOf(identity)) != bytes(32)


def test_the_first_claim_is_in_slot_3(registry, publish, publisher, web3, chain):
    publish()
    artifact = keccak(text="bytes")
    publish(artifact=artifact)
    fields = unpack(word(web3, registry, mapping_slot(artifact, 3)), 160, 48, 48)
    assert fields == [int(publisher.address, 16), 1, chain[-1].timestamp]


def test_the_status_is_in_slot_4_and_takes_none_while_it_never_changed(registry, publish, set_status, web3):
    identity = publish(name="model", version="1")
    slot = mapping_slot(identity, 4)
    assert word(web3, registry, slot) == bytes(32)
    tx = set_status("model", "1", 2, reason=6)
    assert unpack(word(web3, registry, slot), 8, 8, 48, 48) == [2, 6, 1, tx.timestamp]
