"""The StatementRegistry on one chain: what issuers say of a subject, and whether it still holds."""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from registry.chain import actions
from registry.chain.actions import SignedAction
from registry.chain.contract import ContractClient, only_record
from registry.chain.statements import RetractionRecord, Statement, StatementEntry, StatementRecord, statement_id


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement with its id, and when it was retracted (None: it was not)."""

    statement_id: bytes
    record: StatementRecord
    retracted_at: int | None


class StatementRegistryClient(ContractClient):
    """The StatementRegistry of one deployment. Made by `open_contract`."""

    NAME = "StatementRegistry"

    def publisher_registry(self) -> str:
        """The address of the PublisherRegistry that it asks who may act for whom, EIP-55."""
        return str(to_checksum_address(self.call("publisherRegistry")[0]))

    def statement_id(self, statement: Statement) -> bytes:
        """The id of a statement, computed here."""
        return statement_id(self.chain.chain_id, self.address, statement)

    def statement(self, identifier: bytes) -> StatementEntry | None:
        """A statement in storage, if there is one."""
        issuer, since, expires = self.call("statementOf", identifier)[0]
        return StatementEntry(str(to_checksum_address(issuer)), since, expires) if since else None

    def is_in_force(self, identifier: bytes) -> bool:
        """Whether it exists, is neither retracted nor expired, and its issuer was not compromised before it."""
        return bool(self.call("isInForce", identifier)[0])

    def attest(self, statement: Statement, signed: SignedAction | None = None) -> tuple[bytes, bool]:
        """Make a statement, or find it made: its id, and whether this made it.

        Raises `TransactionReverted` for one that was retracted since: it can never be made again.
        """
        action = self.signed_as(actions.attest(statement), signed)
        identifier = self.statement_id(statement)
        self.settle()
        entry = self.statement(identifier)
        if entry is not None and entry.expires:
            return identifier, False
        record: StatementRecord = only_record(self, self.perform(action), StatementRecord)
        if record.statement != statement:
            raise self.disagreement()
        return identifier, True

    def retract(self, identifier: bytes, signed: SignedAction | None = None) -> bool:
        """Take a statement back, for good; False if it was retracted already."""
        action = self.signed_as(actions.retract(identifier), signed)
        self.settle()
        entry = self.statement(identifier)
        if entry is not None and entry.expires == 0:
            return False
        only_record(self, self.perform(action), RetractionRecord)
        return True

    def statements(self, subject: bytes | None = None) -> list[Stated]:
        """Every statement, in their order; about one subject or about all. Complete up to the contract's log head."""
        events = [event.record for event in self.history()]
        retracted = {record.statement_id: record.timestamp for record in events if isinstance(record, RetractionRecord)}
        made = [record for record in events if isinstance(record, StatementRecord)]
        return [
            Stated(identifier, record, retracted.get(identifier))
            for record in made
            if subject in (None, record.subject)
            for identifier in [self.statement_id(record.statement)]
        ]
