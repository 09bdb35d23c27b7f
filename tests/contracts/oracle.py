"""What the contracts must compute, by other means: eth_account's EIP-712 and the raw events alone.

Shares no code with the contracts or with the product, so that an error would have to be made twice to pass.
"""

import re
from dataclasses import dataclass, field

from eth_abi import decode, encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_canonical_address, to_checksum_address

ZERO = bytes(32)
ZERO_ADDRESS = "0x" + "00" * 20
FOREVER = 2**48 - 1
CREATE2_PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"

# Structs as EIP-712 writes them. An enum is a uint8 there.
STRUCTS = """
Parent(bytes32 releaseId,uint8 relation)
Release(address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData,Parent[] parents)
StatusUpdate(address publisher,string name,string version,uint8 status,uint8 reason,bytes32 detail,string successorName,string successorVersion)
Anchor(address publisher,bytes32 root,uint64 count,bytes32 list)
Grant(address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,bool irrevocable)
Statement(address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)

Record(uint48 seq,uint48 timestamp,address actor,uint48 since,Release release)
StatusRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,uint8 status,uint8 reason,bytes32 detail,bytes32 successor)
AnchorRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 root,uint64 count,bytes32 list)
WithdrawalRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 anchorId)
DelegateRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address delegate,uint8 scopes,uint48 expires)
GuardianRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address guardian,uint48 from)
FreezeRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address successor,uint48 compromisedSince)
TermsRecord(uint48 seq,uint48 timestamp,address actor,bytes32 terms,bytes32 document,uint16 uses)
GrantRecord(uint48 seq,uint48 timestamp,address publisher,address actor,bytes32 releaseId,address grantee,uint8 uses,uint48 from,uint48 until,bool irrevocable,uint32 revision)
StatementRecord(uint48 seq,uint48 timestamp,address issuer,address actor,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires)
RetractionRecord(uint48 seq,uint48 timestamp,address issuer,address actor,bytes32 statementId)

Publish(address actor,Release release,bytes32 salt,uint256 deadline)
SetStatus(address actor,StatusUpdate update,uint256 nonce,uint256 deadline)
PublishAnchor(address actor,Anchor anchor,uint256 deadline)
WithdrawAnchor(address actor,Anchor anchor,uint256 nonce,uint256 deadline)
SetDelegate(address actor,address delegate,uint8 scopes,uint48 expires,uint256 nonce,uint256 deadline)
SetGuardian(address actor,address guardian,uint256 nonce,uint256 deadline)
Freeze(address actor,address publisher,address successor,uint48 compromisedSince,uint256 nonce,uint256 deadline)
SetGrant(address actor,Grant grant,uint256 nonce,uint256 deadline)
Attest(address actor,Statement statement,uint256 deadline)
Retract(address actor,bytes32 statementId,uint256 nonce,uint256 deadline)
"""  # noqa: E501


def parse_members(text):
    """`type name,type name` as pairs (name, type)."""
    return [tuple(reversed(member.split(" "))) for member in text.split(",")]


TYPES = {name: parse_members(members) for name, members in re.findall(r"^(\w+)\((.*)\)$", STRUCTS, re.MULTILINE)}


def abi_type(kind):
    """The ABI's name of a type: a struct is a tuple there."""
    base, array = re.fullmatch(r"(\w+)((?:\[\])?)", kind).groups()
    if base not in TYPES:
        return kind
    return f"({','.join(abi_type(member) for _, member in TYPES[base])}){array}"


RELEASE_TUPLE = abi_type("Release")
RECORD_TUPLE = abi_type("Record")


def needed_types(struct):
    """A struct and all that it is made of."""
    members = [kind.removesuffix("[]") for _, kind in TYPES[struct]]
    return {struct}.union(*(needed_types(kind) for kind in members if kind in TYPES))


def as_message(struct, values):
    """A tuple of the ABI as the dictionary that EIP-712 libraries take."""

    def member(kind, value):
        if kind.endswith("[]"):
            return [as_message(kind.removesuffix("[]"), each) for each in value]
        return as_message(kind, value) if kind in TYPES else value

    return {name: member(kind, value) for (name, kind), value in zip(TYPES[struct], values, strict=True)}


