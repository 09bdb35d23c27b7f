"""Events of the static records: those of the ABI, and decoded only as the contract of that name emits them."""

import dataclasses
from functools import cache

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from solidity import addresses, digests, values_of

from registry.chain.anchors import AnchorRecord, WithdrawalRecord, anchor_id
from registry.chain.artifact import CONTRACTS, canonical_type, contract_artifact
from registry.chain.events import RECORD_TOPICS, EventLocation, Log, Recorded, decode_record
from registry.chain.licenses import GrantRecord, TermsRecord
from registry.chain.publishers import DelegateRecord, FreezeRecord, GuardianRecord
from registry.chain.records import Deployment
from registry.chain.statements import RetractionRecord, StatementRecord, statement_id
from registry.chain.static import StaticRecord, members, to_word
from registry.errors import InvalidLog

PLACE = EventLocation(7, 0, b"\7" * 32, b"\x08" * 32)
CHAIN, HERE = 31337, "0x789E4d5a5A268D9bD45bBd2291EA5E62f0560d04"
# No records: they change no answer about a release that the log does not hold already.
UNLOGGED = {"Reserved", "ReleasePromoted", "NonceCancelled", "EIP712DomainChanged"}
# Contract, event, and what is indexed, in the order of the ABI.
EVENTS = {
    AnchorRecord: ("ModelRegistry", "Anchored", lambda r: (anchor_id(Deployment(CHAIN, HERE), r.anchor), r.publisher)),
    WithdrawalRecord: ("ModelRegistry", "AnchorWithdrawn", lambda r: (r.anchor_id, r.publisher)),
    DelegateRecord: ("PublisherRegistry", "DelegateSet", lambda r: (r.publisher, r.delegate)),
    GuardianRecord: ("PublisherRegistry", "GuardianSet", lambda r: (r.publisher, r.guardian)),
    FreezeRecord: ("PublisherRegistry", "PublisherFrozen", lambda r: (r.publisher, r.successor)),
    TermsRecord: ("LicenseRegistry", "TermsRegistered", lambda r: (r.terms, r.document)),
    GrantRecord: ("LicenseRegistry", "GrantSet", lambda r: (r.release_id, r.grantee, r.publisher)),
    StatementRecord: (
        "StatementRegistry",
        "StatementMade",
        lambda r: (statement_id(CHAIN, HERE, r.statement), r.issuer, r.subject),
    ),
    RetractionRecord: ("StatementRegistry", "StatementRetracted", lambda r: (r.statement_id, r.issuer)),
}
each_event = pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)


def instances(kind: type[StaticRecord]) -> st.SearchStrategy[StaticRecord]:
    fields = {
        name: st.sampled_from(kind.ENUMS[name]) if name in kind.ENUMS else values_of(solidity)
        for solidity, name in members(kind.TYPE)
    }
    return st.builds(kind, **fields)


@cache
def signature(contract: str, event: str) -> str:
    (entry,) = [e for e in contract_artifact(contract).abi if e["type"] == "event" and e["name"] == event]
    return f"{event}({','.join(canonical_type(item) for item in entry['inputs'])})"


def log_of(record: StaticRecord) -> Log:
    """As Solidity writes it, by another encoder."""
    contract, event, indexed = EVENTS[type(record)]
    topics = tuple(to_word("bytes32" if isinstance(value, bytes) else "address", value) for value in indexed(record))
    data = encode([kind for kind, _ in members(record.TYPE)], record.values())
    return Log(HERE, (keccak(signature(contract, event).encode()), *topics), data, PLACE)


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_event_of_the_abi_is_a_record_or_known_to_be_none(name: str):
    events = {entry["name"] for entry in contract_artifact(name).abi if entry["type"] == "event"} - UNLOGGED
    assert {keccak(signature(name, event).encode()) for event in events} == set(RECORD_TOPICS[name])
    assert len(RECORD_TOPICS[name]) == len(events)


@each_event
def test_a_log_is_the_record_that_was_made(kind):
    @given(instances(kind))
    def holds(record):
        log = log_of(record)
        event = decode_record(EVENTS[kind][0], CHAIN, HERE, log)
        assert event == Recorded(record, PLACE, log.topics[1], record.hash())
        assert (event.seq, event.record_hash) == (record.seq, record.hash())

    holds()


@each_event
def test_indexed_fields_are_those_of_the_record(kind):
    @given(instances(kind), digests, st.data())
    def holds(record, other, data):
        log = log_of(record)
        place = data.draw(st.integers(1, len(log.topics) - 1))
        changed = (*log.topics[:place], other, *log.topics[place + 1 :])
        for topics in (log.topics[:-1], (*log.topics, other), *([] if changed == log.topics else [changed])):
            with pytest.raises(InvalidLog, match="indexed fields are not those"):
                decode_record(EVENTS[kind][0], CHAIN, HERE, dataclasses.replace(log, topics=topics))

    holds()


@each_event
def test_data_are_as_solidity_writes_them(kind):
    @given(instances(kind), st.data())
    def holds(record, data):
        log = log_of(record)
        for wrong in (log.data[:-1], log.data + b"\0", log.data[:-32], log.data + bytes(32), b""):
            with pytest.raises(InvalidLog, match="another length"):
                decode_record(EVENTS[kind][0], CHAIN, HERE, dataclasses.replace(log, data=wrong))
        dirty = bytearray(log.data)
        dirty[0] = data.draw(st.integers(1, 255))
        with pytest.raises(InvalidLog, match="too large"):
            decode_record(EVENTS[kind][0], CHAIN, HERE, dataclasses.replace(log, data=bytes(dirty)))

    holds()


@each_event
def test_an_event_is_of_its_contract_at_its_address(kind):
    contract = EVENTS[kind][0]

    @given(instances(kind), addresses.filter(lambda address: address != HERE), digests)
    def holds(record, elsewhere, topic):
        log = log_of(record)
        for other in set(CONTRACTS) - {contract}:
            with pytest.raises(InvalidLog, match=f"an event that the {other} does not have"):
                decode_record(other, CHAIN, HERE, log)
        with pytest.raises(InvalidLog, match="which was not asked for"):
            decode_record(contract, CHAIN, HERE, dataclasses.replace(log, address=elsewhere))
        for topics in ((), (topic, *log.topics[1:])):
            with pytest.raises(InvalidLog, match=f"an event that the {contract} does not have"):
                decode_record(contract, CHAIN, HERE, dataclasses.replace(log, topics=topics))

    holds()


@pytest.mark.parametrize("kind", [AnchorRecord, StatementRecord])
def test_an_id_binds_chain_and_contract(kind):
    @given(instances(kind), st.integers(1, 2**64), addresses)
    def holds(record, chain, address):
        log = dataclasses.replace(log_of(record), address=address)
        if (chain, address) == (CHAIN, HERE):
            return
        with pytest.raises(InvalidLog, match="indexed fields"):
            decode_record(EVENTS[kind][0], chain, address, log)

    holds()
