"""The ModelRegistry on one chain: reading it, publishing and changing status, so that a rerun does nothing twice.

Nothing that a node says about a record is believed until its hash is the one in the contract's storage.
"""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from registry.chain import actions
from registry.chain.actions import SignedAction
from registry.chain.anchors import Anchor, AnchorEntry, AnchorRecord, WithdrawalRecord, anchor_id, reservation
from registry.chain.client import Chain, Receipt
from registry.chain.contract import ContractClient, first_block, only_record
from registry.chain.deploy import check_code, contract_address
from registry.chain.events import (
    RELEASE_PUBLISHED,
    STATUS_CHANGED,
    EventLocation,
    ReleasePublished,
    StatusChanged,
)
from registry.chain.identifiers import parse_address
from registry.chain.records import (
    ZERO,
    Deployment,
    Reason,
    Record,
    Release,
    Status,
    check_release,
    release_id,
)
from registry.chain.signer import Signer
from registry.chain.transactions import Cost, wait_for_own_transactions
from registry.errors import InvalidLog, VersionTaken


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


class ModelRegistryClient(ContractClient):
    """The ModelRegistry of one deployment. Made by `open_model_registry`."""

    NAME = "ModelRegistry"

    @property
    def deployment(self) -> Deployment:
        """Which registry this is."""
        return Deployment(self.chain.chain_id, self.address)

    # reading

    def release_record_hash(self, identifier: bytes, at: int | bytes | None = None) -> bytes:
        """The hash of a release's record, or 32 zero bytes if there is none."""
        return bytes(self.call("recordHashOf", identifier, at=at)[0])

    def release_id(self, publisher: str, name: str, version: str) -> bytes:
        """The id of a release, computed here."""
        return release_id(self.deployment, publisher, name, version)

    def first_claim(self, artifact: bytes) -> Claim | None:
        """The earliest claim on an artifact, if there is one."""
        publisher, seq, since = self.call("firstClaim", artifact)[0]
        return Claim(str(to_checksum_address(publisher)), seq, since) if int(publisher, 16) else None

    def status(self, identifier: bytes, at: int | bytes | None = None) -> StatusEntry:
        """The status of a release. Raises `ReleaseNotFound` if there is none."""
        status, reason, seq, since = self.call("statusOf", identifier, at=at)[0]
        return StatusEntry(Status(status), Reason(reason), seq, since)

    def publisher_registry(self) -> str:
        """The address of the PublisherRegistry that it asks who may act for whom, EIP-55."""
        return str(to_checksum_address(self.call("publisherRegistry")[0]))

    def reserved_at(self, commitment: bytes) -> int:
        """When a commitment was reserved, in seconds since the epoch, or 0."""
        return int(self.call("reservedAt", commitment)[0])

    def anchor(self, identifier: bytes) -> AnchorEntry | None:
        """An anchor in storage, if there is one."""
        actor, seq, since, withdrawn_at = self.call("anchorOf", identifier)[0]
        return AnchorEntry(str(to_checksum_address(actor)), seq, since, withdrawn_at) if since else None

    def find_record(self, identifier: bytes) -> ReleasePublished | None:
        """A release as its event tells it, held against the hash in storage; None if there is none.

        Raises `InvalidLog` when the node gives no event that leads to that hash.
        """
        expected = self.release_record_hash(identifier)
        if expected == ZERO:
            return None
        for event in self.events_with(RELEASE_PUBLISHED, identifier):
            if isinstance(event, ReleasePublished) and event.record_hash == expected:
                return event
        raise InvalidLog(
            f"The contract holds release:0x{identifier.hex()}, but the node at {self.chain.rpc.name} gives no event "
            f"from block {self.from_block} on that matches it. Use a node that keeps all logs.",
            release_id="0x" + identifier.hex(),
        )

    def find_status_change(self, identifier: bytes) -> StatusChanged | None:
        """The latest change of a release's status; None while it never changed.

        Status, reason, place in the log and time are those in storage. Detail and successor are not there: they are
        the node's word, until the whole log is held against its head (`history`).
        """
        entry = self.status(identifier)
        if entry.since == 0:
            return None
        for event in self.events_with(STATUS_CHANGED, identifier):
            if isinstance(event, StatusChanged):
                record = event.record
                if StatusEntry(record.status, record.reason, record.seq, record.timestamp) == entry:
                    return event
        raise InvalidLog(
            f"The node at {self.chain.rpc.name} gives no event that matches the status of "
            f"release:0x{identifier.hex()}. Use a node that keeps all logs."
        )

    # acting

    def estimate_publish(self, release: Release, salt: bytes = ZERO, signed: SignedAction | None = None) -> Cost:
        """What publishing would cost now. Raises what `publish` would raise before it sends."""
        check_release(release)
        return self.estimate(self.signed_as(actions.publish(release, salt), signed))

    def publish(self, release: Release, salt: bytes = ZERO, signed: SignedAction | None = None) -> Published:
        """Publish a release, or find that it is published: run again after a crash, it registers nothing twice.

        By the signer as the publisher or its delegate, or as the relayer of what `signed` holds. `salt` of a
        reservation puts the claim ahead.

        Raises `VersionTaken` if this version is there with other content, `InvalidRelease`, `InsufficientFunds`,
        `NotAuthorised`, `ReleaseNotFound` for an unknown parent, `TransactionPending` when the chain takes longer than
        the timeout.
        """
        signer = self.acting()
        check_release(release)
        action = self.signed_as(actions.publish(release, salt), signed)
        identifier = self.release_id(release.publisher, release.name, release.version)
        found = self._published(identifier, release)
        if found is None:
            # A transaction of an earlier run may still be in the mempool; what it did must be seen first.
            wait_for_own_transactions(self.chain, signer.address, self._timeout)
            found = self._published(identifier, release)
        if found is not None:
            return found
        try:
            receipt = self.perform(action)
        except VersionTaken:
            # Another run of the same command was faster; a node may say so before its transaction is in a block.
            wait_for_own_transactions(self.chain, signer.address, self._timeout)
            found = self._published(identifier, release)
            if found is None:
                raise
            return found
        return self._as_published(receipt, identifier)

    def promote(self, anchor: Anchor, index: int, proof: list[bytes], release: Release) -> Published:
        """Make an anchored release a full record, or find that it is one. Anyone may."""
        identifier = self.release_id(release.publisher, release.name, release.version)
        self.settle()
        found = self._published(identifier, release)
        if found is not None:
            return found
        data = self._contract.function("promote").encode(anchor.values(), index, proof, actions.release_values(release))
        receipt = self.transact(data)
        return self._as_published(receipt, identifier)

    def reserve(self, publisher: str, artifact: bytes, salt: bytes) -> int:
        """Reserve a claim on an artifact, or find it reserved. The time that it counts from, in seconds.

        Raises `TransactionReverted` when it is too old to be revealed: then take another salt.
        """
        commitment = reservation(self.deployment, publisher, artifact, salt)
        self.settle()
        if not self.reserved_at(commitment):
            self.transact(self._contract.function("reserve").encode(commitment))
        since = self.reserved_at(commitment)
        if not since:
            raise self.disagreement()
        return since

    def publish_anchor(self, anchor: Anchor, signed: SignedAction | None = None) -> tuple[bytes, AnchorEntry]:
        """Anchor releases, or find them anchored: the anchor's id, and its entry, which may be withdrawn since."""
        action = self.signed_as(actions.publish_anchor(anchor), signed)
        identifier = anchor_id(self.deployment, anchor)
        self.settle()
        entry = self.anchor(identifier)
        if entry is None:
            record = only_record(self, self.perform(action), AnchorRecord)
            entry = self.anchor(identifier)
            if entry is None or record.anchor != anchor:
                raise self.disagreement()
        return identifier, entry

    def withdraw_anchor(self, anchor: Anchor, signed: SignedAction | None = None) -> bool:
        """Take an anchor back, for good; False if it was taken back already."""
        action = self.signed_as(actions.withdraw_anchor(anchor), signed)
        self.settle()
        entry = self.anchor(anchor_id(self.deployment, anchor))
        if entry is not None and entry.withdrawn_at:
            return False
        only_record(self, self.perform(action), WithdrawalRecord)
        return True

    def verify_anchored(self, anchor: Anchor, index: int, proof: list[bytes], release: Release) -> AnchorEntry:
        """The entry of the anchor that a release is in. Raises the decoded revert unless it is."""
        found = self.call("verifyAnchored", anchor.values(), index, proof, actions.release_values(release))[0]
        return AnchorEntry(str(to_checksum_address(found[0])), *found[1:])

    def set_status(
        self,
        name: str,
        version: str,
        status: Status,
        reason: Reason = Reason.UNSPECIFIED,
        detail: bytes = ZERO,
        successor: tuple[str, str] | None = None,
        *,
        publisher: str | None = None,
        signed: SignedAction | None = None,
    ) -> StatusSet:
        """Change the status of a release of `publisher`, by default the signer.

        `successor` is the name and version of another release of the same publisher.

        When it is so already, with the same reason, detail and successor, nothing is sent.
        Raises `ReleaseNotFound`, `NotAuthorised`, `TransactionReverted` with what the contract refuses, and what
        sending raises.
        """
        signer = self.acting()
        owner = publisher or signer.address
        identifier = self.release_id(owner, name, version)
        heir = self.release_id(owner, *successor) if successor else ZERO
        wish = actions.set_status(owner, name, version, status, reason, detail, successor)
        action = self.signed_as(wish, signed)
        wait_for_own_transactions(self.chain, signer.address, self._timeout)
        wanted = (status, reason, detail, heir)
        found = self._status_as(identifier, wanted)
        if found is not None:
            return StatusSet(found, created=False)
        receipt = self.perform(action)
        made = [event for event in self.made(receipt) if isinstance(event, StatusChanged)]
        if len(made) != 1 or made[0].release_id != identifier or _asked(made[0]) != wanted:
            raise self.disagreement()
        return StatusSet(made[0], created=True, gas_used=receipt.gas_used)

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

    def _as_published(self, receipt: Receipt, identifier: bytes) -> Published:
        for event in self.made(receipt):
            if isinstance(event, ReleasePublished) and event.release_id == identifier:
                if event.record_hash != self.release_record_hash(identifier):
                    break
                paid = receipt.gas_used * receipt.effective_gas_price
                return Published(identifier, event.record, event.location, True, receipt.gas_used, paid)
        raise self.disagreement()


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
    place = parse_address(address) if address else contract_address("ModelRegistry")
    check_code(chain, "ModelRegistry", place)
    first = first_block(ModelRegistryClient(chain, place)) if from_block is None else from_block
    return ModelRegistryClient(chain, place, signer, from_block=first, timeout=timeout)


def _asked(event: StatusChanged) -> tuple[Status, Reason, bytes, bytes]:
    record = event.record
    return record.status, record.reason, record.detail, record.successor


def _differences(there: Release, wanted: Release) -> list[str]:
    names = ("artifact", "manifest", "terms", "training_data", "parents")
    return [name.replace("_", " ") for name in names if getattr(there, name) != getattr(wanted, name)]
