"""The four registries on a node of their own: calls by name, signatures by eth_account, refusals as exceptions.

What is signed is written here as the interfaces document it, so that a type hash of the contracts that is not the
documented one fails.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from eth_abi import decode, encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address

from attacks.node import RpcError

ZERO = bytes(32)
ZERO_ADDRESS = "0x" + "00" * 20
FOREVER = 2**48 - 1
DAY = 24 * 60 * 60
PUBLISH, STATUS, GRANT, STATEMENT = 1, 2, 4, 8
ACTIVE, DEPRECATED, REVOKED = range(3)
UNKNOWN, ALLOWED, CONDITIONAL, DENIED = range(4)
RUN, COMMERCIAL, REDISTRIBUTE, MODIFY, DISTIL, TRAIN_ON_OUTPUTS = range(6)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1 (SEC 2, 2.4.1)
EVERYTHING = 0b010101010101  # the packed states of terms that allow every use

TYPES = {
    "SetDelegate": "address actor,address delegate,uint8 scopes,uint48 expires,uint256 nonce,uint256 deadline",
    "SetGuardian": "address actor,address guardian,uint256 nonce,uint256 deadline",
    "Freeze": "address actor,address publisher,address successor,uint48 compromisedSince,uint256 nonce,"
    "uint256 deadline",
    "Publish": "address actor,Release release,bytes32 salt,uint256 deadline",
    "SetStatus": "address actor,StatusUpdate update,uint256 nonce,uint256 deadline",
    "PublishAnchor": "address actor,Anchor anchor,uint256 deadline",
    "WithdrawAnchor": "address actor,Anchor anchor,uint256 nonce,uint256 deadline",
    "SetGrant": "address actor,Grant grant,uint256 nonce,uint256 deadline",
    "Attest": "address actor,Statement statement,uint256 deadline",
    "Retract": "address actor,bytes32 statementId,uint256 nonce,uint256 deadline",
    "Parent": "bytes32 releaseId,uint8 relation",
    "Release": "address publisher,string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,"
    "bytes32 trainingData,Parent[] parents",
    "StatusUpdate": "address publisher,string name,string version,uint8 status,uint8 reason,bytes32 detail,"
    "string successorName,string successorVersion",
    "Anchor": "address publisher,bytes32 root,uint64 count,bytes32 list",
    "Grant": "address publisher,string name,string version,address grantee,uint8 uses,uint48 from,uint48 until,"
    "bool irrevocable",
    "Statement": "address issuer,uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document,uint48 expires",
}
MEMBERS = {name: [tuple(member.split(" ")) for member in text.split(",")] for name, text in TYPES.items()}


class Refused(Exception):
    """A registry reverted, with this error and these arguments. Without data (a panic, no gas) the name is empty."""

    def __init__(self, name, arguments=()):
        super().__init__(f"{name}{arguments}")
        self.name, self.arguments = name, arguments


@contextmanager
def refuses(name, *arguments):
    """Expects that a registry refuses, with this error and, if any are given, these arguments."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.name == name
    if arguments:
        assert [_plain(value) for value in caught.value.arguments] == [_plain(value) for value in arguments]


def _plain(value):
    return value.lower() if isinstance(value, str) else value


def abi_type(parameter):
    """The canonical type of a parameter, tuples written out."""
    if not parameter["type"].startswith("tuple"):
        return parameter["type"]
    return "(" + ",".join(map(abi_type, parameter["components"])) + ")" + parameter["type"].removeprefix("tuple")


@dataclass
class Function:
    selector: bytes
    inputs: list
    outputs: list
    writes: bool


class Interface:
    """Functions, events and errors of an ABI."""

    def __init__(self, abi):
        self.functions, self.events, self.errors, self.constructor = {}, {}, {}, []
        for entry in abi:
            inputs = [abi_type(parameter) for parameter in entry.get("inputs", [])]
            signature = keccak(text=f"{entry.get('name')}({','.join(inputs)})")
            if entry["type"] == "function":
                outputs = [abi_type(parameter) for parameter in entry["outputs"]]
                writes = entry["stateMutability"] in ("nonpayable", "payable")
                self.functions[entry["name"]] = Function(signature[:4], inputs, outputs, writes)
            elif entry["type"] == "event":
                data = [abi_type(parameter) for parameter in entry["inputs"] if not parameter["indexed"]]
                self.events[signature] = (entry["name"], data)
            elif entry["type"] == "error":
                self.errors[signature[:4]] = (entry["name"], inputs)
            elif entry["type"] == "constructor":
                self.constructor = inputs


