"""The LicenseRegistry on one chain: terms, grants, and what a publisher permits."""

from eth_utils.address import to_checksum_address

from registry.chain import actions
from registry.chain.actions import SignedAction
from registry.chain.contract import ContractClient, only_record, read_events
from registry.chain.hashed_record import hashed_record_values
from registry.chain.licenses import Grant, GrantEntry, GrantRecord, TermsRecord
from registry.chain.records import Record
from registry.chain.static import NOBODY

EVERYONE = NOBODY
"""The grantee of a grant to everyone."""


class LicenseRegistryClient(ContractClient):
    """The LicenseRegistry of one deployment. Made by `open_contract`."""

    NAME = "LicenseRegistry"

    def model_registry(self) -> str:
        """The address of the ModelRegistry whose releases these are licences for, EIP-55."""
        return str(to_checksum_address(self.call("modelRegistry")[0]))

    def registered_uses(self, identifier: bytes, at: int | bytes | None = None) -> int | None:
        """The packed states of terms that are registered; None for others, which permit nothing on chain."""
        uses, _, since = self.call("termsOf", identifier, at=at)[0]
        return int(uses) if since else None

    def terms_registered(self, identifier: bytes) -> bool:
        """Whether terms are registered."""
        return self.registered_uses(identifier) is not None

    def register_terms(self, identifier: bytes, document: bytes, uses: int) -> TermsRecord | None:
        """Register terms by the SHA-256 of their document and their packed states; None if they were there already."""
        self.settle()
        if self.terms_registered(identifier):
            return None
        action = self._contract.function("registerTerms").encode(document, uses)
        record: TermsRecord = only_record(self, self.transact(action), TermsRecord)
        if record.terms != identifier:
            raise self.disagreement()
        return record

    def terms(self) -> list[TermsRecord]:
        """Every terms that were registered, in their order."""
        return read_events(self.history(), TermsRecord)

    def grant(self, release_id: bytes, grantee: str, at: int | bytes | None = None) -> GrantEntry | None:
        """A grant in storage, whether in force or not; None if there never was one."""
        entry = GrantEntry(*self.call("grantOf", release_id, grantee, at=at)[0])
        return entry if entry.revision else None

    def grants(self, release_id: bytes | None = None) -> list[GrantRecord]:
        """Every record of a grant, in their order; of one release or of all."""
        found = read_events(self.history(), GrantRecord)
        return [record for record in found if release_id in (None, record.release_id)]

    def set_grant(self, release_id: bytes, grant: Grant, signed: SignedAction | None = None) -> GrantRecord | None:
        """Set a grant, or with no uses take it back; None if it is so already."""
        action = self.signed_as(actions.set_grant(grant), signed)
        self.settle()
        entry = self.grant(release_id, grant.grantee)
        there = entry and (entry.uses, entry.from_, entry.until, entry.irrevocable)
        wanted = (grant.uses, grant.from_, grant.until, grant.irrevocable)
        if there == wanted or (entry is None and grant.uses == 0):
            return None
        record: GrantRecord = only_record(self, self.perform(action), GrantRecord)
        if record.release_id != release_id:
            raise self.disagreement()
        return record

    def permission(
        self, release_id: bytes, record: Record, account: str | None, use: int, at: int | bytes | None = None
    ) -> int:
        """What the publisher of a release says of a use by an account (None: by everyone), as a `UseState`."""
        values = hashed_record_values(record)
        return int(self.call("permission", release_id, values, account or EVERYONE, use, at=at)[0])
