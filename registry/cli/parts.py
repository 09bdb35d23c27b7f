"""The parts that a command needs, each opened from the settings when it is first asked for."""

import contextlib
from collections.abc import Iterator
from functools import cached_property

from registry.chain.client import Chain, connect
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.signer import Signer, load_signer
from registry.content.gateway import GatewaySource
from registry.content.reader import Sources
from registry.content.store import BlockSource, Store, open_store
from registry.index.database import open_database
from registry.index.documents import DocumentReader
from registry.index.follower import Follower
from registry.index.queries import Reader
from registry.settings import Settings


class Parts:
    """Settings turned into things that work. Nothing is opened that is not used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def chain(self) -> Chain:
        """The configured node. Raises RpcUnavailable, WrongChain."""
        return connect(self.settings.rpc_url, self.settings.chain_id)

    @cached_property
    def signer(self) -> Signer:
        """The acting key. Raises NoKey, InvalidKey, WrongPassword."""
        key = self.settings.private_key
        return load_signer(
            keystore=self.settings.keystore,
            password_file=self.settings.password_file,
            private_key=None if key is None else key.get_secret_value(),
        )

    @cached_property
    def registry(self) -> ModelRegistryClient:
        """The ModelRegistry, for reading. Raises NoContract and what `chain` raises."""
        return self._open_registry(None)

    @cached_property
    def acting_registry(self) -> ModelRegistryClient:
        """The ModelRegistry, for acting with the configured key."""
        return self._open_registry(self.signer)

    @cached_property
    def store(self) -> Store:
        """The configured store."""
        return open_store(self.settings.store_location)

    @contextlib.contextmanager
    def sources(self) -> Iterator[list[BlockSource]]:
        """Where content is read from: the store first, then the gateways, then the service's own gateway."""
        addresses = [*self.settings.gateways, *([self.settings.api_url] if self.settings.api_url else [])]
        with contextlib.ExitStack() as opened:
            yield [self.store, *(opened.enter_context(GatewaySource(address)) for address in addresses)]

    @contextlib.contextmanager
    def reader(self) -> Iterator[Reader]:
        """The local index, brought up to the head of the chain first, documents included."""
        database = open_database(self.settings.database_location)
        try:
            Follower(self.registry, database).catch_up()
            with self.sources() as sources:
                DocumentReader(database, self.registry.deployment, Sources(sources)).catch_up()
            yield Reader(database, self.registry.deployment)
        finally:
            database.close()

    def _open_registry(self, signer: Signer | None) -> ModelRegistryClient:
        return open_model_registry(
            self.chain, self.settings.model_registry, signer, from_block=self.settings.from_block
        )