class Contract:
    """A deployed contract: `contract.publish(release, salt, by=account)` sends or calls, as the function is one."""

    def __init__(self, world, name, interface, address):
        self._world, self._name, self._interface, self.address = world, name, interface, address

    def data(self, function, *arguments):
        """The calldata of a call."""
        found = self._interface.functions[function]
        return found.selector + encode(found.inputs, arguments)

    def answer(self, function, data):
        """What a call returned: a value, a tuple, or None."""
        values = decode(self._interface.functions[function].outputs, data)
        return values[0] if len(values) == 1 else values or None

    def __getattr__(self, name):
        function = self._interface.functions[name]

        def send(*arguments, by=None, **options):
            return self._world.send(self.address, self.data(name, *arguments), by, **options)

        def call(*arguments, by=None, at=None):
            return self.answer(name, self._world.call(self.address, self.data(name, *arguments), by, at))

        return send if function.writes else call


class World:
    """Four registries, people with keys, and a relayer who pays for what others signed."""

    def __init__(self, node, builds):
        """`builds` maps a contract's name to its (abi, bytecode)."""
        self.node = node
        self._interfaces = {name: Interface(abi) for name, (abi, _) in builds.items()}
        self._codes = {name: bytes.fromhex(code.removeprefix("0x")) for name, (_, code) in builds.items()}
        self.errors = {}
        for interface in self._interfaces.values():
            self.errors |= interface.errors
        self.relayer = person("relayer")
        self.publishers = self.deploy("PublisherRegistry")
        self.models = self.deploy("ModelRegistry", self.publishers.address)
        self.licenses = self.deploy("LicenseRegistry", self.models.address)
        self.statements = self.deploy("StatementRegistry", self.publishers.address)
        self.registries = {
            contract._name: contract for contract in (self.publishers, self.models, self.licenses, self.statements)
        }

    def deploy(self, name, *arguments, gas=30_000_000):
        interface = self._interfaces[name]
        code = self._codes[name] + encode(interface.constructor, arguments)
        receipt = self.node.send(self.relayer.address, None, code, gas)
        assert receipt["status"] == "0x1", name
        return Contract(self, name, interface, to_checksum_address(receipt["contractAddress"]))

    def send(self, to, data, by=None, **options):
        """Gives the receipt of a transaction that went through; raises what it was refused with."""
        receipt = self.node.send((by or self.relayer).address, to, data, **options)
        if receipt["status"] != "0x1":
            raise self.refusal(self.node.reverted_with(receipt["transactionHash"]))
        return receipt

    def call(self, to, data, by=None, at=None):
        try:
            return self.node.call((by or self.relayer).address, to, data, at)
        except RpcError as error:
            raise self.refusal(error.data) from None

    def refusal(self, data):
        """Revert data as an exception."""
        name, types = self.errors.get(data[:4], ("", []))
        return Refused(name, decode(types, data[4:]) if types else ())

    def events(self, receipt):
        """(name, data) of each event of a registry in a receipt."""
        found = []
        for log in receipt["logs"]:
            interface = self._interfaces[self._name_of(log["address"])]
            name, types = interface.events[bytes.fromhex(log["topics"][0][2:])]
            found.append((name, decode(types, bytes.fromhex(log["data"][2:]))))
        return found

    def _name_of(self, address):
        known = {contract.address.lower(): name for name, contract in self.registries.items()}
        return known.get(address.lower(), "Attacker")

    def sign(self, contract, action, arguments, by, *, nonce=None, deadline=None, key=None, chain_id=None):
        """The arguments of `<action>WithSignature`: `by` is the actor, signed for with `key` or its own."""
        deadline = self.node.now + 600 if deadline is None else deadline
        values = [by.address, *arguments, *([] if nonce is None else [nonce]), deadline]
        domain = {
            "name": contract._name,
            "version": "1",
            "chainId": self.node.chain_id if chain_id is None else chain_id,
            "verifyingContract": contract.address,
        }
        message = typed(domain, action[0].upper() + action[1:], values)
        signature = sign_quickly(keccak(b"\x19\x01" + message.header + message.body), key or by.key)
        return [*arguments, *([] if nonce is None else [nonce]), (by.address, deadline, signature)]

    def relay(self, contract, action, arguments, by, sender=None, **options):
        """Signs an action and has somebody else send it."""
        signed = self.sign(contract, action, arguments, by, **options)
        return getattr(contract, action + "WithSignature")(*signed, by=sender)

    # What the tests say often.

    def publish(self, by, name="model", version="1", salt=ZERO, actor=None, **changes):
        """Publishes a release and gives it as it was recorded."""
        return self.record(self.models.publish(release(by, name, version, **changes), salt, by=actor or by))

    def record(self, receipt):
        """The record in a receipt: (seq, timestamp, actor, since, release)."""
        (found,) = [data for name, data in self.events(receipt) if name == "ReleasePublished"]
        return found

    def id(self, record_or_release):
        """The id of a release."""
        found = record_or_release if len(record_or_release) == 8 else record_or_release[4]
        return bytes(self.models.releaseIdOf(*found[:3]))

    def permits(self, record, account, use=COMMERCIAL, at=None):
        """What the licence registry says of a use of a recorded release."""
        return self.licenses.permission(self.id(record), hashed(record), account, use, at=at)

    def everything_allowed(self):
        """Registered terms that allow every use."""
        document = keccak(text="everything")
        terms = bytes(self.licenses.termsIdOf(document, EVERYTHING))
        if self.licenses.termsOf(terms)[2] == 0:
            self.licenses.registerTerms(document, EVERYTHING)
        return terms


