"""What an index follows: the four contracts of one deployment, their logs together, and the heads of their logs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, NamedTuple

from registry.chain.artifact import CONTRACTS, contract_artifact
from registry.chain.client import Chain
from registry.chain.contract import first_block
from registry.chain.deploy import contract_address
from registry.chain.deployment import Registries
from registry.chain.events import RECORD_TOPICS, Event, Log, decode_record, parse_log
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Deployment, genesis_head_of
from registry.errors import InvalidLog

_TOPICS: Final = tuple(topic for name in CONTRACTS for topic in RECORD_TOPICS[name])


class Entry(NamedTuple):
    """A log of one of the contracts, by the contract's name, and the record that it holds."""

    contract: str
    log: Log
    event: Event


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where the contracts of one deployment are, by their names. Needs no node."""

    chain_id: int
    addresses: Mapping[str, str]

    @property
    def deployment(self) -> Deployment:
        """Which registry this is."""
        return Deployment(self.chain_id, self.addresses["ModelRegistry"])

    def genesis(self, name: str) -> bytes:
        """The head of the named contract's log while it is empty."""
        return genesis_head_of(self.chain_id, self.addresses[name])

    def decode(self, log: Log) -> Entry:
        """The record in a log, and whose it is. Raises `InvalidLog`, also for a log of any other contract."""
        for name, address in self.addresses.items():
            if address == log.address:
                return Entry(name, log, decode_record(name, self.chain_id, address, log))
        raise InvalidLog(f"The node gave a log of {log.address}, which was not asked for.")


@dataclass(frozen=True, slots=True)
class FollowedContracts:
    """The contracts of one deployment through one node. `first` is the first block that can hold a record of any."""

    chain: Chain
    contracts: Contracts
    first: int

    def unread_logs(self, first: int, last: int) -> list[Any]:
        """The records of all contracts in blocks first to last, as the node gives them: JSON of any form and order."""
        return self.chain.unread_logs(list(self.contracts.addresses.values()), [_TOPICS], first, last)

    def entries(self, given: Iterable[Any]) -> list[Entry]:
        """The records in logs as `unread_logs` gives them, in the order of the chain. Raises `InvalidLog`."""
        logs = sorted(map(parse_log, given), key=attrgetter("location"))
        return list(map(self.contracts.decode, logs))

    def head(self, name: str, block_hash: bytes) -> bytes:
        """The head of the named contract's log as of exactly this block; of an empty one before there was a contract.

        Raises `RpcRefused` where the node keeps no state of that block, or does not know it.
        """
        data = self._view(name, "head", block_hash)
        return data[:32] if data else self.contracts.genesis(name)

    def size(self, name: str, block_hash: bytes) -> int:
        """How many records that log has. Raises as `head` does."""
        return int.from_bytes(self._view(name, "size", block_hash)[:32], "big")

    def _view(self, name: str, view: str, block_hash: bytes) -> bytes:
        return self.chain.call(
            self.contracts.addresses[name], contract_artifact(name).function(view).selector, block_hash
        )


def followed_contracts(models: ModelRegistryClient, addresses: Mapping[str, str] | None = None) -> FollowedContracts:
    """The contracts that belong to a ModelRegistry, each with this version's code and asking those of this deployment.

    `addresses` names those that are not where the ModelRegistry says or CREATE2 puts them. One that CREATE2 will put
    there and that nobody has deployed yet is no error: its log is empty until then. Raises `NoContract`,
    `DeploymentMismatch`.
    """
    given = dict(addresses or {})
    chain = models.chain
    places = {"PublisherRegistry": models.publisher_registry(), **given, "ModelRegistry": models.address}
    registries = Registries(chain, addresses=places)
    publishers = registries.publishers
    for name in ("LicenseRegistry", "StatementRegistry"):
        if name in given or chain.code(contract_address(name)):
            registries.named(name)
    first = models.from_block
    if first == first_block(models):  # else somebody chose it: what is missing then is met at the heads of the logs
        first = min(first, first_block(publishers))
    return FollowedContracts(
        chain, Contracts(chain.chain_id, {name: registries.address(name) for name in CONTRACTS}), first
    )