def typed_data(struct, values, domain=None):
    """What eth_account signs or hashes."""
    domain_types = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    types = {
        name: [{"name": label, "type": kind} for label, kind in TYPES[name]] for name in sorted(needed_types(struct))
    }
    types["EIP712Domain"] = [{"name": name, "type": domain_types[name]} for name in domain or {}]
    return encode_typed_data(
        full_message={
            "types": types,
            "primaryType": struct,
            "domain": domain or {},
            "message": as_message(struct, values),
        }
    )


def hash_struct(struct, values):
    """EIP-712 hashStruct by eth_account."""
    return typed_data(struct, values).body


def hash_of(type_text, *values):
    """The hash of an id's type and values, written out as the interfaces' comments say."""
    kinds = [kind for _, kind in parse_members(re.search(r"\((.*)\)", type_text).group(1))]
    plain = [keccak(text=value) if kind == "string" else value for kind, value in zip(kinds, values, strict=True)]
    kinds = ["bytes32" if kind == "string" else kind for kind in kinds]
    return keccak(encode(["bytes32", *kinds], [keccak(text=type_text), *plain]))


def release_id(chain_id, registry, publisher, name, version):
    return hash_of(
        "ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)",
        chain_id,
        registry,
        publisher,
        name,
        version,
    )


def reservation(chain_id, registry, publisher, artifact, salt):
    return hash_of(
        "Reservation(uint256 chainId,address registry,address publisher,bytes32 artifact,bytes32 salt)",
        chain_id,
        registry,
        publisher,
        artifact,
        salt,
    )


def anchor_id(chain_id, registry, anchor):
    return hash_of(
        "AnchorId(uint256 chainId,address registry,address publisher,bytes32 root,uint64 count,bytes32 list)",
        chain_id,
        registry,
        *anchor,
    )


def statement_id(chain_id, registry, statement):
    return hash_of(
        "StatementId(uint256 chainId,address registry,address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,"
        "bytes32 document,uint48 expires)",
        chain_id,
        registry,
        *statement,
    )


def terms_id(document, uses):
    return hash_of("Terms(bytes32 document,uint256 uses)", document, uses)


def genesis_head(chain_id, registry):
    """The head of a log that holds nothing yet."""
    return hash_of("Genesis(uint256 chainId,address contract)", chain_id, registry)


def create2_address(init_code, salt=ZERO):
    """EIP-1014, for a deployment through the standard proxy."""
    return keccak(b"\xff" + to_canonical_address(CREATE2_PROXY) + salt + keccak(init_code))[12:]


def hashed_record(record):
    """A `Record` as `HashedRecord`: texts and parents as EIP-712 hashes them, which is of one size."""
    publisher, name, version, *digests, parents = record[4]
    hashed = keccak(b"".join(hash_struct("Parent", parent) for parent in parents))
    return (*record[:4], (publisher, keccak(text=name), keccak(text=version), *digests, hashed))


# Events that announce a record: the indexed members' types, the record's struct, and what the topics must be.
RECORD_EVENTS = {
    "ReleasePublished": (
        "bytes32,address,bytes32",
        "Record",
        lambda c, r: [release_id(*c, *r[4][:3]), r[4][0], r[4][3]],
    ),
    "StatusChanged": ("bytes32,address", "StatusRecord", lambda c, r: [r[4], r[2]]),
    "Anchored": ("bytes32,address", "AnchorRecord", lambda c, r: [anchor_id(*c, (r[2], *r[4:])), r[2]]),
    "AnchorWithdrawn": ("bytes32,address", "WithdrawalRecord", lambda c, r: [r[4], r[2]]),
    "DelegateSet": ("address,address", "DelegateRecord", lambda c, r: [r[2], r[4]]),
    "GuardianSet": ("address,address", "GuardianRecord", lambda c, r: [r[2], r[4]]),
    "PublisherFrozen": ("address,address", "FreezeRecord", lambda c, r: [r[2], r[4]]),
    "TermsRegistered": ("bytes32,bytes32", "TermsRecord", lambda c, r: [terms_id(*r[4:6]), r[4]]),
    "GrantSet": ("bytes32,address,address", "GrantRecord", lambda c, r: [r[4], r[5], r[2]]),
    "StatementMade": (
        "bytes32,address,bytes32",
        "StatementRecord",
        lambda c, r: [statement_id(*c, (r[2], *r[4:])), r[2], r[6]],
    ),
    "StatementRetracted": ("bytes32,address", "RetractionRecord", lambda c, r: [r[4], r[2]]),
}
# Events that are no records.
OTHER_EVENTS = {
    "ReleasePromoted(bytes32,bytes32,uint48,uint64)": ("(uint48,uint64)", 2),
    "Reserved(bytes32,uint48)": ("(uint48)", 1),
    "NonceCancelled(address,uint256)": ("(uint256)", 1),
}


