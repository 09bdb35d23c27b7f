"""What the Ethereum Attestation Service takes for the same: on-chain attestations of the same fields."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _chain import NEVER, BenchChain, digest
from _registries import BATCH as ANCHORED
from _registries import COMMERCIAL, EVALUATION, FIRST, NAME, NOBODY, OF_A_RELEASE, USES, VERSION
from eth_abi.abi import encode

PACKAGE = Path(__file__).parent / "npm" / "node_modules" / "@ethereum-attestation-service" / "eas-contracts"
ATTESTER, RELAYER = 6, 7
BATCH = 500  # a thousand cost more than EIP-7825 lets one transaction have

# The issuer is the attester, the grantee the recipient, the end the expiration, the subject of a grant the reference:
# what EAS has a field for is not in the data again.
RELEASE = "string name,string version,bytes32 artifact,bytes32 manifest,bytes32 terms,bytes32 trainingData"
STATEMENT = "uint8 kind,uint8 subjectKind,bytes32 subject,bytes32 document"
GRANT = "uint8 uses,uint48 from,bool irrevocable"
TERMS = "bytes32 document,uint16 uses"
ANCHOR = "bytes32 root,uint64 count,bytes32 list"

_ATTEST = (
    "Attest(address attester,bytes32 schema,address recipient,uint64 expirationTime,bool revocable,bytes32 refUID,"
    "bytes data,uint256 value,uint256 nonce,uint64 deadline)"
)
_DEADLINE = (1 << 40) - 1


def load() -> dict[str, Any]:
    """EAS as its authors compiled it."""
    found = {}
    for name in ("EAS", "SchemaRegistry"):
        artifact = json.loads((PACKAGE / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json").read_bytes())
        found[name] = {"abi": artifact["abi"], "bytecode": artifact["bytecode"]}
    return found


class Eas:
    """EAS with a schema for each kind of record, and one attestation of a release."""

    def __init__(self, chain: BenchChain) -> None:
        self.chain = chain
        self.attester = chain.accounts[ATTESTER].address
        self.schemas = chain.deploy("SchemaRegistry")
        self.eas = chain.deploy("EAS", self.schemas.address)
        self.probe = chain.deploy("EasProbe")
        self.ids = {}
        for schema in (RELEASE, STATEMENT, GRANT, TERMS, ANCHOR):
            register = self.schemas.functions.register(schema, NOBODY, True)
            (event,) = chain.events(register, self.schemas.events.Registered(), ATTESTER)
            self.ids[schema] = bytes(event["uid"])
        self.first = self._uid(RELEASE, self.release(FIRST))

    def measure(self) -> dict[str, float]:
        """Gas of each call by its name."""
        release = self.release(VERSION)
        statement = self._request(STATEMENT, EVALUATION, OF_A_RELEASE, self.first, digest("report"), expires=NEVER)
        grantee = self.chain.accounts[4].address
        grant = self._request(GRANT, 1 << COMMERCIAL, 0, False, recipient=grantee, expires=NEVER, reference=self.first)
        terms = self._request(TERMS, digest("other terms"), USES)
        anchor = self._request(ANCHOR, digest("root"), ANCHORED, digest("list"))
        child = self.release(VERSION, reference=self.first)
        hashes = [digest(f"off chain {number}") for number in range(BATCH)]
        functions = self.eas.functions
        rows: dict[str, Callable[[], float]] = {
            "attest release": lambda: self.attest(RELEASE, release),
            "attestByDelegation release": lambda: self.attest_by_delegation(RELEASE, release),
            "refUID of attest": lambda: self.attest(RELEASE, child) - self.attest(RELEASE, release),
            "attest statement": lambda: self.attest(STATEMENT, statement),
            "attestByDelegation statement": lambda: self.attest_by_delegation(STATEMENT, statement),
            "attest grant": lambda: self.attest(GRANT, grant),
            "attestByDelegation grant": lambda: self.attest_by_delegation(GRANT, grant),
            "attest terms": lambda: self.attest(TERMS, terms),
            "attest anchor": lambda: self.attest(ANCHOR, anchor) / ANCHORED,
            "revoke": lambda: self.chain.gas(functions.revoke((self.ids[RELEASE], (self.first, 0))), ATTESTER),
            "timestamp": lambda: self.chain.gas(functions.timestamp(digest("commitment")), ATTESTER),
            "multiTimestamp": lambda: self.chain.gas(functions.multiTimestamp(hashes), ATTESTER) / BATCH,
            "timestamp of a root": lambda: self.chain.gas(functions.timestamp(digest("root")), ATTESTER) / ANCHORED,
            "getAttestation": lambda: int(self.probe.functions.getAttestation(self.eas.address, self.first).call()),
        }
        measured = {}
        for name, experiment in rows.items():
            with self.chain.undone():
                measured[name] = experiment()
        return measured

    def release(self, version: str, reference: bytes = bytes(32)) -> tuple[Any, ...]:
        """The request for a release with the fields of ours."""
        digests = (
            digest(f"artifact {version}"),
            digest(f"manifest {version}"),
            digest("terms"),
            digest("training data"),
        )
        return self._request(RELEASE, NAME, version, *digests, reference=reference)

    def attest(self, schema: str, request: tuple[Any, ...]) -> int:
        with self.chain.undone():
            return self.chain.gas(self.eas.functions.attest((self.ids[schema], request)), ATTESTER)

    def attest_by_delegation(self, schema: str, request: tuple[Any, ...]) -> int:
        """The second time: the first pays for the slot of the attester's nonce, which ours does without."""
        for nonce in range(2):
            members = ("recipient", "expirationTime", "revocable", "refUID", "data", "value")
            message = {
                "attester": self.attester,
                "schema": self.ids[schema],
                **dict(zip(members, request, strict=True)),
                "nonce": nonce,
                "deadline": _DEADLINE,
            }
            signature = self.chain.sign(ATTESTER, self.eas, ("EAS", "1.4.0"), _ATTEST, message)
            split = (signature[64], signature[:32], signature[32:64])
            delegated = (self.ids[schema], request, split, self.attester, _DEADLINE)
            gas = self.chain.gas(self.eas.functions.attestByDelegation(delegated), RELAYER)
        return gas

    def _uid(self, schema: str, request: tuple[Any, ...]) -> bytes:
        attest = self.eas.functions.attest((self.ids[schema], request))
        (event,) = self.chain.events(attest, self.eas.events.Attested(), ATTESTER)
        return bytes(event["uid"])

    def _request(
        self, schema: str, *values: Any, recipient: str = NOBODY, expires: int = 0, reference: bytes = bytes(32)
    ) -> tuple[Any, ...]:
        types = [member.split(" ")[0] for member in schema.split(",")]
        return recipient, expires, True, reference, encode(types, values), 0
