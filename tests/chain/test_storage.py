"""Storage that proofs rely on, as two clients prove it (EIP-1186); test_events.py has the compiler's layout."""

import secrets
from collections.abc import Callable

import pytest
from newcomers import address_of, newcomer, newcomer_on

from registry.chain import storage
from registry.chain.anchors import Anchor, reservation
from registry.chain.contract import ContractClient
from registry.chain.deployment import Registries
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Reason, Release, Status, record_hash
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.chain.storage import mapping_slot
from registry.policy.terms import packed_terms_id

DIGEST = b"\7" * 32


@pytest.fixture(params=["anvil", pytest.param("geth", marks=pytest.mark.geth)])
def arrivals(request: pytest.FixtureRequest) -> Callable[[], Registries]:
    """New accounts, on one client and then on the other."""
    if request.param == "geth":
        geth = request.getfixturevalue("geth_node")
        return lambda: newcomer_on(geth)
    node = request.getfixturevalue("shared_node")
    return lambda: newcomer(node.chain)


def proven(client: ContractClient, slot: int, *keys: bytes, after: int = 0) -> int:
    """The word at a slot, or at the entry of a mapping there, in the answer of eth_getProof at the newest block."""
    place = mapping_slot(slot, *keys) if keys else slot.to_bytes(32, "big")
    asked = "0x" + (int.from_bytes(place, "big") + after).to_bytes(32, "big").hex()
    answer = client.chain.rpc.request("eth_getProof", [client.address, [asked], "latest"])
    (entry,) = answer["storageProof"]
    assert entry["proof"] or not int(entry["value"], 16)
    read = client.chain.rpc.request("eth_getStorageAt", [client.address, asked, "latest"])
    assert int(entry["value"], 16) == int(read, 16)
    return int(read, 16)


def packed(*fields: tuple[int | str, int]) -> int:
    """Values with their widths in bits, from the lowest bit on, as the contracts' sources draw them."""
    word = shift = 0
    for value, bits in fields:
        word |= (int(value, 16) if isinstance(value, str) else int(value)) << shift
        shift += bits
    return word


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def test_the_head_of_each_log_is_in_its_first_slots(arrivals):
    here = arrivals()
    here.models.publish(Release(address_of(here), "stored", "1", DIGEST, DIGEST))
    for client in (here.publishers, here.models, here.licenses, here.statements):
        assert proven(client, storage.HEAD) == int.from_bytes(client.head(), "big")
        assert proven(client, storage.SIZE) == packed((client.size(), 48), (client.deployed_at(), 48))


def test_releases_are_where_proofs_look_for_them(arrivals):
    here = arrivals()
    models, owner, artifact, salt = here.models, address_of(here), secrets.token_bytes(32), secrets.token_bytes(32)
    since = models.reserve(owner, artifact, salt)
    commitment = reservation(models.deployment, owner, artifact, salt)
    assert proven(models, storage.RESERVED_AT, commitment) == since
    done = models.publish(Release(owner, "stored", "1", artifact, DIGEST))
    record = done.record
    assert proven(models, storage.RECORD_HASH_OF, done.release_id) == int.from_bytes(record_hash(record), "big")
    claim = packed((owner, 160), (record.seq, 48), (record.since, 48))
    assert proven(models, storage.FIRST_CLAIM, artifact) == claim
    assert proven(models, storage.STATUS_OF, done.release_id) == 0  # no slot is active
    changed = models.set_status("stored", "1", Status.REVOKED, Reason.SECURITY).event.record
    status = packed((Status.REVOKED, 8), (Reason.SECURITY, 8), (changed.seq, 48), (changed.timestamp, 48))
    assert proven(models, storage.STATUS_OF, done.release_id) == status
    anchor = Anchor(owner, DIGEST, 3, artifact)
    identifier, entry = models.publish_anchor(anchor)
    expected = packed((owner, 160), (entry.seq, 48), (entry.since, 48))
    assert proven(models, storage.ANCHOR_OF, identifier) == expected
    assert proven(models, storage.ANCHOR_OF, identifier, after=1) == 0
    models.withdraw_anchor(anchor)
    withdrawn = models.anchor(identifier)
    assert withdrawn is not None
    assert proven(models, storage.ANCHOR_OF, identifier, after=1) == withdrawn.withdrawn_at > 0


def test_publishers_are_where_proofs_look_for_them(arrivals):
    here, other = arrivals(), arrivals()
    registry, owner, delegate = here.publishers, raw(address_of(here)), raw(address_of(other))
    made = registry.set_delegate(address_of(other), Scope(5), NEVER)
    expected = packed((5, 8), (NEVER, 48), (made.seq, 48), (made.timestamp, 48))
    assert proven(registry, storage.DELEGATION_OF, owner, delegate) == expected
    assert proven(registry, storage.DELEGATION_OF, delegate, owner) == 0
    named = registry.set_guardian(address_of(other))
    expected = packed((int.from_bytes(delegate, "big"), 160), (named.timestamp, 48))
    assert proven(registry, storage.GUARDIAN_OF, owner) == expected
    change = registry.set_guardian(None)
    assert proven(registry, storage.GUARDIAN_OF, owner, after=1) == packed((0, 160), (change.from_, 48))
    assert proven(registry, storage.FREEZE_OF, owner) == 0
    frozen = registry.freeze(address_of(here), address_of(other), 7)
    expected = packed((address_of(other), 160), (frozen.timestamp, 48), (7, 48))
    assert proven(registry, storage.FREEZE_OF, owner) == expected


def test_licences_are_where_proofs_look_for_them(arrivals):
    here = arrivals()
    registry, owner, document = here.licenses, address_of(here), secrets.token_bytes(32)
    terms = packed_terms_id(document, 0b11)
    made = registry.register_terms(terms, document, 0b11)
    assert made is not None
    assert proven(registry, storage.TERMS_OF, terms) == packed((0b11, 16), (made.seq, 48), (made.timestamp, 48))
    release = here.models.publish(Release(owner, "stored", "1", DIGEST, DIGEST)).release_id
    granted = registry.set_grant(release, Grant(owner, "stored", "1", owner, 0b101, 3, NEVER, True))
    assert granted is not None
    expected = packed((0b101, 8), (3, 48), (NEVER, 48), (1, 8), (1, 32), (granted.timestamp, 48))
    assert proven(registry, storage.GRANT_OF, release, raw(owner)) == expected
    assert proven(registry, storage.GRANT_OF, release, bytes(20)) == 0


def test_statements_are_where_proofs_look_for_them(arrivals):
    here = arrivals()
    registry, owner = here.statements, address_of(here)
    identifier, _ = registry.attest(Statement(owner, Kind.AUDIT, SubjectKind.FILE, DIGEST, DIGEST, 2**40))
    entry = registry.statement(identifier)
    assert entry is not None
    expected = packed((owner, 160), (entry.since, 48), (2**40, 48))
    assert proven(registry, storage.STATEMENT_OF, identifier) == expected
    registry.retract(identifier)
    assert proven(registry, storage.STATEMENT_OF, identifier) == packed((owner, 160), (entry.since, 48))


def test_used_nonces_are_bits_of_words(arrivals):
    here = arrivals()
    owner = raw(address_of(here))
    for client in (here.publishers, here.models, here.licenses, here.statements):
        for nonce in (0x203, 0x2FF):
            client.cancel(nonce)
        word = proven(client, storage.USED_NONCES, owner, (2).to_bytes(32, "big"))
        assert word == 1 << 0x03 | 1 << 0xFF
