"""The ModelRegistry on one chain: reading it, publishing and changing status, so that a rerun does nothing twice.

Nothing that a node says about a record is believed until its hash is the one in the contract's storage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from registry.chain.artifact import model_registry_artifact
from registry.chain.client import Chain, Receipt
from registry.chain.deploy import check_code, model_registry_address
from registry.chain.events import (
    RELEASE_PUBLISHED,
    STATUS_CHANGED,
    TOPICS,
    Event,
    EventLocation,
    Log,
    ReleasePublished,
    StatusChanged,
    decode_event,
)
from registry.chain.identifiers import parse_address
from registry.chain.ranges import newest_first
from registry.chain.records import (
    ZERO,
    Deployment,
    Reason,
    Record,
    Release,
    Status,
    check_release,
    genesis_head,
    release_id,
)
from registry.chain.reverts import revert_of
from registry.chain.signer import Signer
from registry.chain.transactions import Cost, estimate, send, wait_for_own_transactions
from registry.errors import (
    InvalidLog,
    NoKey,
    RpcRefused,
    RpcUnavailable,
    TransactionReverted,
    VersionTaken,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The earliest claim on an artifact. It orders what is shown and decides nothing."""

    publisher: str
    seq: int
    since: int


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """The status of a release in storage; `seq` and `since` are zero while it never changed."""

    status: Status
    reason: Reason
    seq: int
    since: int


@dataclass(frozen=True, slots=True)
class Published:
    """A release on chain. `created` is False when it was there already; then `gas_used` and `paid` (wei) are zero."""

    release_id: bytes
    record: Record
    location: EventLocation
    created: bool
    gas_used: int = 0
    paid: int = 0


@dataclass(frozen=True, slots=True)
class StatusSet:
    """A change of status on chain. `created` is False when it was as asked already."""

    event: StatusChanged
    created: bool
    gas_used: int = 0


