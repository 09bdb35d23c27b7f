"""The parts that a command needs, each opened from the settings when it is first asked for."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from registry.chain.client import Chain, connect
from registry.chain.contract import Approve
from registry.chain.deploy import contract_address
from registry.chain.deployment import Registries
from registry.chain.identifiers import parse_address
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Deployment
from registry.chain.rpc import HttpRpc
from registry.chain.signer import Signer, load_signer, remote_signer
from registry.cli.keeping import configured_store
from registry.content.gateway import GatewaySource
from registry.content.sources import Sources
from registry.content.store import BlockSource, Store
from registry.errors import RpcUnavailable
from registry.index.database import open_database
from registry.index.documents import DocumentReader
from registry.index.follower import Follower
from registry.index.log_places import check_from_block
from registry.index.queries import Reader, Snapshot
from registry.settings import Settings

_OTHERS_SECONDS = 10.0


class Parts:
    """Settings turned into things that work. Nothing is opened that is not used."""

    def __init__(self, settings: Settings, *, in_place: bool = False) -> None:
        self.settings = settings
        self._approve: Approve | None = None
        self._in_place = in_place

    @cached_property
    def chain(self) -> Chain:
        """The configured node or nodes. Raises RpcUnavailable, WrongChain."""
        settings = self.settings
        return connect(
            settings.rpc_url,
            settings.chain_id,
            max_cost=int(settings.max_fee * 10**18),
            quorum=settings.rpc_quorum,
        )

    @cached_property
    def chain_id(self) -> int:
        """The configured chain, or the node's where none is configured. Raises RpcUnavailable."""
        if self.settings.chain_id is not None:
            return self.settings.chain_id
        try:
            return self.chain.chain_id
        except RpcUnavailable as error:
            raise RpcUnavailable(
                f"{error.message} Signing (--sign-only), and asking a service for ADDRESS/NAME@VERSION, need none "
                "where PROVENANCE_CHAIN_ID says the chain.",
                **error.details,
            ) from error

    def can_ask(self) -> bool:
        """Whether there is a node. Raises WrongChain, and RpcUnavailable where only a node can say the chain."""
        chain_id = self.chain_id
        try:
            return self.chain.chain_id == chain_id
        except RpcUnavailable:
            return False

    @cached_property
    def signer(self) -> Signer:
        """The acting key. Raises NoKey, InvalidKey, WrongPassword."""
        key = self.settings.private_key
        if self.settings.signer_url is not None:
            rpc = HttpRpc(self.settings.signer_url, setting="PROVENANCE_SIGNER_URL", what="signer")
            return remote_signer(rpc, self.settings.account)
        return load_signer(
            keystore=self.settings.keystore,
            password_file=self.settings.password_file,
            private_key=None if key is None else key.get_secret_value(),
        )

    @cached_property
    def registries(self) -> Registries:
        """The four contracts, for reading. Opening one raises NoContract and what `chain` raises."""
        return Registries(self.chain, addresses=self._addresses, from_block=self._from_block)

    @cached_property
    def acting(self) -> Registries:
        """The four contracts, for acting with the configured key."""
        return Registries(
            self.chain, self.signer, addresses=self._addresses, from_block=self._from_block, approve=self._approve
        )

    def before_relaying(self, approve: Approve) -> None:
        """Have `approve` asked before this key pays for what another signed. To be said before `acting` is used."""
        self._approve = approve

    @property
    def registry(self) -> ModelRegistryClient:
        """The ModelRegistry, for reading."""
        return self.registries.models

    @property
    def acting_registry(self) -> ModelRegistryClient:
        """The ModelRegistry, for acting with the configured key."""
        return self.acting.models

    @cached_property
    def store(self) -> Store:
        """The configured store. Raises InvalidSettings."""
        return configured_store(self.settings, in_place=self._in_place)

    @contextlib.contextmanager
    def sources(self) -> Iterator[list[BlockSource]]:
        """Where content is read from: the store first, then the gateways, then the service's own gateway."""
        addresses = [*self.settings.gateways, *([self.settings.api_url] if self.settings.api_url else [])]
        with contextlib.ExitStack() as opened:
            yield [self.store, *(opened.enter_context(GatewaySource(address)) for address in addresses)]

    @contextlib.contextmanager
    def reader(self, first: Callable[[Snapshot], Iterable[bytes]]) -> Iterator[Reader]:
        """The local index, brought up to the head of the chain first, documents included.

        Those of the releases that `first` names are read before any other, however much strangers have published;
        what of the others takes too long is left for another time, and is no part of the coverage.
        """
        with self.reader_and_documents(first) as (reader, _):
            yield reader

    @contextlib.contextmanager
    def reader_and_documents(
        self, first: Callable[[Snapshot], Iterable[bytes]]
    ) -> Iterator[tuple[Reader, DocumentReader]]:
        """The same, and what reads its documents."""
        database = open_database(self.settings.database_location)
        try:
            Follower(self.registry, database, addresses=self._addresses).catch_up()
            reader = Reader(database, self.registry.deployment)
            with reader.snapshot() as snapshot:
                wanted = list(first(snapshot))
            with self.sources() as sources:
                documents = DocumentReader(database, self.registry.deployment, Sources(sources))
                documents.catch_up(wanted, _OTHERS_SECONDS)
                yield reader, documents
        finally:
            database.close()

    @property
    def deployment(self) -> Deployment:
        """Which registry this is. Needs no node where the chain is configured."""
        return Deployment(self.chain_id, self.address("ModelRegistry"))

    def address(self, contract: str) -> str:
        """Where the named contract is looked for. Needs no node."""
        given = self._addresses.get(contract)
        return parse_address(given) if given else contract_address(contract)

    @property
    def _addresses(self) -> dict[str, str]:
        return self.settings.contract_addresses

    @cached_property
    def _from_block(self) -> int | None:
        """The first block to read, where it is set. Raises InvalidSettings for one that the chain does not have."""
        if self.settings.from_block:
            check_from_block(self.settings.from_block, self.chain.latest().number)
        return self.settings.from_block
