"""What the registry must compute, by other means: eth_account's EIP-712 and the events alone.

Shares no code with the contract or with the product, so that an error would have to be made twice to pass.
"""

from dataclasses import dataclass, field

from eth_abi import decode, encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_canonical_address

ZERO = bytes(32)
CREATE2_PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"

PARENT = [("releaseId", "bytes32"), ("relation", "uint8")]
RELEASE = [
    ("publisher", "address"),
    ("name", "string"),
    ("version", "string"),
    ("artifact", "bytes32"),
    ("manifest", "bytes32"),
    ("terms", "bytes32"),
    ("trainingData", "bytes32"),
    ("parents", "Parent[]"),
]
RECORD = [
    ("seq", "uint48"),
    ("timestamp", "uint48"),
    ("actor", "address"),
    ("since", "uint48"),
    ("release", "Release"),
]
STATUS_RECORD = [
    ("seq", "uint48"),
    ("timestamp", "uint48"),
    ("publisher", "address"),
    ("actor", "address"),
    ("releaseId", "bytes32"),
    ("status", "uint8"),
    ("reason", "uint8"),
    ("detail", "bytes32"),
    ("successor", "bytes32"),
]
TYPES = {"Parent": PARENT, "Release": RELEASE, "Record": RECORD, "StatusRecord": STATUS_RECORD}

RELEASE_TUPLE = "(address,string,string,bytes32,bytes32,bytes32,bytes32,(bytes32,uint8)[])"
RECORD_TUPLE = f"(uint48,uint48,address,uint48,{RELEASE_TUPLE})"
STATUS_TUPLE = "(uint48,uint48,address,address,bytes32,uint8,uint8,bytes32,bytes32)"
PUBLISHED_TOPIC = keccak(text=f"ReleasePublished(bytes32,address,bytes32,{RECORD_TUPLE})")
STATUS_TOPIC = keccak(text=f"StatusChanged(bytes32,address,{STATUS_TUPLE})")


def as_message(struct, values):
    """A tuple of the ABI as the dictionary that EIP-712 libraries take."""
    message = {}
    for (name, kind), value in zip(TYPES[struct], values, strict=True):
        if kind == "Parent[]":
            message[name] = [as_message("Parent", parent) for parent in value]
        else:
            message[name] = as_message(kind, value) if kind in TYPES else value
    return message


def hash_struct(struct, values):
    """EIP-712 hashStruct by eth_account."""
    types = {name: [{"name": label, "type": kind} for label, kind in members] for name, members in TYPES.items()}
    needed = {"Record": ["Record", "Release", "Parent"], "Release": ["Release", "Parent"]}.get(struct, [struct])
    signable = encode_typed_data(
        full_message={
            "types": {"EIP712Domain": [], **{name: types[name] for name in needed}},
            "primaryType": struct,
            "domain": {},
            "message": as_message(struct, values),
        }
    )
    return signable.body


def release_id(chain_id, registry, publisher, name, version):
    """`hashStruct` of ReleaseId, written out."""
    typehash = keccak(text="ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)")
    values = [typehash, chain_id, registry, publisher, keccak(text=name), keccak(text=version)]
    return keccak(encode(["bytes32", "uint256", "address", "address", "bytes32", "bytes32"], values))


def genesis_head(chain_id, registry):
    """The head of a log that holds nothing yet."""
    typehash = keccak(text="Genesis(uint256 chainId,address contract)")
    return keccak(encode(["bytes32", "uint256", "address"], [typehash, chain_id, registry]))


def create2_address(init_code, salt=ZERO):
    """EIP-1014, for a deployment through the standard proxy."""
    return keccak(b"\xff" + to_canonical_address(CREATE2_PROXY) + salt + keccak(init_code))[12:]


@dataclass
class Replay:
    """What the events of one registry say, from the first on."""

    head: bytes
    size: int = 0
    records: dict = field(default_factory=dict)  # release id -> the record's tuple
    record_hashes: dict = field(default_factory=dict)  # release id -> record hash
    statuses: list = field(default_factory=list)  # status records' tuples


def replay(web3, registry):
    """Recomputes the log from the raw events alone."""
    chain_id = web3.eth.chain_id
    result = Replay(genesis_head(chain_id, registry))
    for log in web3.eth.get_logs({"address": registry, "fromBlock": 0, "toBlock": "latest"}):
        topics = [bytes(topic) for topic in log["topics"]]
        if topics[0] == PUBLISHED_TOPIC:
            (values,) = decode([RECORD_TUPLE], bytes(log["data"]))
            release = values[4]
            identity = release_id(chain_id, registry, *release[:3])
            assert topics[1:] == [identity, to_canonical_address(release[0]).rjust(32, b"\0"), release[3]]
            record_hash = hash_struct("Record", values)
            result.records[identity] = values
            result.record_hashes[identity] = record_hash
        else:
            assert topics[0] == STATUS_TOPIC
            (values,) = decode([STATUS_TUPLE], bytes(log["data"]))
            assert topics[1:] == [values[4], to_canonical_address(values[2]).rjust(32, b"\0")]
            record_hash = hash_struct("StatusRecord", values)
            result.statuses.append(values)
        assert values[0] == result.size
        result.head = keccak(result.head + record_hash)
        result.size += 1
    return result