class ModelRegistryClient:
    """One deployment through one node. Without a signer it only reads. Made by `open_model_registry`."""

    def __init__(
        self,
        chain: Chain,
        address: str,
        signer: Signer | None = None,
        *,
        from_block: int = 0,
        timeout: float = 120.0,
    ) -> None:
        self.chain = chain
        self.deployment = Deployment(chain.chain_id, address)
        self.from_block = from_block
        self._signer = signer
        self._timeout = timeout
        self._contract = model_registry_artifact()

    @property
    def address(self) -> str:
        """The contract's address, EIP-55."""
        return self.deployment.model_registry

    @property
    def account(self) -> str | None:
        """The address that it acts as, EIP-55; None when it only reads."""
        return self._signer.address if self._signer else None

    # reading

    def head(self, at: int | bytes | None = None) -> bytes:
        """The log head as of a block, by number or hash."""
        return bytes(self._call("head", at=at)[0])

    def size(self, at: int | bytes | None = None) -> int:
        """How many records the log has as of a block."""
        return int(self._call("size", at=at)[0])

    def deployed_at(self) -> int:
        """The block in which the log began, as the contract was told. A hint where to start, and no more."""
        return int(self._call("deployedAt")[0])

    def log_state(self, block_hash: bytes) -> tuple[bytes, int]:
        """Head and size of the log as of exactly this block; those of an empty log before there was a contract.

        Raises `RpcRefused` where the node keeps no state of that block, or does not know it.
        """
        data = self.chain.call(self.address, self._contract.function("head").selector, block_hash)
        if not data:
            return genesis_head(self.deployment), 0
        return data[:32], self.size(block_hash)

    def release_record_hash(self, identifier: bytes, at: int | bytes | None = None) -> bytes:
        """The hash of a release's record, or 32 zero bytes if there is none."""
        return bytes(self._call("recordHashOf", identifier, at=at)[0])

    def release_id(self, publisher: str, name: str, version: str) -> bytes:
        """The id of a release, computed here."""
        return release_id(self.deployment, publisher, name, version)

    def first_claim(self, artifact: bytes) -> Claim | None:
        """The earliest claim on an artifact, if there is one."""
        publisher, seq, since = self._call("firstClaim", artifact)[0]
        return Claim(str(to_checksum_address(publisher)), seq, since) if int(publisher, 16) else None

    def status(self, identifier: bytes) -> StatusEntry:
        """The status of a release. Raises `ReleaseNotFound` if there is none."""
        status, reason, seq, since = self._call("statusOf", identifier)[0]
        return StatusEntry(Status(status), Reason(reason), seq, since)

    def logs(self, first: int, last: int) -> list[Log]:
        """The contract's logs in blocks first to last, undecoded."""
        return self.chain.logs(self.address, [TOPICS], first, last)

    def find_record(self, identifier: bytes) -> ReleasePublished | None:
        """A release as its event tells it, held against the hash in storage; None if there is none.

        Raises `InvalidLog` when the node gives no event that leads to that hash.
        """
        expected = self.release_record_hash(identifier)
        if expected == ZERO:
            return None
        for event in self._events_of(RELEASE_PUBLISHED, identifier):
            if isinstance(event, ReleasePublished) and event.record_hash == expected:
                return event
        raise InvalidLog(
            f"The contract holds release:0x{identifier.hex()}, but the node at {self.chain.rpc.name} gives no event "
            f"from block {self.from_block} on that matches it. Use a node that keeps all logs.",
            release_id="0x" + identifier.hex(),
        )

    def find_status_change(self, identifier: bytes) -> StatusChanged | None:
        """The latest change of a release's status, held against storage; None while it never changed."""
        entry = self.status(identifier)
        if entry.since == 0:
            return None
        for event in self._events_of(STATUS_CHANGED, identifier):
            if isinstance(event, StatusChanged):
                record = event.record
                if StatusEntry(record.status, record.reason, record.seq, record.timestamp) == entry:
                    return event
        raise InvalidLog(
            f"The node at {self.chain.rpc.name} gives no event that matches the status of "
            f"release:0x{identifier.hex()}. Use a node that keeps all logs."
        )

    # acting

    def settle(self) -> None:
        """Wait until no transaction of the signer's is in the mempool, so that what follows sees what they did."""
        wait_for_own_transactions(self.chain, self._acting().address, self._timeout)

    def estimate_publish(self, release: Release) -> Cost:
        """What publishing would cost now. Raises what `publish` would raise before it sends."""
        signer = self._acting_for(release.publisher)
        check_release(release)
        return estimate(self.chain, signer.address, self.address, self._publish_data(release))

    def publish(self, release: Release) -> Published:
        """Publish a release, or find that it is published: run again after a crash, it registers nothing twice.

        Raises `VersionTaken` if this version is there with other content, `InvalidRelease`, `InsufficientFunds`,
        `ReleaseNotFound` for an unknown parent, `TransactionPending` when the chain takes longer than the timeout.
        """
        signer = self._acting_for(release.publisher)
        check_release(release)
        identifier = self.release_id(release.publisher, release.name, release.version)
        found = self._published(identifier, release)
        if found is None:
            # A transaction of an earlier run may still be in the mempool; what it did must be seen first.
            wait_for_own_transactions(self.chain, signer.address, self._timeout)
            found = self._published(identifier, release)
        if found is not None:
            return found
        try:
            receipt = send(self.chain, signer, self.address, self._publish_data(release), timeout=self._timeout)
        except VersionTaken:
            # Another run of the same command was faster; a node may say so before its transaction is in a block.
            wait_for_own_transactions(self.chain, signer.address, self._timeout)
            found = self._published(identifier, release)
            if found is None:
                raise
            return found
        made = self._made(receipt, identifier)
        if not isinstance(made, ReleasePublished) or made.record_hash != self.release_record_hash(identifier):
            raise self._disagreement()
        return Published(
            identifier,
            made.record,
            made.location,
            created=True,
            gas_used=receipt.gas_used,
            paid=receipt.gas_used * receipt.effective_gas_price,
        )

    def set_status(
        self,
        name: str,
        version: str,
        status: Status,
        reason: Reason = Reason.UNSPECIFIED,
        detail: bytes = ZERO,
        successor: tuple[str, str] | None = None,
    ) -> StatusSet:
        """Change the status of a release of the signer's; `successor` is the name and version of another.

        When it is so already, with the same reason, detail and successor, nothing is sent.
        Raises `ReleaseNotFound`, `TransactionReverted` with what the contract refuses, and what sending raises.
        """
        signer = self._acting()
        identifier = self.release_id(signer.address, name, version)
        heir = self.release_id(signer.address, *successor) if successor else ZERO
        wait_for_own_transactions(self.chain, signer.address, self._timeout)
        wanted = (status, reason, detail, heir)
        found = self._status_as(identifier, wanted)
        if found is not None:
            return StatusSet(found, created=False)
        data = self._contract.function("setStatus").encode(
            (signer.address, name, version, int(status), int(reason), detail, *(successor or ("", "")))
        )
        receipt = send(self.chain, signer, self.address, data, timeout=self._timeout)
        made = self._made(receipt, identifier)
        if not isinstance(made, StatusChanged) or _asked(made) != wanted:
            raise self._disagreement()
        return StatusSet(made, created=True, gas_used=receipt.gas_used)

    def _published(self, identifier: bytes, wanted: Release) -> Published | None:
        event = self.find_record(identifier)
        if event is None:
            return None
        if event.record.release != wanted:
            raise VersionTaken(
                f"{wanted.name} {wanted.version} is published already with other content "
                f"({', '.join(_differences(event.record.release, wanted))}). A version never changes: choose another.",
                release_id="0x" + identifier.hex(),
                differs=_differences(event.record.release, wanted),
            )
        return Published(identifier, event.record, event.location, created=False)

    def _status_as(self, identifier: bytes, wanted: tuple[Status, Reason, bytes, bytes]) -> StatusChanged | None:
        event = self.find_status_change(identifier)
        return event if event is not None and _asked(event) == wanted else None

    def _made(self, receipt: Receipt, identifier: bytes) -> Event | None:
        """The event of a release in a receipt."""
        for log in receipt.logs:
            if log.address == self.address:
                event = decode_event(self.deployment, log)
                if event.release_id == identifier:
                    return event
        return None

    def _disagreement(self) -> RpcUnavailable:
        return RpcUnavailable(
            f"The node at {self.chain.rpc.name} gave a receipt that does not agree with the contract's state. "
            "Run the same command again."
        )

    def _events_of(self, kind: bytes, identifier: bytes) -> Iterator[Event]:
        """Events of one release, newest first."""

        def fetch(first: int, last: int) -> list[Log]:
            return self.chain.logs(self.address, [kind, identifier], first, last)

        for logs in newest_first(fetch, self.from_block, self.chain.latest().number):
            for log in reversed(logs):
                yield decode_event(self.deployment, log)

    def _publish_data(self, release: Release) -> bytes:
        return self._contract.function("publish").encode(
            (
                release.publisher,
                release.name,
                release.version,
                release.artifact,
                release.manifest,
                release.terms,
                release.training_data,
                [(parent.release_id, int(parent.relation)) for parent in release.parents],
            )
        )

    def _acting(self) -> Signer:
        if self._signer is None:
            raise NoKey(
                "This needs a key, and none is configured. Set PROVENANCE_KEYSTORE and PROVENANCE_PASSWORD_FILE, "
                "or PROVENANCE_PRIVATE_KEY."
            )
        return self._signer

    def _acting_for(self, publisher: str) -> Signer:
        signer = self._acting()
        if signer.address != publisher:
            raise TransactionReverted(f"The key of {signer.address} cannot act for the publisher {publisher}.")
        return signer

    def _call(self, name: str, *arguments: Any, at: int | bytes | None = None) -> tuple[Any, ...]:
        function = self._contract.function(name)
        try:
            data = self.chain.call(self.address, function.encode(*arguments), "latest" if at is None else at)
        except RpcRefused as refusal:
            revert = revert_of(refusal)
            if revert is not None:
                raise revert from refusal
            raise
        try:
            return function.decode(data)
        except (DecodingError, OverflowError) as error:
            raise RpcUnavailable(
                f"The node at {self.chain.rpc.name} answered a call of {name} with something that cannot be read."
            ) from error