ONCE_KEY = b"\1" * 32
ONCE = Account.unsafe_sign_hash(bytes(32), ONCE_KEY)


def sign_quickly(digest, key):
    """ECDSA with one and the same ephemeral key for all: it gives these keys away, and takes no curve arithmetic.

    The ephemeral key is worked out from a signature by eth_account: k = s^-1 (z + r d), of which z is zero.
    """
    r, v = ONCE.r, ONCE.v
    k = pow(ONCE.s, -1, ORDER) * r * int.from_bytes(ONCE_KEY, "big") % ORDER
    s = pow(k, -1, ORDER) * (int.from_bytes(digest, "big") + r * int.from_bytes(key, "big")) % ORDER
    if s > ORDER // 2:
        s, v = ORDER - s, 55 - v
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


def person(name):
    """An account whose key follows from its name."""
    return Account.from_key(keccak(text=name))


def release(publisher, name="model", version="1", **changes):
    """The tuple of a release."""
    fields = {
        "artifact": keccak(text=f"artifact of {name} {version}"),
        "manifest": keccak(text="manifest"),
        "terms": ZERO,
        "training_data": ZERO,
        "parents": (),
    }
    return (publisher.address, name, version, *{**fields, **changes}.values())


def hashed(record):
    """A record with its texts and parents hashed, as EIP-712 hashes them."""
    publisher, name, version, *digests, parents = record[4]
    typehash = keccak(text="Parent(bytes32 releaseId,uint8 relation)")
    hashes = [keccak(encode(["bytes32", "bytes32", "uint8"], [typehash, *parent])) for parent in parents]
    return (*record[:4], (publisher, keccak(text=name), keccak(text=version), *digests, keccak(b"".join(hashes))))


def typed(domain, primary, values):
    """EIP-712 typed data, ready to be signed. `values` are in the order of the type's members, nested as tuples."""
    needed, waiting = {}, [primary]
    while waiting:
        name = waiting.pop()
        needed[name] = [{"name": label, "type": kind} for kind, label in MEMBERS[name]]
        waiting += [kind.removesuffix("[]") for kind, _ in MEMBERS[name] if kind.removesuffix("[]") in MEMBERS]
    return encode_typed_data(domain, needed, _message(primary, values))


def hash_struct(primary, values):
    """EIP-712 hashStruct."""
    return typed({"name": ""}, primary, values).body


def _message(name, values):
    message = {}
    for (kind, label), value in zip(MEMBERS[name], values, strict=True):
        if kind.endswith("[]"):
            value = [_message(kind.removesuffix("[]"), item) for item in value]
        elif kind in MEMBERS:
            value = _message(kind, value)
        message[label] = value
    return message