def record_topics():
    """Event topics to event names. The members of `Record` stand in its event one by one."""
    topics = {}
    for event, (indexed, struct, _) in RECORD_EVENTS.items():
        data = RECORD_TUPLE[1:-1] if struct == "Record" else abi_type(struct)
        topics[keccak(text=f"{event}({indexed},{data})")] = event
    return topics


RECORD_TOPICS = record_topics()
OTHER_TOPICS = {keccak(text=signature): signature for signature in OTHER_EVENTS}


@dataclass
class Entry:
    """One record of a log."""

    event: str
    struct: str
    values: tuple
    record_hash: bytes
    subject: object  # the first topic's value


@dataclass
class Replay:
    """What the events of one contract say, from the first on."""

    head: bytes
    entries: list = field(default_factory=list)
    others: list = field(default_factory=list)  # (event name, indexed words, data) of events that are no records

    @property
    def size(self):
        return len(self.entries)

    @property
    def records(self):
        """Release id -> the record's tuple."""
        return {entry.subject: entry.values for entry in self.entries if entry.struct == "Record"}

    @property
    def record_hashes(self):
        """Release id -> record hash."""
        return {entry.subject: entry.record_hash for entry in self.entries if entry.struct == "Record"}

    @property
    def statuses(self):
        return self.of("StatusRecord")

    def of(self, struct):
        """The tuples of all records of a kind."""
        return [entry.values for entry in self.entries if entry.struct == struct]


def checksummed(kind, value):
    """Addresses as Brownie gives them, at any depth."""
    if kind.endswith("[]"):
        return [checksummed(kind.removesuffix("[]"), each) for each in value]
    if kind in TYPES:
        return tuple(checksummed(member, each) for (_, member), each in zip(TYPES[kind], value, strict=True))
    return to_checksum_address(value) if kind == "address" else value


def replay(web3, contract):
    """Recomputes the log of the contract at an address from its raw events alone."""
    where = (web3.eth.chain_id, contract)
    result = Replay(genesis_head(*where))
    for log in web3.eth.get_logs({"address": contract, "fromBlock": 0, "toBlock": "latest"}):
        topic, *indexed = (bytes(each) for each in log["topics"])
        data = bytes(log["data"])
        if topic in OTHER_TOPICS:
            kind, count = OTHER_EVENTS[OTHER_TOPICS[topic]]
            assert len(indexed) == count
            result.others.append((OTHER_TOPICS[topic].split("(")[0], indexed, decode([kind], data)[0]))
            continue
        event = RECORD_TOPICS[topic]
        kinds, struct, topics = RECORD_EVENTS[event]
        if struct == "Record":  # its members are the event's own: there is no tuple around them
            values = decode([abi_type(kind) for _, kind in TYPES[struct]], data)
        else:
            (values,) = decode([abi_type(struct)], data)
        values = checksummed(struct, values)
        expected = topics(where, values)
        assert indexed == [encode([kind], [value]) for kind, value in zip(kinds.split(","), expected, strict=True)]
        assert values[0] == result.size
        record_hash = hash_struct(struct, values)
        result.entries.append(Entry(event, struct, values, record_hash, expected[0]))
        result.head = keccak(result.head + record_hash)
    return result


def merkle_root(leaves):
    """RFC 9162, section 2.1.1, over keccak-256: the definition, by recursion."""
    if len(leaves) == 1:
        return keccak(b"\x00" + leaves[0])
    split = split_of(len(leaves))
    return keccak(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:]))


def merkle_proof(index, leaves):
    """RFC 9162, section 2.1.3.1: PATH(m, D_n)."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*merkle_proof(index, leaves[:split]), merkle_root(leaves[split:])]
    return [*merkle_proof(index - split, leaves[split:]), merkle_root(leaves[:split])]


def split_of(count):
    """The largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)