def open_model_registry(
    chain: Chain,
    address: str | None = None,
    signer: Signer | None = None,
    *,
    from_block: int | None = None,
    timeout: float = 120.0,
) -> ModelRegistryClient:
    """The registry at `address`, by default where CREATE2 puts it. Raises `NoContract` if it is not there.

    Events are looked for from `from_block` on, by default from the block in which the contract says it was deployed.
    """
    place = parse_address(address) if address else model_registry_address()
    check_code(chain, place)
    first = _first_block(ModelRegistryClient(chain, place)) if from_block is None else from_block
    return ModelRegistryClient(chain, place, signer, from_block=first, timeout=timeout)


def _first_block(client: ModelRegistryClient) -> int:
    """Where the contract's events can begin.

    A block that is too late is met where events are held against the log head. A block that the chain does not have
    would be met nowhere, as nothing would be read: then a node lies, lags, or counts blocks unlike `block.number` does
    (some rollups), and everything is read.
    """
    deployed_at = client.deployed_at()
    return deployed_at if deployed_at <= client.chain.latest().number else 0


def _asked(event: StatusChanged) -> tuple[Status, Reason, bytes, bytes]:
    record = event.record
    return record.status, record.reason, record.detail, record.successor


def _differences(there: Release, wanted: Release) -> list[str]:
    names = ("artifact", "manifest", "terms", "training_data", "parents")
    return [name.replace("_", " ") for name in names if getattr(there, name) != getattr(wanted, name)]
