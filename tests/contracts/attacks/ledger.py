"""What must hold of any history, judged from the events of the four registries alone.

Recomputes the heads, and follows who was frozen, delegated and guarded, from nothing but the logs.
"""

from collections import defaultdict

from eth_abi import decode, encode
from eth_utils import keccak

from attacks.world import (
    DAY,
    FOREVER,
    GRANT,
    MEMBERS,
    PUBLISH,
    REVOKED,
    STATEMENT,
    STATUS,
    ZERO_ADDRESS,
    abi_type,
    hash_struct,
)

MEMBERS.setdefault(
    "Record",
    [
        ("uint48", "seq"),
        ("uint48", "timestamp"),
        ("address", "actor"),
        ("uint48", "since"),
        ("Release", "release"),
    ],
)
NOT_RECORDS = {"Reserved", "ReleasePromoted", "NonceCancelled"}
SCOPES = {
    "ReleasePublished": PUBLISH,
    "Anchored": PUBLISH,
    "StatusChanged": STATUS,
    "AnchorWithdrawn": STATUS,
    "GrantSet": GRANT,
    "StatementMade": STATEMENT,
    "StatementRetracted": STATEMENT,
}


class Ledger:
    """Reads every event from the first on, and asserts as it goes what no history may break."""

    def __init__(self, world, abis):
        self._chain_id = world.node.chain_id
        self._records = {topic: kind for abi in abis for topic, kind in _record_types(abi).items()}
        self._names = {contract.address.lower(): name for name, contract in world.registries.items()}
        genesis = keccak(text="Genesis(uint256 chainId,address contract)")
        self.sizes = dict.fromkeys(self._names.values(), 0)
        self.heads = {
            name: keccak(encode(["bytes32", "uint256", "address"], [genesis, self._chain_id, address]))
            for address, name in self._names.items()
        }
        self.versions = {}  # release id -> record hash
        self.placed = {}  # release id -> seq
        self.parents = {}  # release id -> its parents' ids
        self.claims = {}  # artifact -> (publisher, seq, since)
        self.statuses = {}
        self.grants = {}  # (release id, grantee) -> its last record
        self.retracted = set()
        self._promoted_by = {}  # seq -> anchor id
        self._anchored = {}  # anchor id -> (actor, timestamp)
        self._frozen = {}  # publisher -> compromisedSince
        self._delegations = defaultdict(dict)
        self._guardians = defaultdict(lambda: [(ZERO_ADDRESS, 0)])
        self._named = {}  # (publisher, guardian) -> when it was named, each time that it was not the guardian before
        self._frozen_at = {}

        query = {"address": list(self._names), "fromBlock": "0x0", "toBlock": "latest"}
        logs = world.node("eth_getLogs", query)
        for log in logs:
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            if self._records[topics[0]][0] == "ReleasePromoted":
                seq, _ = decode(["uint48", "uint64"], bytes.fromhex(log["data"][2:]))
                self._promoted_by[seq] = topics[2]
        for log in logs:
            self._read(self._names[log["address"]], log)

    def _read(self, registry, log):
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        data = bytes.fromhex(log["data"][2:])
        event, typehash, types, labels = self._records[topics[0]]
        if event in NOT_RECORDS:
            return
        values = decode(types, data)
        if event == "ReleasePublished":
            # Its data are the members of the record, in the record's order.
            record_hash = hash_struct("Record", values)
            record = dict(zip(["seq", "timestamp", "actor", "since", "release"], values, strict=True))
            record["publisher"] = record["release"][0]
        else:
            # Everything in the record is of fixed size: the data of the event are what is hashed.
            record_hash = keccak(typehash + data)
            record = dict(zip(labels, values[0], strict=True))
        assert record["seq"] == self.sizes[registry], "sequence numbers leave nothing out"
        self.sizes[registry] += 1
        self.heads[registry] = keccak(self.heads[registry] + record_hash)
        self._check_authority(event, record)
        follow = getattr(self, f"_{event}", None)
        if follow:
            follow(record, topics, record_hash)

    def _check_authority(self, event, record):
        """A frozen publisher changes nothing; a delegate is in time, within scope and not frozen."""
        publisher = record.get("publisher", record.get("issuer"))
        if publisher is None:
            return  # terms are nobody's
        actor, now = record["actor"], record["timestamp"]
        if event == "PublisherFrozen" and publisher in self._frozen:
            assert actor == self._guardian(publisher, now) != publisher
            assert record["compromisedSince"] <= self._frozen[publisher], "trust in a frozen publisher only shrinks"
            assert self._named[publisher, actor] + 7 * DAY <= self._frozen_at[publisher], "a guardian named in a hurry"
        else:
            assert publisher not in self._frozen, "a frozen publisher changes nothing"
        if event == "ReleasePublished" and record["seq"] in self._promoted_by:
            anchored_by, anchored_at = self._anchored[self._promoted_by[record["seq"]]]
            assert actor == anchored_by
            assert anchored_at <= self._frozen.get(actor, now), "an anchor of a compromised key"
            return
        if event in SCOPES and actor != publisher:
            scopes, expires = self._delegations[publisher][actor]
            assert scopes & SCOPES[event]
            assert now < expires
            assert actor not in self._frozen
        elif event == "PublisherFrozen" and actor != publisher:
            assert actor == self._guardian(publisher, now) != ZERO_ADDRESS
            assert actor not in self._frozen
        else:
            assert actor == publisher

    def _guardian(self, publisher, now):
        return [guardian for guardian, start in self._guardians[publisher] if start <= now][-1]

    def _PublisherFrozen(self, record, *_):  # noqa: N802 - these are named for their events
        publisher, now = record["publisher"], record["timestamp"]
        self._frozen[publisher] = record["compromisedSince"]
        self._frozen_at.setdefault(publisher, now)
        self._guardians[publisher] = [entry for entry in self._guardians[publisher] if entry[1] <= now]

    def _DelegateSet(self, record, *_):  # noqa: N802
        self._delegations[record["publisher"]][record["delegate"]] = (record["scopes"], record["expires"])

    def _GuardianSet(self, record, *_):  # noqa: N802
        publisher, now = record["publisher"], record["timestamp"]
        current = self._guardian(publisher, now)
        hurried = record["from"] < now + 7 * DAY
        assert not hurried or current in (ZERO_ADDRESS, record["guardian"]), "a change of guardian waits a week"
        if record["guardian"] != current:
            self._named[publisher, record["guardian"]] = now
        kept = [entry for entry in self._guardians[publisher] if entry[1] <= now]
        self._guardians[publisher] = [*kept, (record["guardian"], record["from"])]

    def _ReleasePublished(self, record, topics, record_hash):  # noqa: N802
        identity, release, now = topics[1], record["release"], record["timestamp"]
        assert identity not in self.versions, "a version never changes"
        self.versions[identity] = record_hash
        self.placed[identity] = record["seq"]
        self.parents[identity] = [parent for parent, _ in release[7]]
        assert all(self.placed.get(parent, record["seq"]) < record["seq"] for parent in self.parents[identity]), (
            "a cycle"
        )
        assert now - DAY <= record["since"] <= now
        before = self.claims.get(release[3])
        if before is None or record["since"] < before[2]:
            assert before is None or now < before[2] + DAY, "a first claim is final after a day"
            self.claims[release[3]] = (release[0], record["seq"], record["since"])

    def _StatusChanged(self, record, *_):  # noqa: N802
        identity = record["releaseId"]
        assert identity in self.versions
        assert self.statuses.get(identity, 0) not in (REVOKED, record["status"]), "revoked is terminal"
        self.statuses[identity] = record["status"]

    def _Anchored(self, record, topics, _):  # noqa: N802
        self._anchored[topics[1]] = (record["actor"], record["timestamp"])

    def _GrantSet(self, record, *_):  # noqa: N802
        key, now = (record["releaseId"], record["grantee"]), record["timestamp"]
        before = self.grants.get(key)
        assert record["revision"] == (before["revision"] + 1 if before else 1)
        if before and before["irrevocable"] and now < before["until"]:
            assert record["irrevocable"]
            assert record["uses"] | before["uses"] == record["uses"]
            assert record["until"] >= before["until"]
            assert record["from"] <= max(before["from"], now)
        self.grants[key] = record

    def _StatementRetracted(self, record, *_):  # noqa: N802
        assert record["statementId"] not in self.retracted
        self.retracted.add(record["statementId"])

    def grants_for(self, identity, account, use, at):
        """The grants, to an account or to everyone, that permit a use at a time by their last record's words."""
        return [
            record
            for grantee in (account, ZERO_ADDRESS)
            if (record := self.grants.get((identity, grantee)))
            and record["uses"] >> use & 1
            and record["from"] <= at < record["until"] <= FOREVER
        ]


def _record_types(abi):
    """For each event, by topic: its name, the type hash of its record, its data's types, and the record's members."""
    found = {}
    for entry in abi:
        if entry["type"] != "event":
            continue
        topic = keccak(text=f"{entry['name']}({','.join(map(abi_type, entry['inputs']))})")
        data = [parameter for parameter in entry["inputs"] if not parameter["indexed"]]
        typehash, labels = b"", []
        if len(data) == 1 and data[0]["type"] == "tuple":
            members = data[0]["components"]
            struct = data[0]["internalType"].rsplit(".", 1)[-1]
            labels = [member["name"] for member in members]
            text = ",".join(f"{abi_type(member)} {member['name']}" for member in members)
            typehash = keccak(text=f"{struct}({text})")
        found[topic] = (entry["name"], typehash, list(map(abi_type, data)), labels)
    return found
