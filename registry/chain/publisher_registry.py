"""The PublisherRegistry on one chain: who may act for a publisher, and whether its key can be believed."""

from typing import TypeVar

from eth_utils.address import to_checksum_address

from registry.chain import actions
from registry.chain.actions import SignedAction
from registry.chain.contract import ContractClient, only_record
from registry.chain.publishers import (
    DelegateRecord,
    Delegation,
    Freeze,
    FreezeRecord,
    Guardian,
    GuardianRecord,
    Scope,
)
from registry.chain.static import NOBODY

_Record = TypeVar("_Record")


class PublisherRegistryClient(ContractClient):
    """The PublisherRegistry of one deployment. Made by `open_contract`."""

    NAME = "PublisherRegistry"

    def delegation(self, publisher: str, delegate: str) -> Delegation:
        """What a delegate may do; whether it has expired is the reader's to see."""
        scopes, expires, seq, since = self.call("delegationOf", publisher, delegate)[0]
        return Delegation(Scope(scopes), expires, seq, since)

    def guardian(self, publisher: str) -> Guardian:
        """Who can freeze a publisher beside itself, and the change under way."""
        guardian, since, following, following_from = self.call("guardianOf", publisher)[0]
        now = _somebody(guardian)
        changing = following_from != 0
        return Guardian(
            now,
            since if now else None,
            _somebody(following) if changing else None,
            following_from if changing else None,
        )

    def freeze_of(self, publisher: str, at: int | bytes | None = None) -> Freeze | None:
        """How a publisher ended, or None while it has not."""
        successor, frozen_at, compromised_since = self.call("freezeOf", publisher, at=at)[0]
        return Freeze(_somebody(successor), frozen_at, compromised_since) if frozen_at else None

    def check_authority(self, publisher: str, actor: str, scope: Scope) -> None:
        """Raises `PublisherFrozen` or `NotAuthorised` unless `actor` may act for `publisher` now.

        Of several scopes a delegate needs only one, as the contract has it: to ask for all, ask for each.
        """
        self.call("checkAuthority", publisher, actor, int(scope))

    def set_delegate(self, delegate: str, scopes: Scope, expires: int) -> DelegateRecord:
        """Name a delegate of the signer's, replace what it may do, or with no scopes (and expiry 0) take it back."""
        return self._record(actions.set_delegate(delegate, int(scopes), expires), DelegateRecord)

    def set_guardian(self, guardian: str | None) -> GuardianRecord:
        """Set the signer's guardian, or None for nobody. A change waits seven days; the first is there at once."""
        return self._record(actions.set_guardian(guardian or NOBODY), GuardianRecord)

    def freeze(self, publisher: str, successor: str | None, compromised_since: int) -> FreezeRecord:
        """End a publisher, for good: the signer's own, or one whose guardian the signer is."""
        return self._record(actions.freeze(publisher, successor or NOBODY, compromised_since), FreezeRecord)

    def _record(self, action: actions.Action | SignedAction, kind: type[_Record]) -> _Record:
        record: _Record = only_record(self, self.perform(action), kind)
        return record


def _somebody(address: str) -> str | None:
    return str(to_checksum_address(address)) if int(address, 16) else None
